"""A flood of invented names does not take the memory, and where it is stopped does not depend on the cuts."""

from zlib import crc32

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.history import DAY as DAYS
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaLimits, fold
from streams.ratings.snapshot import META, Snapshots, decode_state
from tests.support.boards import shown
from tests.unit.folds.making import block, counts, everything, folded, notice, vote
from tests.unit.intake.making import seeded


def test_models_beyond_the_limit_are_on_no_board_and_their_votes_are_counted_as_unrated():
    votes = [vote("x", "y"), vote("x", "z"), vote("z", "w"), vote("y", "x"), vote("w", "y", language="en")]
    state = folded([block(votes)], ArenaLimits(models=3))
    assert list(state.models) == ["x", "y", "z"]
    assert state.unrated == 2
    assert counts(state) == {("overall", "x", "y", 0): 1, ("overall", "x", "z", 0): 1, ("overall", "y", "x", 0): 1}


def test_a_model_may_take_the_last_place_in_a_vote_that_is_not_rated():
    state = folded([block([vote("x", "y"), vote("z", "w"), vote("z", "x")])], ArenaLimits(models=3))
    assert (list(state.models), state.unrated) == (["x", "y", "z"], 1)


def test_no_model_at_all_is_a_limit_too():
    state = folded([block([vote("x", "y")] * 2)], ArenaLimits(models=0))
    assert (state.models, state.boards, state.unrated) == ({}, {}, 2)
    assert (state.recorded, state.watermark) == (1_000, {"votes/0": 1})


def test_what_the_arena_declares_has_seats_of_its_own():
    flood = [vote(f"invented-{number}", "x") for number in range(9)]
    declared = [notice(name, offset) for offset, name in enumerate(("real-1", "real-2", "real-3", "real-4"))]
    real = [vote("real-1", "real-2"), vote("real-3", "real-4"), vote("real-1", "invented-0"), vote("real-1", "x")]
    state = folded([block(flood), *declared, block(real, first=9)], ArenaLimits(models=3))
    assert list(state.models) == ["invented-0", "x", "invented-1", "real-1", "real-2", "real-3"]
    assert state.unrated == 7 + 1, "the flood beyond its seats, and the fourth of three declared"
    assert counts(state)[("overall", "real-1", "real-2", 0)] == 1


def test_a_stranger_that_is_declared_gives_its_seat_back():
    state = folded([block([vote("x", "y"), vote("z", "w")])], ArenaLimits(models=2))
    assert (list(state.models), state.unrated) == (["x", "y"], 1)
    for record in (notice("x", 0), block([vote("z", "y")], first=2)):
        fold(state, record, ArenaLimits(models=2), interpreted)
    assert (list(state.models), state.unrated) == (["x", "y", "z"], 1)


def test_seats_are_kept_through_a_save():
    limits = ArenaLimits(models=2)
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


def test_a_state_from_before_seats_takes_who_is_declared_now_for_declared():
    state = folded([block([vote("x", "y")]), notice("x", 0)])
    fields = Snapshots().encode(state, ())
    meta = msgspec.msgpack.decode(fields[META][4:])
    del meta["strangers"]
    packed = msgspec.msgpack.encode(meta)
    assert decode_state(fields | {META: crc32(packed).to_bytes(4, "little") + packed}).strangers == {1}


def test_labels_beyond_the_limit_get_no_board_and_votes_still_count_overall():
    votes = [vote("x", "y", language=language) for language in ("en", "fr", "de", "en")]
    state = folded([block(votes)], ArenaLimits(boards=3))
    assert {name: board.battles for name, board in state.boards.items()} == {
        "overall": 4,
        "language:en": 2,
        "language:fr": 1,
    }


def test_the_first_vote_that_names_a_board_gets_the_last_place():
    votes = [vote("x", "y", categories=["zebra"]), vote("x", "y", language="en", categories=["ape"])]
    assert list(folded([block(votes)], ArenaLimits(boards=2)).boards) == ["overall", "category:zebra"]
    pieces = [block(votes[:1]), block(votes[1:], first=1)]
    assert list(folded(pieces, ArenaLimits(boards=2)).boards) == ["overall", "category:zebra"]


words = st.sampled_from(["", "a", "b", "c", "d"])
models = st.sampled_from([f"m{number}" for number in range(9)])
votes = st.builds(
    lambda a, b, language, categories: vote(a, b + "'", language=language, categories=categories),
    models, models, words, st.lists(words, max_size=3),
)  # fmt: skip


@settings(seeded, max_examples=150)
@given(st.lists(votes, max_size=25), st.integers(0, 12), st.integers(0, 8), st.integers(1, 7))
def test_who_gets_in_does_not_depend_on_where_blocks_are_cut(chosen, most_models, most_boards, size):
    limits = ArenaLimits(most_models, most_boards)
    whole = folded([block(chosen)] if chosen else [], limits)
    pieces = folded([block(chosen[at : at + size], first=at) for at in range(0, len(chosen), size)], limits)
    pieces.position = whole.position
    assert everything(whole) == everything(pieces)
    assert len(whole.models) <= most_models
    assert len(whole.boards) <= most_boards


DAY = 86_400.0


def flood(at, n=10_000):
    """Battles of invented names, languages and categories."""
    return [
        vote(f"i-{k}", f"j-{k}", language=f"l-{k}", categories=[f"c-{k}"], tstamp=at + k / n, winner="tie")
        for k in range(n)
    ]


def real(at, n=40, **more):
    names = ("ash", "birch", "cedar")
    return [vote(names[k % 3], names[(k + 1) % 3], language="en", tstamp=at + k, **more) for k in range(n)]


def late(at, n=40):
    """A real model and a real board that nobody knew before."""
    return [vote("new", "ash", language="fr", tstamp=at + k) for k in range(n)]


def pieces(votes, size=700):
    return [block(votes[at : at + size], first=at) for at in range(0, len(votes), size)]


def test_after_a_flood_of_names_and_labels_a_real_model_and_a_real_board_come_in() -> None:
    votes = [*real(0), *flood(1_000), *late(2_000), *real(DAY), *late(DAY + 100), *real(2 * DAY), *late(2 * DAY + 100)]
    flooded = folded(pieces(votes[:-160]))
    assert "new" not in flooded.models
    assert "language:fr" not in flooded.boards
    assert (len(flooded.models), len(flooded.boards)) == (2_000, 200)
    state = folded(pieces(votes))
    assert list(state.models) == ["ash", "birch", "cedar", "new"]
    assert list(state.boards) == ["overall", "language:en", "language:fr"]
    assert state.boards["overall"].votes_of(3) == 40
    assert sum(board.battles for board in state.boards.values() if board is state.boards["overall"]) == 160
    assert state.unrated == 10_000 + 80


def test_the_boards_of_the_real_models_are_those_without_the_flood() -> None:
    without = folded(pieces([*real(0), *real(DAY), *real(2 * DAY), *late(2 * DAY + 100)]))
    with_it = folded(pieces([*real(0), *flood(1_000), *real(DAY), *real(2 * DAY), *late(2 * DAY + 100)]))
    for name in ("overall", "language:en", "language:fr"):
        assert shown(with_it.boards[name]).tobytes() == shown(without.boards[name]).tobytes()
        assert with_it.boards[name].elo.tobytes() == without.boards[name].elo.tobytes()


def test_an_arena_with_free_seats_drops_nobody() -> None:
    state = folded(pieces([*late(0, 3), *real(DAY), *real(2 * DAY), *real(3 * DAY)]))
    assert list(state.models) == ["new", "ash", "birch", "cedar"]


def test_a_model_with_thirty_battles_keeps_its_seat() -> None:
    votes = [*late(0), *flood(1_000), *real(2_000), *real(DAY), *real(2 * DAY)]
    assert list(folded(pieces(votes)).models)[:2] == ["new", "ash"]


def test_the_history_forgets_dropped_models_and_keeps_the_others() -> None:
    votes = [*real(0), *flood(1_000), *real(DAY), *real(2 * DAY), *late(2 * DAY + 100)]
    state = folded(pieces(votes[:10_045], 40), ArenaLimits(models=8))
    assert {sample.rating.size for sample in state.history.samples[DAYS]} == {7}, (
        "three real and four invented, one seat without a board"
    )
    state = folded(pieces(votes, 40), ArenaLimits(models=8))
    samples = [sample for tier in state.history.samples.values() for sample in tier]
    assert samples
    assert {sample.rating.size for sample in samples} == {3}
    assert state.history.encode("text", ["ash", "birch", "cedar"])


@settings(seeded, max_examples=40)
@given(st.lists(votes, max_size=40), st.lists(st.floats(0, 3 * DAY), min_size=40, max_size=40), st.integers(1, 7))
def test_room_is_made_at_the_same_votes_wherever_blocks_are_cut_and_states_saved(chosen, times, size):
    limits = ArenaLimits(5, 3)
    dated = [msgspec.structs.replace(each, tstamp=time) for each, time in zip(chosen, times, strict=False)]
    whole = folded([block(dated)] if dated else [], limits)
    state = folded([], limits)
    for record in pieces(dated, size):
        state = decode_state(Snapshots().encode(state, ()))
        fold(state, record, limits, interpreted)
    state.position = whole.position
    assert everything(whole) == everything(state)


def test_folding_tells_which_boards_are_gone() -> None:
    limits = ArenaLimits(boards=2)
    state = folded(pieces([*late(0, 3), *real(DAY)]), limits)
    assert list(state.boards) == ["overall", "language:fr"]
    told = fold(state, block(real(2 * DAY), first=43), limits, interpreted)
    assert told.gone == {"language:fr"}
    assert told.changed == {"overall", "language:en"}
