"""A dead letter can be read back whole, whatever was in the record."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.dead_letter import DeadLetter, read_dead_letter
from streams.contracts.reasons import Reason
from streams.intake.decode import decode
from tests.unit.intake.making import as_records, body, seeded

letters = st.builds(
    DeadLetter,
    topic=st.text(st.characters(codec="ascii"), min_size=1, max_size=20),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    reason=st.sampled_from(Reason),
    detail=st.text(st.characters(codec="utf-8"), max_size=200),
    key=st.none() | st.binary(max_size=50),
    value=st.none() | st.binary(max_size=50),
    last_offset=st.none() | st.integers(0, 2**63 - 1),
)


@settings(seeded, max_examples=200)
@given(letters)
def test_a_letter_comes_back_as_it_was(letter: DeadLetter) -> None:
    assert read_dead_letter(dict(letter.headers()), letter.value) == letter


def test_no_key_and_an_empty_key_are_different() -> None:
    headers = DeadLetter("votes", 0, 1, Reason.EMPTY, "", None, None).headers()
    assert "key" not in dict(headers)
    assert dict(DeadLetter("votes", 0, 1, Reason.EMPTY, "", b"", None).headers())["key"] == b""


def test_the_place_is_the_key() -> None:
    assert DeadLetter("votes", 3, 71, Reason.EMPTY, "", None, None).place == b"votes/3/71"


def test_only_the_letter_of_a_batch_has_a_last_offset() -> None:
    assert "last_offset" not in dict(DeadLetter("votes", 0, 1, Reason.EMPTY, "", None, None).headers())
    batch = DeadLetter("votes", 0, 1, Reason.UNREADABLE, "", None, b"raw", last_offset=9)
    assert dict(batch.headers())["last_offset"] == b"9"
    assert batch.place == b"votes/0/1"


@pytest.mark.parametrize("padding", range(4))
def test_a_long_detail_is_cut_between_letters(padding: int) -> None:
    letter = DeadLetter("votes", 0, 1, Reason.EMPTY, "x" * padding + "𝕏" * 300, None, None)
    read = read_dead_letter(dict(letter.headers()), None)
    assert letter.detail.startswith(read.detail)
    assert 1020 < len(read.detail.encode()) <= 1024


def test_a_refusal_with_a_long_key_and_wide_letters_is_read_back() -> None:
    for length in range(900, 960):
        [reject] = decode(as_records([(b"k" * length, body(id="𝕏" * 64))])).rejects
        letter = DeadLetter("votes", 0, 1, reject.reason, reject.detail, b"k" * length, None)
        assert read_dead_letter(dict(letter.headers()), None).reason is Reason.KEY_MISMATCH


def test_a_detail_that_is_no_text_is_written_with_escapes() -> None:
    letter = DeadLetter("votes", 0, 1, Reason.EMPTY, "\ud800", None, None)
    assert read_dead_letter(dict(letter.headers()), None).detail == "\\ud800"


@pytest.mark.parametrize("missing", ["reason", "topic", "partition", "offset"])
def test_without_a_header_it_is_no_letter(missing: str) -> None:
    headers = dict(DeadLetter("votes", 0, 1, Reason.EMPTY, "", None, None).headers())
    del headers[missing]
    with pytest.raises(KeyError):
        read_dead_letter(headers, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": b"because"},
        {"partition": b"x"},
        {"offset": b""},
        {"last_offset": b"x"},
        {"topic": b"\xff"},
        {"reason": b"\xff"},
    ],
)
def test_with_a_wrong_header_it_is_no_letter(wrong: dict[str, bytes]) -> None:
    headers = dict(DeadLetter("votes", 0, 1, Reason.EMPTY, "", None, None).headers())
    with pytest.raises(ValueError):
        read_dead_letter(headers | wrong, None)


def test_a_letter_without_detail_is_a_letter() -> None:
    headers = dict(DeadLetter("votes", 0, 1, Reason.EMPTY, "why", None, None).headers())
    del headers["detail"]
    assert read_dead_letter(headers, b"v").detail == ""
