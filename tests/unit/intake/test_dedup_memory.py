"""The id memory costs at most 100 bytes an id, and a bounded number of ids is held."""

import numpy as np
import pytest

from streams.intake.dedup import SeenIds, marks_of

FETCH = 5_000
EMPTY_TABLES = 2 * 24 * 1024
"""What two tables without an id take: below some thousand ids these are what is measured."""


def feed(seen: SeenIds, first: int, count: int, step: int = FETCH) -> None:
    """So many new ids, one offset each, one second every thousand."""
    for begin in range(first, first + count, step):
        numbers = np.arange(begin, min(begin + step, first + count), dtype=np.int64)
        assert seen.fresh(
            marks_of([b"%d" % number for number in numbers.tolist()], ["text"] * len(numbers)), numbers, numbers
        ).all()


@pytest.mark.parametrize("count", [10_000, 11_468, 11_469, 20_000, 91_750, 100_000, 183_501])
def test_an_id_costs_at_most_a_hundred_bytes(count: int) -> None:
    seen = SeenIds(1_000_000, 10_000)
    feed(seen, 0, count)
    assert len(seen) == count
    assert seen.nbytes / count <= 100


def test_a_full_memory_costs_at_most_a_hundred_bytes_an_id() -> None:
    worst = 0.0
    seen = SeenIds(1_000_000, 10_000)
    for begin in range(0, 1_000_000, 50_000):
        feed(seen, begin, 50_000, step=25_000)
        worst = max(worst, seen.nbytes / len(seen))
    assert len(seen) == 1_000_000
    assert worst <= 100


def test_an_empty_memory_is_small() -> None:
    assert SeenIds(1_000_000, 60).nbytes == EMPTY_TABLES


@pytest.mark.parametrize("records", [1, 10, 1_000, 5_000])
def test_endless_new_ids_do_not_take_endless_memory(records: int) -> None:
    seen = SeenIds(records, 10**9)
    most = 0
    for begin in range(0, 60_000, FETCH):
        feed(seen, begin, FETCH)
        assert len(seen) <= 2 * records
        most = max(most, seen.nbytes)
    assert most <= max(EMPTY_TABLES, 2 * 70 * records + EMPTY_TABLES)


def test_the_same_ids_again_and_again_take_no_more_memory() -> None:
    seen = SeenIds(2_000, 10**9)
    names = [b"%d" % number for number in range(500)]
    for turn in range(100):
        offset = np.arange(turn * 500, turn * 500 + 500, dtype=np.int64)
        assert seen.fresh(marks_of(names, ["text"] * len(names)), offset, offset).any() == (turn == 0)
    assert len(seen) == 500
