"""Votes of several partitions are merged by record time; none is lost or reordered within a partition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.intake.merge_by_time import LONGEST_HOLD, Aligner
from streams.intake.records import Records, by_time, read
from tests.unit.intake.making import seeded

ALL = 10**9
Name = TypeVar("Name")


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    key: bytes = b"k"
    value: bytes = b"v"


def records(*times: int, start: int = 0) -> Records:
    return read(0, [Record(start + number, time) for number, time in enumerate(times)])


def add(aligner: Aligner[str], parts: Mapping[str, Records]) -> None:
    for partition, part in parts.items():
        aligner.add(partition, part)


def told(due: Mapping[Name, Records]) -> dict[Name, list[tuple[int, int]]]:
    """Offsets and times of what is due."""
    return {
        partition: list(zip(each.offset.tolist(), each.recorded.tolist(), strict=True))
        for partition, each in due.items()
    }


def test_what_is_ahead_of_a_partition_that_has_more_waits_for_it() -> None:
    aligner = Aligner({"a": 0, "b": 0})
    add(aligner, {"a": records(1, 2, 9), "b": records(3, 4)})
    assert told(aligner.take({"a": 3, "b": 5}, 0.0, ALL)) == {"a": [(0, 1), (1, 2)], "b": [(0, 3), (1, 4)]}
    add(aligner, {"b": records(8, 10, 11, start=2)})
    assert told(aligner.take({"a": 3, "b": 5}, 0.1, ALL)) == {"a": [(2, 9)], "b": [(2, 8), (3, 10), (4, 11)]}


def test_a_position_never_goes_back_behind_what_is_no_record() -> None:
    aligner = Aligner({"a": 0, "b": 0})
    add(aligner, {"a": records(1, 2)})
    aligner.take({"a": 2, "b": 0}, 0.0, ALL)
    aligner.advance("a", 50)  # a transaction that was taken back, or a batch that nobody can read
    assert aligner.position("a") == 50
    add(aligner, {"a": records(9, start=50), "b": records(3)})
    assert told(aligner.take({"a": 51, "b": 9}, 0.1, ALL)) == {"b": [(0, 3)]}
    assert aligner.position("a") == 50


def test_partitions_that_are_read_to_their_end_hold_nothing_up() -> None:
    aligner = Aligner({"a": 0, "b": 0, "quiet": 0})
    add(aligner, {"a": records(5, 6), "b": records(1)})
    assert told(aligner.take({"a": 2, "b": 1, "quiet": 0}, 0.0, ALL)) == {"a": [(0, 5), (1, 6)], "b": [(0, 1)]}


def test_a_partition_of_which_nothing_is_known_holds_nothing_up() -> None:
    aligner = Aligner({"a": 0, "b": 0})
    add(aligner, {"a": records(5)})
    assert told(aligner.take({"a": 1, "b": 0}, 0.0, ALL)) == {"a": [(0, 5)]}


def test_a_partition_that_gives_nothing_holds_the_others_for_some_seconds() -> None:
    aligner = Aligner({"a": 0, "b": 0})
    add(aligner, {"a": records(5)})
    behind = {"a": 1, "b": 7}
    assert aligner.take(behind, 10.0, ALL) == {}
    assert aligner.take(behind, 10.0 + LONGEST_HOLD, ALL) == {}
    assert told(aligner.take(behind, 10.1 + LONGEST_HOLD, ALL)) == {"a": [(0, 5)]}


def test_a_clock_that_steps_back_reorders_nothing() -> None:
    aligner = Aligner({"a": 0})
    add(aligner, {"a": records(7, 3, 8)})
    assert told(aligner.take({"a": 3}, 0.0, ALL)) == {"a": [(0, 7), (1, 3), (2, 8)]}


def test_of_much_that_is_due_the_oldest_comes_first_and_the_rest_is_known_to_be_there() -> None:
    aligner = Aligner({"a": 0, "b": 0})
    add(aligner, {"a": records(1, 4, 6), "b": records(2, 3, 9)})
    ends = {"a": 3, "b": 3}
    assert told(aligner.take(ends, 0.0, 3)) == {"a": [(0, 1)], "b": [(0, 2), (1, 3)]}
    assert aligner.more
    assert told(aligner.take(ends, 0.1, 3)) == {"a": [(1, 4), (2, 6)], "b": [(2, 9)]}
    assert not aligner.more


def test_what_came_in_one_millisecond_is_not_parted() -> None:
    aligner = Aligner({"a": 0})
    add(aligner, {"a": records(5, 5, 5, 7)})
    assert told(aligner.take({"a": 4}, 0.0, 1)) == {"a": [(0, 5), (1, 5), (2, 5)]}
    assert aligner.more


def test_gaps_in_the_log_are_kept() -> None:
    part = read(3, [Record(4, 1), Record(9, 2)])
    assert (part.offset.tolist(), part.partition.tolist()) == ([4, 9], [3, 3])


def test_a_fetch_is_laid_out_by_time_and_each_partition_keeps_its_order() -> None:
    first, second = read(0, [Record(0, 5, b"a"), Record(1, 3, b"b")]), read(1, [Record(0, 4, b"c"), Record(1, 6, b"d")])
    laid = by_time([first, second])
    assert laid.keys == [b"c", b"a", b"b", b"d"]
    assert laid.offset.tolist() == [0, 0, 1, 1]
    assert laid.recorded.tolist() == [4, 5, 3, 6]
    assert by_time([first]) is first


@seeded
@given(
    st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=40),
    st.integers(1, 20),
)
def test_everything_comes_out_once_and_in_the_order_of_its_partition(
    times_of: list[list[int]], fetches: list[tuple[int, int]], most: int
) -> None:
    logs = dict(enumerate(times_of))
    highwater = {partition: len(log) for partition, log in logs.items()}
    aligner, at, now = Aligner(dict.fromkeys(logs, 0)), dict.fromkeys(logs, 0), 0.0
    out: dict[int, list[tuple[int, int]]] = {partition: [] for partition in logs}

    def take() -> None:
        due: dict[int, Records] = aligner.take(highwater, now, most)
        for partition, each in due.items():
            assert np.array_equal(each.partition, np.zeros(len(each)))
            out[partition] += told({partition: each})[partition]

    for which, count in [*fetches, *((partition, 99) for partition in logs)]:
        now += 0.01
        if which in logs and (times := logs[which][at[which] : at[which] + count]):
            aligner.add(which, records(*times, start=at[which]))
            at[which] += len(times)
        take()
    while aligner.more:
        take()
    assert out == {partition: list(enumerate(times)) for partition, times in logs.items()}


def test_what_is_no_record_holds_nothing_up() -> None:
    # A transaction's marker takes the last offset of "a": the partition has nothing more to give.
    aligner = Aligner({"a": 0, "b": 0})
    add(aligner, {"a": records(5), "b": records(9)})
    ends = {"a": 2, "b": 1}
    assert told(aligner.take(ends, 0.0, ALL)) == {"a": [(0, 5)]}
    aligner.advance("a", 2)
    assert told(aligner.take(ends, 0.1, ALL)) == {"b": [(0, 9)]}


def test_a_position_is_behind_what_is_no_record_only_when_everything_before_it_was_given_out() -> None:
    aligner = Aligner({"a": 7, "b": 0})
    assert aligner.position("a") == 7
    add(aligner, {"a": records(5, 9, start=7)})
    aligner.advance("a", 12)
    assert aligner.position("a") == 7, "nothing was given out"
    behind = {"a": 12, "b": 3}
    add(aligner, {"b": records(6)})
    assert told(aligner.take(behind, 0.0, ALL)) == {"a": [(7, 5)], "b": [(0, 6)]}
    assert aligner.position("a") == 8, "the second one waits for the other partition"
    assert aligner.position("b") == 1
    aligner.advance("b", 3)
    assert told(aligner.take(behind, 0.1, ALL)) == {"a": [(8, 9)]}
    assert aligner.position("a") == 12
    assert aligner.position("b") == 3


def test_a_partition_of_markers_alone_moves_on() -> None:
    aligner = Aligner({"a": 4})
    aligner.advance("a", 9)
    assert aligner.take({"a": 9}, 0.0, ALL) == {}
    assert aligner.position("a") == 9
