"""A damaged ledger record is known as such: nothing else is raised, and no rows come out that a fold could not bear."""

from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies._internal.core import DataObject

from streams.contracts.model import Model
from streams.contracts.vote import NONE
from streams.ledger.codec import VERSION, Block, DamagedRecord, Notice, decode, encode_block, encode_notice
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.publish import make_board
from tests.unit.intake.making import seeded
from tests.unit.ledger.making import some_rows, whole

MODEL = Model("text", "x", "org", "open_weight", "public", "active", 0.5, 7.0)
BLOCK = encode_block(whole(some_rows(5)))[0]
NOTICE = encode_notice(Notice("text", "x", MODEL, 0, 1, 2))


def bearable(record: bytes) -> None:
    """Decode; what comes out must be foldable and publishable, and make sense."""
    try:
        read = decode(record)
    except DamagedRecord:
        return
    state = ArenaState(read.arena)
    folded = fold(state, read, ArenaLimits(), interpreted)
    if isinstance(read, Block):
        assert folded.counted == len(read.rows)
        assert read.rows.winner.max(initial=0) <= NONE
    for name in state.boards:
        board, _ = make_board(state, name)
        assert board.battles == folded.counted or name != "overall"
        msgspec.json.encode(board)


@pytest.mark.parametrize("record", [BLOCK, NOTICE], ids=["block", "notice"])
def test_any_flipped_byte(record: bytes) -> None:
    random = Random(5)
    for at in range(len(record)):
        bearable(record[:at] + bytes([record[at] ^ random.randint(1, 255)]) + record[at + 1 :])


@pytest.mark.parametrize("record", [BLOCK, NOTICE], ids=["block", "notice"])
def test_any_truncation_is_damage(record: bytes) -> None:
    for at in range(len(record)):
        with pytest.raises(DamagedRecord):
            decode(record[:at])


@settings(seeded, max_examples=120)
@given(st.binary(max_size=60))
def test_noise(noise: bytes) -> None:
    bearable(noise)


short = st.text(max_size=3)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | short | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short | st.integers(0, 9), inner, max_size=3),
    max_leaves=6,
)
DTYPES = ["<u2", "|u1", "<f8", "<i8", "<i4", ">u2", "|O", "V8", "<M8[s]", "u2,u2", "", "\0", "no", None, 7, []]


@settings(seeded, max_examples=300)
@given(st.sampled_from([BLOCK, NOTICE]), st.data())
def test_any_field_replaced_by_anything(record, data: DataObject) -> None:
    fields = msgspec.msgpack.decode(record)
    target = fields
    if fields["kind"] == "block" and data.draw(st.booleans()):
        target = fields["columns"]
        if data.draw(st.booleans()):
            target = target[data.draw(st.sampled_from(sorted(target)))]
    name = data.draw(st.sampled_from(sorted(target)))
    match data.draw(st.integers(0, 3)):
        case 0:
            del target[name]
        case 1 if name == "dtype":
            target[name] = data.draw(st.sampled_from(DTYPES))
        case 2 if name == "data":
            target[name] = data.draw(st.binary(min_size=len(target[name]), max_size=len(target[name])))
        case _:
            target[name] = data.draw(anything)
    bearable(msgspec.msgpack.encode(fields))


def changed(**changes: Any) -> bytes:
    """The block's bytes with fields replaced; functions get the old value."""
    fields = msgspec.msgpack.decode(BLOCK)
    for name, change in changes.items():
        fields[name] = change(fields[name]) if callable(change) else change
    return msgspec.msgpack.encode(fields)


def column(name: str, values, dtype: str | None = None) -> bytes:
    """The block's bytes with one column replaced."""
    fields = msgspec.msgpack.decode(BLOCK)
    dtype = dtype or fields["columns"][name]["dtype"]
    fields["columns"][name] = {"dtype": dtype, "data": np.array(values, dtype).tobytes()}
    return msgspec.msgpack.encode(fields)


DAMAGED = {
    "nothing": b"",
    "a list": msgspec.msgpack.encode([1]),
    "an empty map": b"\x80",
    "another version": changed(v=VERSION + 1),
    "a version in words": changed(v=str(VERSION)),
    "another kind": changed(kind="verdict"),
    "a kind that is a list": changed(kind=[]),
    "a list that claims four billion": b"\xdd\xff\xff\xff\xff",
    "a map that claims four billion": b"\xdf\xff\xff\xff\xff",
    "text that claims four billion": b"\xdb\xff\xff\xff\xff",
    "a bomb": b"\x91" * 200_000,
    "a bomb of maps": b"\x81\xa1a" * 200_000,
    "a bomb in an unknown field": b"\x82\xa1b" + b"\x91" * 200_000,
    "an extension": b"\xc7\x01\x01\x00",
    "an arena that is none": changed(arena="a}"),
    "an arena that is a number": changed(arena=1),
    "negative rows": changed(rows=-1),
    "huge rows": changed(rows=2**62),
    "huger rows": changed(rows=2**64 - 1),
    "rows in halves": changed(rows=5.5),
    "no rows of five": changed(rows=0),
    "a through that is no pair": changed(through=[[2]]),
    "a through that is infinite": changed(through=[[2, float("inf")]]),
    "a negative through": changed(through=[[2, -1]]),
    "a huge through": changed(through=[[2, 2**64 - 1]]),
    "a through of another partition": changed(through=[[1, 99]]),
    "a through before the rows": changed(through=[[2, 13]]),
    "models that are numbers": changed(models=list(range(9))),
    "a model twice": changed(models=lambda models: [models[0]] * len(models)),
    "too few models": changed(models=lambda models: models[:-1]),
    "no languages": changed(languages=[]),
    "a first language": changed(languages=["en", "fr"]),
    "a language twice": changed(languages=["", ""]),
    "too few languages": changed(languages=[""]),
    "a category twice": changed(category_sets=[[], ["code", "code"]]),
    "a first category": changed(category_sets=[["code"], ["math"]]),
    "categories that are text": changed(category_sets=["", "code"]),
    "too few categories": changed(category_sets=[[]]),
    "too few voters": changed(voters=["", "u"]),
    "too few prompts": changed(prompts=["", "h"]),
    "too few battles": changed(battles=["", "b"]),
    "no battles": changed(battles=[]),
    "a first battle": changed(battles=["b", "c", "d", "e"]),
    "battles that are numbers": changed(battles=[0, 1, 2, 3]),
    "columns in a list": changed(columns=[]),
    "no columns": changed(columns={}),
    "a model code beyond": column("model_a", [0, 0, 0, 0, 60_000]),
    "another model code beyond": column("model_b", [1, 2, 3, 4, 65_535]),
    "a model against itself": column("model_b", [0, 2, 3, 4, 5]),
    "a winner that is none": column("winner", [0, 1, 2, 3, 5]),
    "a tstamp that is not finite": column("tstamp", [1, 2, 3, 4, np.nan]),
    "a tstamp without end": column("tstamp", [1, 2, 3, 4, np.inf]),
    "a negative offset": column("offset", [-1, 11, 12, 13, 14]),
    "an offset twice": column("offset", [10, 11, 11, 13, 14]),
    "offsets that go back": column("offset", [10, 12, 11, 13, 14]),
    "an offset beyond": column("offset", [10, 11, 12, 13, 99]),
    "another partition": column("partition", [2, 2, 2, 2, 3]),
    "a language beyond": column("language", [0, 0, 0, 0, 2]),
    "a category set beyond": column("categories", [0, 0, 0, 0, 2]),
    "a voter beyond": column("voter", [0, 0, 0, 0, 2**32 - 1]),
    "a prompt beyond": column("prompt", [0, 0, 0, 0, 6]),
    "a p_pair of zero": column("p_pair", [0, 1, 1, 1, 1]),
    "a p_pair without end": column("p_pair", [np.inf, 1, 1, 1, 1]),
    "a battle beyond": column("battle", [0, 0, 0, 0, 4]),
    "a drawn_at without end": column("drawn_at", [np.inf, 1, 1, 1, 1]),
    "a drawn_at without beginning": column("drawn_at", [-np.inf, 1, 1, 1, 1]),
    "a style below absent": column("style", [[-2] * 8] * 5),
    "a style of another width": column("style", [[1] * 7] * 5),
    "one value too few": column("winner", [0, 1, 2, 3]),
    "one value too many": column("winner", [0, 1, 2, 3, 4, 0]),
    "half a value": changed(columns=lambda columns: columns | {"offset": {"dtype": "<i8", "data": b"\0" * 39}}),
    "winners of eight bytes": column("winner", [0] * 5, "<i8"),
    "winners in halves": column("winner", [0.5] * 5, "<f8"),
    "codes in halves": column("model_a", [0.0] * 5, "<f8"),
    "objects": changed(columns=lambda columns: columns | {"winner": {"dtype": "|O", "data": b"\0" * 40}}),
    "a type without a name": changed(columns=lambda columns: columns | {"winner": {"dtype": None, "data": b"\0" * 40}}),
    "data that are text": changed(columns=lambda columns: columns | {"winner": {"dtype": "|u1", "data": "00000"}}),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_it_is_damage(name: str) -> None:
    with pytest.raises(DamagedRecord):
        decode(DAMAGED[name])


@pytest.mark.parametrize(
    "changes",
    [
        {"arena": "A"},
        {"arena": None},
        {"name": 7},
        {"offset": -1},
        {"offset": 2**64 - 1},
        {"partition": "0"},
        {"recorded": 1.5},
        {"model": {}},
        {"model": []},
        {"model": {"arena": "text"}},
        {"v": 2},
    ],
)
def test_a_notice_is_held_against_its_types(changes) -> None:
    fields = msgspec.msgpack.decode(NOTICE)
    with pytest.raises(DamagedRecord):
        decode(msgspec.msgpack.encode(fields | changes))


def test_the_examples_begin_with_a_record_that_is_whole() -> None:
    assert len(decode(changed()).rows) == 5
    assert len(decode(column("winner", [0, 1, 2, 3, 4])).rows) == 5
