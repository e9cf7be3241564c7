"""The fast path and the strict one are two ways to the same answer, whatever the bytes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.names import normalised, unprintable
from streams.contracts.vote import DRAWN_SECONDS, MAX_RECORD_BYTES, STYLE_FIELDS, WINNERS
from streams.intake.decode import _fast, decode, strict
from streams.intake.records import Records
from tests.unit.intake.making import ARRIVED_MS, as_records, body, fields, meaning, seeded, votes

FRAGMENTS = [
    b"\n", b"}\n{", b"\r\n", b"}", b"{", b"}{", b"} {", b"},{", b"[", b"]", b'"', b"\\", b",", b":", b" ", b"\t",
    b"\x00", b"\x1f", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00",
    b"\\u0000", b"NaN", b"Infinity", b"1e999", b"-1e999", b"9" * 400, b"true", b"null", b"//", b"/**/",
    b'"id":"v2",', b'"winner":"none",', b'"x":{"y":[1,{"z":2}]},', b'"x":"}\\n{",', b'"x":"\xff",', b'"x":"}\n{",',
]  # fmt: skip

ARRIVED = ARRIVED_MS / 1000
SAYS = ("anony", "count", "weight", "is_valid", "dedup_tag")
OPTIONAL = ("arena", "voter", "language", "categories", "battle", "p_pair", "drawn_at", "style")
short = st.text(max_size=6)
names = st.sampled_from(["x", "y", "z", "é", "𝕏", "a b", "क्ष", "}{", "[/x]"])
styles = st.fixed_dictionaries({name: st.integers(0, 2**31 - 1) for name in STYLE_FIELDS})
good_fields = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["v1", "v2", "é", "\0", "}\n{", "i" * 64]),
        "model_a": names,
        "model_b": names,
        "winner": st.sampled_from(list(WINNERS)),
        "tstamp": st.sampled_from([0, -0.0, 1, 1.6e9, ARRIVED, ARRIVED + 300]) | st.floats(0, 1.7e9),
    },
    optional={
        "arena": st.sampled_from(["text", "vision", "0", "a" * 32]),
        "voter": st.none() | short,
        "language": st.none() | short.map(normalised).filter(lambda text: unprintable(text) is None),
        "categories": st.none() | st.lists(st.sampled_from(["", "code", "math", "é"]), max_size=8),
        "prompt_hash": st.none() | short,
        "battle": st.none() | short,
        "p_pair": st.none() | st.floats(0, 1, exclude_min=True) | st.just(1),
        "drawn_at": st.none() | st.sampled_from([0, -0.0, 5, 1.5e9]),
        "style": st.none() | styles,
        "unknown": st.recursive(st.none() | short | st.floats(), st.lists, max_leaves=5),
        "x": st.just({"y": [{"z": "}\n{"}]}),
    },
)
odd_values = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1.5, 2**31, 2**64, 10**400, 1e308, float("nan"), float("inf"), ARRIVED + 300.001),
        *("x ", "x  y", "e\u0301", "\u200bx", " ", ["a "], {"sampled": True}, {"sampled": False}),
        *("a\nb", "\0", "}\n{", "x\x7f", "x\x9b2J", "\u202ex", ["a\u2028"]),
        *("", "x", "x" * 65, "y" * 129, "text\n", "Text", "tie (bothbad)", "TIE", "model_a ", "1", "\ud800"),
        *([], ["x"] * 9, [1], [[]]),
        *({}, {"tokens_a": 1}, dict.fromkeys(STYLE_FIELDS, -1), dict.fromkeys(STYLE_FIELDS, True)),
    ]
)  # fmt: skip
writers = st.sampled_from(
    [
        lambda value: json.dumps(value).encode(),
        lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        lambda value: json.dumps(value, separators=(",", ":")).encode(),
        lambda value: json.dumps(value, indent=1).encode(),
        lambda value: b" " + json.dumps(value).encode() + b"\n",
    ]
)


@st.composite
def values(draw):
    """A few bytes values that belong together: one vote, a broken one, one cut in two, two in one."""
    given_fields = draw(good_fields)
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from([*fields(), *OPTIONAL, *SAYS]))
        given_fields[name] = draw(odd_values)
    if draw(st.integers(0, 9)) == 0:
        given_fields.pop(draw(st.sampled_from(list(fields()))))
    value = draw(writers)(given_fields)
    match draw(st.integers(0, 15)):
        case 0:
            at = draw(st.integers(0, len(value)))
            return [value[:at] + draw(st.sampled_from(FRAGMENTS)) + value[at:]]
        case 1:
            at = draw(st.integers(0, len(value) - 1))
            return [value[:at] + bytes([draw(st.integers(0, 255))]) + value[at + 1 :]]
        case 2:
            at = draw(st.integers(0, len(value)))
            return [value[:at], value[at:]]
        case 3:
            return [value + draw(st.sampled_from([b"", b" ", b"\n", b"\r\n", b","])) + body(id="v2")]
        case 4:
            return [value[:-1] + b"," + body(id="v2")[1:]]  # every key twice
        case 5:
            return [None]
        case 6:
            return [draw(st.sampled_from([b"", b" ", b"\n", b"{}", b"[]", b"null", b"{", b"}", b"}\n{"]))]
        case 7:
            return [value.replace(b"{", b'{"x":"' + b"p" * draw(st.sampled_from([100, 70_000])) + b'",', 1)]
        case 8:
            depth = draw(st.sampled_from([50, 99, 100, 500, 996, 997, 100_000]))
            return [value.replace(b"{", b'{"x":' + b"[" * depth + b"]" * depth + b",", 1)]
        case _:
            return [value]


@st.composite
def fetches(draw) -> Records:
    """Records of which most have the right key; partitions and record times vary."""
    pieces = [value for group in draw(st.lists(values(), max_size=5)) for value in group]
    keys = []
    for value in pieces:
        try:
            key = json.loads(value)["id"].encode()
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            key = b"v1"
        keys.append(draw(st.sampled_from([None, b"", b"v1", b"\xff"])) if draw(st.integers(0, 19)) == 0 else key)
    n = len(pieces)
    recorded = draw(st.lists(st.sampled_from([ARRIVED_MS, ARRIVED_MS - 1, 0]), min_size=n, max_size=n))
    partition = sorted(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    return Records(
        keys, pieces, np.array(partition, np.int32), np.arange(7, 7 + n, dtype=np.int64), np.array(recorded, np.int64)
    )


@settings(seeded, max_examples=300)
@given(fetches())
def test_both_paths_agree_on_every_fetch(records: Records) -> None:
    fast, careful = _fast(records), strict(records)
    assert fast is None or meaning(fast) == meaning(careful)
    assert meaning(decode(records)) == meaning(careful)


@settings(seeded, max_examples=200)
@given(st.lists(st.binary(max_size=40) | st.none(), max_size=5))
def test_both_paths_agree_on_noise(noise) -> None:
    records = as_records([(b"v1", value) for value in noise])
    assert _fast(records) is None
    assert [reject.index for reject in strict(records).rejects] == list(range(len(noise)))


def _is_good(vote) -> bool:
    drawn = vote.get("drawn_at") or 0
    return vote["model_a"] != vote["model_b"] and drawn <= vote["tstamp"] + DRAWN_SECONDS


@settings(seeded, max_examples=200)
@given(st.lists(good_fields.filter(_is_good), min_size=1, max_size=5))
def test_good_votes_take_the_fast_path(good) -> None:
    pairs = [(vote["id"].encode(), json.dumps(vote | {"unknown": "not NaN"}).encode()) for vote in good]
    assert _fast(as_records(pairs)) is not None


@pytest.mark.parametrize("size", [MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1])
def test_a_large_record_is_judged_by_its_size_on_both_paths(size: int) -> None:
    padding = size - len(body(x=""))
    pairs = [*votes(2), (b"v1", body(x="p" * padding))]
    assert len(pairs[-1][1]) == size
    fits = size <= MAX_RECORD_BYTES
    assert (_fast(as_records(pairs)) is not None) == fits
    assert len(strict(as_records(pairs)).rejects) == (0 if fits else 1)
