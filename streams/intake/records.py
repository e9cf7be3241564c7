"""Raw records as columns: what a fetch is, from the consumer to the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Records:
    """Raw records, in log order within each partition; all columns have the same length.

    `recorded` is the broker's record time in epoch milliseconds.
    """

    keys: list[bytes | None]
    values: list[bytes | None]
    partition: NDArray[np.int32]
    offset: NDArray[np.int64]
    recorded: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, stop: int) -> Records:
        """Records from place `start` up to `stop`."""
        chosen = slice(start, stop)
        return Records(
            self.keys[chosen],
            self.values[chosen],
            self.partition[chosen],
            self.offset[chosen],
            self.recorded[chosen],
        )


def read(partition: int, fetched: Sequence[Any]) -> Records:
    """Columns of records of one partition, as the consumer gives them: at least one, in log order."""
    n, first, last = len(fetched), fetched[0].offset, fetched[-1].offset
    return Records(
        [record.key for record in fetched],
        [record.value for record in fetched],
        np.full(n, partition, np.int32),
        # Offsets ascend: without a gap there is nothing to look up.
        np.arange(first, last + 1)
        if last - first == n - 1
        else np.fromiter((record.offset for record in fetched), np.int64, n),
        _times(fetched),
    )


def _times(fetched: Sequence[Any]) -> NDArray[np.int64]:
    try:
        return np.array([record.timestamp for record in fetched], np.int64)
    except TypeError:  # the oldest format of messages has no time: -1, as in the format that came after it
        return np.array([-1 if record.timestamp is None else record.timestamp for record in fetched], np.int64)


def join(parts: Sequence[Records]) -> Records:
    """One after the other; at least one."""
    if len(parts) == 1:
        return parts[0]
    return Records(
        list(chain.from_iterable(each.keys for each in parts)),
        list(chain.from_iterable(each.values for each in parts)),
        np.concatenate([each.partition for each in parts]),
        np.concatenate([each.offset for each in parts]),
        np.concatenate([each.recorded for each in parts]),
    )


def time_order(records: Records) -> NDArray[np.int64]:
    """Places of the records by record time, those of each partition in their order: int64[n].

    A sender's clock may step back; the log's order must not: what counts is the largest record time so far.
    """
    steady = records.recorded.copy()
    for partition in np.flatnonzero(np.bincount(records.partition)).tolist():
        mine = np.flatnonzero(records.partition == partition)
        steady[mine] = np.maximum.accumulate(steady[mine])
    return np.argsort(steady, kind="stable")


def by_time(parts: Sequence[Records]) -> Records:
    """Lay records out in `time_order`; `parts` are of one partition each, at least one."""
    every = join(parts)
    if len(parts) == 1:
        return every
    order = time_order(every)
    return Records(
        [every.keys[place] for place in order.tolist()],
        [every.values[place] for place in order.tolist()],
        every.partition[order],
        every.offset[order],
        every.recorded[order],
    )
