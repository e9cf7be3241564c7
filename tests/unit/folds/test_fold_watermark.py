"""The watermark: what is at or below it was counted, by partition and topic."""

import numpy as np

from streams.ledger.codec import Block
from streams.ledger.rows import rows_of
from streams.ratings.fold import ArenaState
from tests.unit.folds.making import block, counts, folded, notice, vote

VOTE = vote("x", "y")


def total(state: ArenaState) -> int:
    return sum(counts(state).values())


def test_rows_at_or_below_are_dropped() -> None:
    state = folded([block([VOTE] * 3), block([VOTE] * 3, first=1)])
    assert total(state) == 4
    assert state.watermark == {"votes/0": 3}


def test_each_partition_has_its_own() -> None:
    state = folded([block([VOTE] * 3, first=50), block([VOTE] * 3, partition=2)])
    assert total(state) == 6
    assert state.watermark == {"votes/0": 52, "votes/2": 2}


def test_it_rises_over_records_that_left_no_row() -> None:
    first = block([VOTE])
    state = folded([Block("text", first.rows, {0: 9}), block([VOTE], first=9), block([VOTE], first=10)])
    assert total(state) == 2


def test_it_rises_for_partitions_without_a_row() -> None:
    state = folded([Block("text", block([VOTE]).rows, {0: 0, 3: 41}), block([VOTE], first=41, partition=3)])
    assert total(state) == 1


def test_it_never_falls() -> None:
    assert folded([block([VOTE] * 9), block([VOTE] * 2)]).watermark == {"votes/0": 8}


def test_known_and_new_rows_of_one_block_are_told_apart() -> None:
    partition = np.array([0, 1, 0, 1, 0], np.int32)
    offset = np.array([4, 4, 5, 5, 6], np.int64)
    rows = rows_of([vote(f"m{number}", "y") for number in range(5)], partition, offset, np.full(5, 1))
    state = folded([block([VOTE], first=5), Block("text", rows, {0: 6, 1: 5})])
    assert {key[1] for key in counts(state)} == {"x", "m1", "m3", "m4"}


def test_votes_and_models_do_not_share_it() -> None:
    state = folded([block([VOTE] * 9), notice("x", 3)])
    assert state.watermark == {"votes/0": 8, "models/0": 3}
    assert "x" in state.registry


def test_a_dropped_row_leaves_no_trace() -> None:
    late = block([vote("stranger", "y", language="xx", tstamp=99)], recorded=9_000)
    state = folded([block([VOTE] * 2), late])
    assert (list(state.models), list(state.boards)) == (["x", "y"], ["overall"])
    assert (state.recorded, state.tstamp) == (1_000, 5.0)
