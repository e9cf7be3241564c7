"""Alignment: merge the votes of several partitions by record time, also when intake is behind.

A consumer that catches up gets thousands of records of one partition, then of the next. That does not affect counts,
but it does affect shares: battles of one moment would be far apart in the ledger, and a removed model would seem to
come and go. So records are held back that are newer than the newest record of a partition with more to fetch, until
that partition has caught up.

Which votes count does not depend on this, because each partition keeps its order; held records are not committed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.intake.records import Records, join

P = TypeVar("P")
LONGEST_HOLD = 5.0
"""Seconds after which all held records are released: a partition whose broker is down must not block the others."""
Times = NDArray[np.int64]


@dataclass(slots=True)
class _Queue:
    end: int
    """Offset of the next record to add: after the last record, and after offsets that hold no record, such as a
    transaction's marker."""
    parts: deque[tuple[Records, Times]] = field(default_factory=deque)
    """Held records, in parts as fetched; no part is empty. With each record the largest record time so far, so the
    times ascend even where a clock stepped back."""
    gone: int = 0
    """Number of records of the first part already given out; slicing would copy all remaining records."""
    newest: int = -1
    taken: int = 0
    """Offset after the last record given out."""

    def __len__(self) -> int:
        return sum(len(records) for records, _ in self.parts) - self.gone

    @property
    def position(self) -> int:
        """Offset of the next record to give out."""
        return self.taken if self.parts else self.end

    def put(self, records: Records) -> None:
        steady = np.maximum(np.maximum.accumulate(records.recorded), self.newest)
        if not self.parts:
            self.taken = self.end  # offsets without a record were passed: the position never goes back before them
        self.newest, self.end = int(steady[-1]), int(records.offset[-1]) + 1
        self.parts.append((records, steady))

    def due(self, limit: int | None) -> list[Times]:
        """Times of the records that are no newer than the limit, from the head of the queue."""
        times = [steady[: _count(steady, limit)] for _, steady in self.parts]
        return [times[0][self.gone :], *times[1:]] if times else []

    def take(self, limit: int | None) -> Records | None:
        """Remove and return the records that are no newer than the limit."""
        due = []
        while self.parts:
            records, steady = self.parts[0]
            count = _count(steady, limit)
            if count > self.gone:
                self.taken = int(records.offset[count - 1]) + 1
                due.append(records.part(self.gone, count) if count - self.gone < len(records) else records)
            if count < len(records):
                self.gone = max(self.gone, count)
                break
            self.parts.popleft()
            self.gone = 0
        return join(due) if due else None


def _count(steady: Times, limit: int | None) -> int:
    return len(steady) if limit is None else int(np.searchsorted(steady, limit, side="right"))


class Aligner(Generic[P]):
    """Holds the records of partitions until their turn; `P` is the type that names a partition.

    Parameters
    ----------
    positions
        Offset of the next record of each partition that this process owns.
    """

    def __init__(self, positions: Mapping[P, int]) -> None:
        self.more = False
        """Whether the last `take` left something that was due."""
        self._queues = {partition: _Queue(position, taken=position) for partition, position in positions.items()}
        self._held_since: float | None = None

    def held(self, partition: P) -> int:
        """Number of held records of a partition."""
        return len(self._queues[partition])

    def position(self, partition: P) -> int:
        """Offset of the next record of a partition that `take` has not given out yet."""
        return self._queues[partition].position

    def add(self, partition: P, records: Records) -> None:
        """Add records of one partition, at least one."""
        self._queues[partition].put(records)

    def advance(self, partition: P, end: int) -> None:
        """Note up to which offset a partition was read, also when that brought no record."""
        self._queues[partition].end = end

    def take(self, ends: Mapping[P, int], now: float, most: int) -> dict[P, Records]:
        """Remove and return the records that are due, the oldest first.

        Parameters
        ----------
        ends
            Last known offset up to which each partition can be read.
        now
            Seconds on any steady clock.
        most
            Number of records to return; more when the last millisecond has more, because it is never split.
        """
        self.more = False
        if not any(queue.parts for queue in self._queues.values()):
            self._held_since = None
            return {}
        limit = min(
            (queue.newest for partition, queue in self._queues.items() if queue.end < ends[partition]),
            default=None,
        )
        if limit is not None and self._held_since is not None and now - self._held_since > LONGEST_HOLD:
            limit = None
        times = [each for queue in self._queues.values() for each in queue.due(limit)]
        if sum(map(len, times)) > most:
            every = np.concatenate(times)
            limit = int(np.partition(every, most - 1)[most - 1])
            self.more = bool(every.max() > limit)
        due = {}
        for partition, queue in self._queues.items():
            records = queue.take(limit)
            if records is not None:
                due[partition] = records
        if due or self._held_since is None:
            self._held_since = now
        return due
