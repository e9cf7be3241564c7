"""Raw records as columns: the form of a fetch between the consumer and the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from streams.contracts.kafka_record import ConsumerRecord


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


def read(partition: int, fetched: Sequence[ConsumerRecord]) -> Records:
    """Turn the records of one partition, at least one and in log order, into columns."""
    n, first, last = len(fetched), fetched[0].offset, fetched[-1].offset
    return Records(
        [record.key for record in fetched],
        [record.value for record in fetched],
        np.full(n, partition, np.int32),
        # Offsets ascend: without a gap, a range replaces the look-up.
        np.arange(first, last + 1)
        if last - first == n - 1
        else np.fromiter((record.offset for record in fetched), np.int64, n),
        _times(fetched),
    )


def _times(fetched: Sequence[ConsumerRecord]) -> NDArray[np.int64]:
    try:
        return np.array([record.timestamp for record in fetched], np.int64)
    except TypeError:  # the oldest message format has no timestamp: use -1, as the next format does
        return np.array([-1 if record.timestamp is None else record.timestamp for record in fetched], np.int64)


def join(parts: Sequence[Records]) -> Records:
    """Concatenate the parts, at least one."""
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
    """Return the permutation that sorts the records by time and keeps each partition's order: int64[n].

    A clock may step back, but the log's order must hold, so each record sorts by its partition's largest time so far.
    """
    steady = records.recorded.copy()
    for partition in np.flatnonzero(np.bincount(records.partition)).tolist():
        mine = np.flatnonzero(records.partition == partition)
        steady[mine] = np.maximum.accumulate(steady[mine])
    return np.argsort(steady, kind="stable")


def by_time(parts: Sequence[Records]) -> Records:
    """Sort records by `time_order`; `parts` has at least one element, each of one partition."""
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
