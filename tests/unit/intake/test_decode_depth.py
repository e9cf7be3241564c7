"""How deep JSON may nest is a number of the contract, not what happens to be left of the interpreter's stack."""

from collections.abc import Callable

import pytest

from streams.contracts.reasons import Reason
from streams.contracts.vote import MAX_DEPTH, InvalidRecord, parse_vote
from streams.intake.decode import Decoded, _fast, strict
from tests.unit.intake.making import as_records, body, votes

ARRIVED = 1_700_000_000.0


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """A vote whose deepest bracket is `levels` deep, the vote's own counted."""
    inner = opening * (levels - 1) + b"0" + closing * (levels - 1)
    return body()[:-1] + b',"x":' + inner + b"}"


def deeper(frames: int, call: Callable[[], Decoded] | Callable[[], Decoded | None]):
    return call() if frames == 0 else deeper(frames - 1, call)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"y":', b"}")])
def test_the_deepest_that_is_allowed(opening: bytes, closing: bytes) -> None:
    allowed, refused = nested(MAX_DEPTH, opening, closing), nested(MAX_DEPTH + 1, opening, closing)
    assert parse_vote(allowed, ARRIVED).id == "v1"
    assert _fast(as_records([(b"v1", allowed)])) is not None
    with pytest.raises(InvalidRecord) as error:
        parse_vote(refused, ARRIVED)
    assert error.value.reason is Reason.TOO_DEEP
    assert _fast(as_records([(b"v1", refused)])) is None


@pytest.mark.parametrize("levels", [MAX_DEPTH, 400, 700, 990, 996, 997, 1_000, 30_000])
def test_the_answer_does_not_depend_on_who_asks(levels: int) -> None:
    records = as_records([(b"v1", nested(levels))])
    answers = {
        tuple(reject.reason for reject in deeper(frames, lambda: strict(records)).rejects) for frames in (0, 200, 500)
    }
    assert answers == {() if levels <= MAX_DEPTH else (Reason.TOO_DEEP,)}
    assert all((deeper(frames, lambda: _fast(records)) is None) == (levels > MAX_DEPTH) for frames in (0, 200, 500))


def test_one_deep_record_among_many_is_found() -> None:
    pairs = votes(300)
    pairs[150] = (b"v1", nested(MAX_DEPTH + 1))
    assert _fast(as_records(pairs)) is None
    assert [(reject.index, reject.reason) for reject in strict(as_records(pairs)).rejects] == [(150, Reason.TOO_DEEP)]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5_000,
        '\\"' + "{[" * 2_000,
        "\\" + "[" * 500,
        '{"a":' * 300 + '"',
    ],
)
def test_brackets_in_strings_are_letters(text: str) -> None:
    assert parse_vote(body(x=text), ARRIVED).id == "v1"


def test_many_shallow_brackets_are_not_deep() -> None:
    assert parse_vote(body(x=[[], {}] * 2_000), ARRIVED).id == "v1"


@pytest.mark.timeout(20)
def test_no_text_takes_long_to_measure() -> None:
    for hostile in (b'{"x":"' + b'\\"' * 32_000, b'"' * 65_000 + b"[" * 500, b"[{" * 32_000, b"\\" * 65_000):
        with pytest.raises(InvalidRecord):
            parse_vote(b"[" * 101 + hostile[:65_000], ARRIVED)
