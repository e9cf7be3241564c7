"""The machine-code way and the strict one agree on every input, and the plainest votes take it."""

import json
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.names import normalised
from streams.contracts.vote import STYLE_FIELDS
from streams.intake.decode import _fastest, decode, strict
from streams.intake.json_bytes import number
from streams.intake.records import Records
from tests.unit.intake.making import ARRIVED_MS, as_records, body, fields, meaning, seeded
from tests.unit.intake.test_decode_agrees import fetches

plain_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1, max_size=8
)


@settings(seeded, max_examples=600)
@given(fetches())
def test_agrees_with_the_strict_way_on_every_fetch(records: Records) -> None:
    found = _fastest(records)
    assert found is None or meaning(found) == meaning(strict(records))


def _drawn_before(vote):
    return vote | {"drawn_at": max(0, vote["tstamp"] - vote["drawn_at"])} if "drawn_at" in vote else vote


@settings(seeded, max_examples=300)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "id": plain_text,
                "model_a": st.sampled_from("abc"),
                "model_b": st.sampled_from("xyz"),
                "winner": st.sampled_from(["model_a", "tie", "both_bad", "tie (bothbad)", "none"]),
                "tstamp": st.floats(1.1e9, ARRIVED_MS / 1000) | st.integers(0, 10**9),
            },
            optional={
                "language": plain_text.map(normalised) | st.none(),
                "categories": st.lists(
                    plain_text.map(normalised).filter(lambda t: not set(t) & set("[]{}")), max_size=4
                ),
                "voter": plain_text,
                "prompt_hash": plain_text,
                "battle": plain_text | st.none(),
                "p_pair": st.floats(1e-3, 1),
                "drawn_at": st.integers(-5, 10_000),  # seconds before the vote
                "extra": plain_text | st.integers(0, 9) | st.none(),
            },
        ).map(_drawn_before),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_plain_votes_take_it(votes, separators) -> None:
    pairs = [(vote["id"].encode(), json.dumps(vote, separators=separators).encode()) for vote in votes]
    found = _fastest(as_records(pairs))
    assert found is not None
    assert meaning(found) == meaning(strict(as_records(pairs)))


@pytest.mark.parametrize(
    "changes",
    [{"model_a": "null"}, {"model_b": "openai/None"}, {"model_a": "x "}, {"model_b": " y"},
     {"model_a": "a  b"}, {"language": "en "}, {"categories": ["a", " b"]},
     {"count": 3}, {"weight": 0.5}, {"anony": False}, {"is_valid": False}, {"dedup_tag": None}],
)  # fmt: skip
def test_names_out_of_form_and_votes_that_are_none_are_left_to_the_strict_way(changes) -> None:
    records = as_records([(b"v0", body(id="v0")), (b"v1", body(**changes))])
    assert _fastest(records) is None
    assert meaning(decode(records)) == meaning(strict(records))


@pytest.mark.parametrize("drawn_at", [1_600_000_005.75, -1, -0.0, "1600000000", True, [1], 1e30, 1.1e-7])
def test_times_of_draws_that_are_late_or_not_plain_are_left_to_the_strict_way(drawn_at) -> None:
    records = as_records([(b"v0", body(id="v0")), (b"v1", body(drawn_at=drawn_at))])
    assert _fastest(records) is None
    assert meaning(decode(records)) == meaning(strict(records))


def test_a_draw_may_be_as_late_as_clocks_differ() -> None:
    records = as_records([(b"v0", body(id="v0")), (b"v1", body(battle="b", drawn_at=1_600_000_005.5))])
    found = _fastest(records)
    assert found is not None
    assert meaning(found) == meaning(strict(records))
    assert len(found.ids) == 2


def test_numbers_are_the_nearest_floats() -> None:
    random = Random(5)
    for _ in range(20_000):
        text = random.choice(
            [
                repr(random.uniform(0, 2.1e9)),
                repr(random.uniform(1.1e9, 2.1e9)),
                f"{random.uniform(1.1e9, 2.1e9):.{random.randint(0, 10)}f}",
                str(random.randint(0, 10**12)),
            ]
        )
        if "e" in text:
            continue
        found, end = number(np.frombuffer(text.encode(), np.uint8), 0, len(text))
        assert found in (-1.0, float(text)), text
        assert end == len(text)


def test_a_second_of_our_time_is_always_read() -> None:
    random = Random(6)
    for _ in range(5_000):
        text = repr(random.uniform(1.1e9, 2.1e9))
        assert number(np.frombuffer(text.encode(), np.uint8), 0, len(text)) == (float(text), len(text))


@pytest.mark.parametrize("text", ["", ".5", "5.", "01", "00.5", "1e5", "1.5E2", "1.2.3", "-1", "+1", "e", "."])
def test_what_is_no_plain_number_is_not_read(text: str) -> None:
    assert number(np.frombuffer(f"{text},".encode(), np.uint8), 0, len(text) + 1)[1] == -1


def test_more_digits_than_fit_are_a_number_that_is_not_found() -> None:
    for text in ("9" * 19, "1" + "0" * 40, "0." + "3" * 30):
        assert number(np.frombuffer(text.encode(), np.uint8), 0, len(text)) == (-1.0, len(text))


@pytest.mark.parametrize("before", [0, 1, 2])
def test_mutations_of_one_byte_agree(before: int) -> None:
    """Alone, and behind records like it, whose letters between the values are remembered."""
    random = Random(7)
    vote = body(language="en", categories=["a", "b"], p_pair=0.25, style=dict.fromkeys(STYLE_FIELDS, 1))
    vote = vote[:-1] + b', "battle": "b7", "drawn_at": 1600000004.25}'
    taken = 0
    for _ in range(20_000):
        value = bytearray(vote)
        at = random.randrange(len(value))
        match random.randrange(3):
            case 0:
                value[at] = random.choice(b'{}[]",:\\0123456789.eE- \n\t\x00\x7f\xc3nulltrue')
            case 1:
                del value[at]
            case 2:
                value.insert(at, random.choice(b'{}[]",:\\0123456789.eE- \n\t\x00\x7f\xc3nulltrue'))
        records = as_records([(b"v1", vote)] * before + [(b"v1", bytes(value))])
        found = _fastest(records)
        taken += found is not None
        assert found is None or meaning(found) == meaning(strict(records)), bytes(value)
    assert taken > 1000


def test_records_of_many_layouts_in_one_fetch_agree() -> None:
    """What stood before a value in one record is looked for in the next: it may be another name, or as good as it."""
    random = Random(8)
    extra = {"language": "en", "categories": ["a"], "voter": "w", "prompt_hash": "p", "p_pair": 0.25, "more": "m"}
    extra |= {"battle": "b", "drawn_at": 1_600_000_000.25}
    taken = 0
    for _ in range(3_000):
        pairs = []
        for number_ in range(random.randint(2, 6)):
            vote = fields(id=f"v{number_}") | {name: extra[name] for name in extra if random.random() < 0.5}
            names = random.sample(list(vote), len(vote)) if random.random() < 0.5 else list(vote)
            comma, colon = random.choice([(",", ":"), (", ", ": "), (" , ", " :"), (",  ", ":")])
            text = comma.join(f'"{name}"{colon}{json.dumps(vote[name])}' for name in names)
            text = "{" + random.choice(["", " "]) + text + random.choice(["", " "]) + "}"
            if random.random() < 0.1:
                text = text.replace('"voter"', '"id"') if random.random() < 0.5 else text.replace(":", "", 1)
            pairs.append((f"v{number_}".encode(), text.encode()))
        records = as_records(pairs)
        found = _fastest(records)
        taken += found is not None
        assert found is None or meaning(found) == meaning(strict(records)), pairs
    assert taken > 1_000


def test_newlines_within_records_and_keys_deceive_nobody() -> None:
    """The records are joined with newlines: one may hold two votes and another none, and so may the keys."""
    a, b = body(id="v1"), body(id="v2")
    both, cut = a + b"\n" + b, (a[:20], a[20:])
    values = [
        (both, b""),
        (b"", both),
        (both, b),
        (a, both),
        (a + b"\n", b),
        (a, b"\n" + b),
        cut,
        (a, b),
        (a, b + b"\n"),
    ]
    keys = [(b"v1", b"v2"), (b"v1\nv2", b""), (b"", b"v1\nv2"), (b"v1\n", b"v2"), (b"v1", b"v2\n"), (b"v1\nv2", b"v2")]
    for value, key in product(values, keys):
        records = as_records(list(zip(key, value, strict=True)))
        found = _fastest(records)
        assert (found is not None) == (value == (a, b) and key == (b"v1", b"v2"))
        assert meaning(decode(records)) == meaning(strict(records))
    assert _fastest(as_records([(b"v1\nv2", both)])) is None


def test_words_made_to_collide_are_left_to_the_next_way() -> None:
    names = _colliding(400)
    votes = [
        {"id": f"v{n}", "model_a": name, "model_b": "y", "winner": "tie", "tstamp": 1} for n, name in enumerate(names)
    ]
    records = as_records([(vote["id"].encode(), json.dumps(vote).encode()) for vote in votes])
    assert _fastest(records) is None
    assert len(decode(records).ids) == len(names)


def _colliding(count: int) -> list[str]:
    """Names of eight letters whose hash, taken backwards, begins with the same 24 bits."""
    mix, back = 0x9E3779B97F4A7C15, np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))
    assert mix * int(back) % 2**64 == 1
    hashes = np.random.default_rng(1).integers(0, 2**40, 3_000_000, dtype=np.uint64)
    mixed = hashes * back
    words = ((mixed ^ (mixed >> np.uint64(32))) * back) ^ np.uint64(8)
    letters = words.view(np.uint8).reshape(-1, 8)
    plain = ((letters >= 48) & (letters < 123) & (letters != 92)).all(axis=1)
    return list(dict.fromkeys(bytes(name).decode() for name in letters[plain]))[:count]
