"""A flood of invented names does not take the memory, and where it is stopped does not depend on the cuts."""

from zlib import crc32

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ratings.elo import interpreted
from streams.ratings.fold import Limits, fold
from streams.ratings.snapshot import META, Snapshots, decode_state
from tests.unit.folds.making import block, counts, everything, folded, notice, vote
from tests.unit.intake.making import seeded


def test_models_beyond_the_limit_are_on_no_board_and_their_votes_are_counted_as_unrated() -> None:
    votes = [vote("x", "y"), vote("x", "z"), vote("z", "w"), vote("y", "x"), vote("w", "y", language="en")]
    state = folded([block(votes)], Limits(models=3))
    assert list(state.models) == ["x", "y", "z"]
    assert state.unrated == 2
    assert counts(state) == {("overall", "x", "y", 0): 1, ("overall", "x", "z", 0): 1, ("overall", "y", "x", 0): 1}


def test_a_model_may_take_the_last_place_in_a_vote_that_is_not_rated() -> None:
    state = folded([block([vote("x", "y"), vote("z", "w"), vote("z", "x")])], Limits(models=3))
    assert (list(state.models), state.unrated) == (["x", "y", "z"], 1)


def test_no_model_at_all_is_a_limit_too() -> None:
    state = folded([block([vote("x", "y")] * 2)], Limits(models=0))
    assert (state.models, state.boards, state.unrated) == ({}, {}, 2)
    assert (state.recorded, state.watermark) == (1_000, {"votes/0": 1})


def test_what_the_arena_declares_has_seats_of_its_own() -> None:
    flood = [vote(f"invented-{number}", "x") for number in range(9)]
    declared = [notice(name, offset) for offset, name in enumerate(("real-1", "real-2", "real-3", "real-4"))]
    real = [vote("real-1", "real-2"), vote("real-3", "real-4"), vote("real-1", "invented-0"), vote("real-1", "x")]
    state = folded([block(flood), *declared, block(real, first=9)], Limits(models=3))
    assert list(state.models) == ["invented-0", "x", "invented-1", "real-1", "real-2", "real-3"]
    assert state.unrated == 7 + 1, "the flood beyond its seats, and the fourth of three declared"
    assert counts(state)[("overall", "real-1", "real-2", 0)] == 1


def test_a_stranger_that_is_declared_gives_its_seat_back() -> None:
    state = folded([block([vote("x", "y"), vote("z", "w")])], Limits(models=2))
    assert (list(state.models), state.unrated) == (["x", "y"], 1)
    for record in (notice("x", 0), block([vote("z", "y")], first=2)):
        fold(state, record, Limits(models=2), interpreted)
    assert (list(state.models), state.unrated) == (["x", "y", "z"], 1)


def test_seats_are_kept_through_a_save() -> None:
    limits = Limits(models=2)
    records = [
        block([vote("x", "y"), vote("z", "w")]),
        notice("x", 0),
        notice("w", 1),
        block([vote("z", "w")], first=2),
    ]
    whole, saved = folded(records, limits), folded(records[:2], limits)
    again = decode_state(Snapshots().encode(saved, ()))
    for record in records[2:]:
        fold(again, record, limits, interpreted)
        again.position += 1
    assert everything(again) == everything(whole)


def test_a_state_from_before_seats_takes_who_is_declared_now_for_declared() -> None:
    state = folded([block([vote("x", "y")]), notice("x", 0)])
    fields = Snapshots().encode(state, ())
    meta = msgspec.msgpack.decode(fields[META][4:])
    del meta["strangers"]
    packed = msgspec.msgpack.encode(meta)
    assert decode_state(fields | {META: crc32(packed).to_bytes(4, "little") + packed}).strangers == {1}


def test_labels_beyond_the_limit_get_no_board_and_votes_still_count_overall() -> None:
    votes = [vote("x", "y", language=language) for language in ("en", "fr", "de", "en")]
    state = folded([block(votes)], Limits(boards=3))
    assert {name: board.battles for name, board in state.boards.items()} == {
        "overall": 4,
        "language:en": 2,
        "language:fr": 1,
    }


def test_the_first_vote_that_names_a_board_gets_the_last_place() -> None:
    votes = [vote("x", "y", categories=["zebra"]), vote("x", "y", language="en", categories=["ape"])]
    assert list(folded([block(votes)], Limits(boards=2)).boards) == ["overall", "category:zebra"]
    pieces = [block(votes[:1]), block(votes[1:], first=1)]
    assert list(folded(pieces, Limits(boards=2)).boards) == ["overall", "category:zebra"]


words = st.sampled_from(["", "a", "b", "c", "d"])
models = st.sampled_from([f"m{number}" for number in range(9)])
votes = st.builds(
    lambda a, b, language, categories: vote(a, b + "'", language=language, categories=categories),
    models, models, words, st.lists(words, max_size=3),
)  # fmt: skip


@settings(seeded, max_examples=150)
@given(st.lists(votes, max_size=25), st.integers(0, 12), st.integers(0, 8), st.integers(1, 7))
def test_who_gets_in_does_not_depend_on_where_blocks_are_cut(
    chosen, most_models: int, most_boards: int, size: int
) -> None:
    limits = Limits(most_models, most_boards)
    whole = folded([block(chosen)] if chosen else [], limits)
    pieces = folded([block(chosen[at : at + size], first=at) for at in range(0, len(chosen), size)], limits)
    pieces.position = whole.position
    assert everything(whole) == everything(pieces)
    assert len(whole.models) <= most_models
    assert len(whole.boards) <= most_boards
