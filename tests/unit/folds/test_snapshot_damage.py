"""A saved state that is damaged is known as such, and nothing else is raised."""

from random import Random
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.fold.checkpoint import DamagedState
from streams.ratings.snapshot import META, VERSION, Snapshots, board_field, decode_state
from tests.support.boards import shown
from tests.unit.folds.making import block, everything, folded, notice, vote
from tests.unit.intake.making import seeded

# Two days, so that the history has samples.
VOTES = [vote("x", "y", language="en"), vote("y", "z", "tie"), vote("z", "x"), vote("z", "x", tstamp=9e4)]
STATE = folded([block(VOTES), notice("x", 0)])
SAVED = Snapshots().encode(STATE, ())
OVERALL = board_field("overall")


def sealed(meta) -> bytes:
    packed = msgspec.msgpack.encode(meta)
    return crc32(packed).to_bytes(4, "little") + packed


def meta_with(**changes: Any):
    return {**SAVED, META: sealed(msgspec.msgpack.decode(SAVED[META][4:]) | changes)}


def board_with(raw: bytes | None = None, **changes: Any):
    """The overall board replaced, with a checksum that vouches for it."""
    board = raw if raw is not None else msgspec.msgpack.encode(msgspec.msgpack.decode(SAVED[OVERALL]) | changes)
    boards = msgspec.msgpack.decode(SAVED[META][4:])["boards"]
    return {**meta_with(boards=boards | {"overall": crc32(board)}), OVERALL: board}


def array(data: bytes, dtype: str = "|u1"):
    return {"dtype": dtype, "data": data}


@pytest.mark.parametrize("field", sorted(SAVED))
def test_any_flipped_byte_is_damage(field: str) -> None:
    random, original = Random(7), SAVED[field]
    for at in range(len(original)):
        flipped = original[:at] + bytes([original[at] ^ random.randint(1, 255)]) + original[at + 1 :]
        with pytest.raises(DamagedState):
            decode_state({**SAVED, field: flipped})


@pytest.mark.parametrize("field", sorted(SAVED))
def test_any_truncation_is_damage(field: str) -> None:
    for at in range(len(SAVED[field])):
        with pytest.raises(DamagedState):
            decode_state({**SAVED, field: SAVED[field][:at]})


@pytest.mark.parametrize("field", sorted(SAVED))
def test_a_missing_field_is_damage(field: str) -> None:
    with pytest.raises(DamagedState, match="missing"):
        decode_state({name: value for name, value in SAVED.items() if name != field})


def test_nothing_saved_is_damage() -> None:
    with pytest.raises(DamagedState):
        decode_state({})


def test_a_half_written_state_is_damage() -> None:
    later = folded([block([vote("x", "y", language="en")] * 4)])
    saved = Snapshots().encode(later, ())
    for field in SAVED:
        with pytest.raises(DamagedState):
            decode_state({**SAVED, field: saved[field]})


def test_a_board_that_meta_does_not_know_is_ignored() -> None:
    assert everything(decode_state({**SAVED, board_field("old"): b"\xff"})) == everything(STATE)


WRONG = {
    "another version": meta_with(v=VERSION + 1),
    "no number of models": meta_with(models=7),
    "a model that is a number": meta_with(models=[1, 2, 3]),
    "a board that was never saved": meta_with(boards={"category:x": 1}),
    "fewer models than members": meta_with(models=["x"]),
    "a position in words": meta_with(position="9"),
    "a registry of nothing": meta_with(registry={"x": {}}),
    "meta that is a list": {**SAVED, META: sealed([])},
    "meta that is a bomb": {**SAVED, META: crc32(b"\x91" * 9_999).to_bytes(4, "little") + b"\x91" * 9_999},
    "meta with a bomb": {
        **SAVED,
        META: crc32(b"\x81\xa1z" + b"\x91" * 9_999).to_bytes(4, "little") + b"\x81\xa1z" + b"\x91" * 9_999,
    },
    "meta that is no text": {**SAVED, META: sealed({"v": 1}).replace(b"\xa1v", b"\xa1\xff")},
    "a board that is empty": board_with(raw=b""),
    "a board that is a bomb": board_with(raw=b"\x91" * 9_999),
    "a member twice": board_with(members=[0, 0, 1]),
    "a member that is no model": board_with(members=[0, 1, 3]),
    "a negative member": board_with(members=[-1, 0, 1]),
    "a huge member": board_with(members=[0, 1, 2**62]),
    "too few members": board_with(members=[0, 1]),
    "a type without a meaning": board_with(gaps=array(b"\1", "no")),
    "a type of objects": board_with(counts=array(b"\1" * 8, "|O")),
    "places beyond the board": board_with(gaps=array(b"\xff" * 3)),
    "more places than counts": board_with(counts=array(b"\1")),
    "too few ratings": board_with(elo=array(b"\0" * 8, "<f8")),
    "half a rating": board_with(elo=array(b"\0" * 12, "<f8")),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_content_under_a_right_checksum_is_damage(name: str) -> None:
    with pytest.raises(DamagedState):
        decode_state(WRONG[name])


def test_the_examples_begin_with_a_state_that_is_whole() -> None:
    assert everything(decode_state(board_with())) == everything(STATE)
    assert everything(decode_state(meta_with())) == everything(STATE)


@settings(seeded, max_examples=150)
@given(st.dictionaries(st.sampled_from([META, OVERALL, "x"]), st.binary(max_size=30)))
def test_noise_is_damage(fields) -> None:
    with pytest.raises(DamagedState):
        decode_state(fields)


@settings(seeded, max_examples=200)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "members": st.lists(st.integers(-1, 4), max_size=4),
            "gaps": st.builds(array, st.binary(max_size=24), st.sampled_from(["|u1", "<u2", "<u8", "<i8", "<f8", ""])),
            "counts": st.builds(array, st.binary(max_size=24), st.sampled_from(["|u1", "<u4", "<u8", "<i1", "<f4"])),
            "elo": st.builds(array, st.binary(max_size=32), st.sampled_from(["<f8", ">f8", "|O"])),
        },
    )
)
def test_any_board_under_a_right_checksum_is_damage_or_holds_together(changes) -> None:
    try:
        board = decode_state(board_with(**changes)).boards["overall"]
    except DamagedState:
        return
    assert shown(board).min(initial=0) >= 0
    assert len(board.elo) == len(board.members)
