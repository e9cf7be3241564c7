"""Alignment: votes of several partitions go on in the order of their record times, also when intake is behind.

A consumer that catches up gets its partitions in turns of thousands. Counts do not mind, but shares do: what was shown
together would lie far apart in the ledger, and a model that was removed would seem to come and go. So what is newer
than the newest record of a partition that has more to give is held back until that partition has given it.

Which votes count does not depend on this, for each partition keeps its order; nothing that is held back was committed.
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
"""Seconds after which everything is let go: a partition whose broker is away must not hold up the others."""
Times = NDArray[np.int64]


@dataclass(slots=True)
class _Queue:
    end: int
    """Offset of the next record to take in: behind the last one, and behind what is no record, as a transaction's
    marker."""
    parts: deque[tuple[Records, Times]] = field(default_factory=deque)
    """What waits, as it came; none is empty. With each record the largest record time so far: they ascend, and a clock
    that steps back does not count."""
    gone: int = 0
    """Records of the first part that were taken already: to cut them off would touch every record that stays."""
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
            self.taken = self.end  # what is no record was passed: the position never goes back behind it
        self.newest, self.end = int(steady[-1]), int(records.offset[-1]) + 1
        self.parts.append((records, steady))

    def due(self, limit: int | None) -> list[Times]:
        """Times of whatever is no newer than the limit: a beginning of the queue."""
        times = [steady[: _count(steady, limit)] for _, steady in self.parts]
        return [times[0][self.gone :], *times[1:]] if times else []

    def take(self, limit: int | None) -> Records | None:
        """Whatever is no newer than the limit."""
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
    """Holds the records of partitions until their turn; `P` is what names a partition.

    Parameters
    ----------
    positions
        Offset of the next record of each partition that is held by this process.
    """

    def __init__(self, positions: Mapping[P, int]) -> None:
        self.more = False
        """Whether the last `take` left something that was due."""
        self._queues = {partition: _Queue(position, taken=position) for partition, position in positions.items()}
        self._held_since: float | None = None

    def held(self, partition: P) -> int:
        """Number of records of a partition that wait."""
        return len(self._queues[partition])

    def position(self, partition: P) -> int:
        """Offset of the next record of a partition that `take` has not given out yet."""
        return self._queues[partition].position

    def add(self, partition: P, records: Records) -> None:
        """Take in records of one partition, at least one."""
        self._queues[partition].put(records)

    def advance(self, partition: P, end: int) -> None:
        """Note up to where a partition was read, also where there was no record to take in."""
        self._queues[partition].end = end

    def take(self, ends: Mapping[P, int], now: float, most: int) -> dict[P, Records]:
        """Give what is due, the oldest first.

        Parameters
        ----------
        ends
            Offset up to which each partition can be read, as far as is known.
        now
            Any steady clock, seconds.
        most
            So many records suffice; those of one millisecond are not parted, so there may be more.
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
