"""Notices: what the arena declares of its models, at its place among the votes."""

from streams.ledger.codec import Notice
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaState, Folded, fold
from tests.unit.folds.making import LIMITS, block, folded, notice, vote

TOMBSTONE = Notice("text", "x", None, 0, 9, 1_000)


def told(state: ArenaState, record: Notice) -> Folded:
    return fold(state, record, LIMITS, interpreted)


def test_the_newest_declaration_counts() -> None:
    state = folded([notice("x", 1), notice("x", 2, provider="other")])
    assert state.registry["x"].provider == "other"


def test_a_tombstone_takes_the_model_off() -> None:
    assert folded([notice("x", 1), notice("y", 2), TOMBSTONE]).registry.keys() == {"y"}


def test_a_tombstone_of_nobody_is_nothing() -> None:
    assert folded([TOMBSTONE]).registry == {}


def test_a_declaration_that_was_known_is_dropped() -> None:
    state = folded([notice("x", 4), TOMBSTONE])
    assert told(state, notice("x", 4)) == Folded(0, 1, frozenset())
    assert told(state, TOMBSTONE) == Folded(0, 1, frozenset())
    assert state.registry == {}
    assert told(state, notice("x", 10)) == Folded(0, 0, frozenset())
    assert state.watermark == {"models/0": 10}


def test_the_boards_that_show_the_model_change() -> None:
    state = folded([block([vote("x", "y", language="en"), vote("z", "y", categories=["code"])])])
    assert told(state, notice("x", 1)).changed == {"overall", "language:en"}
    assert told(state, notice("z", 2)).changed == {"overall", "category:code"}
    assert told(state, notice("nobody", 3)).changed == frozenset()


def test_a_declared_model_without_a_vote_is_on_no_board() -> None:
    state = folded([notice("x", 1)])
    assert (state.models, state.boards) == ({}, {})


def test_a_removed_model_keeps_its_votes() -> None:
    state = folded([block([vote("x", "y")]), notice("x", 1), TOMBSTONE])
    assert state.boards["overall"].battles == 1
