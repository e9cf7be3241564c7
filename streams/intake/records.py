"""Raw records as columns: what a fetch is, from the consumer to the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
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
        np.array([record.timestamp for record in fetched], np.int64),
    )


def join(parts: Sequence[Records]) -> Records:
    """One after the other; at least one."""
    if len(parts) == 1:
        return parts[0]
    return Records(
        [key for each in parts for key in each.keys],
        [value for each in parts for value in each.values],
        np.concatenate([each.partition for each in parts]),
        np.concatenate([each.offset for each in parts]),
        np.concatenate([each.recorded for each in parts]),
    )


def by_time(parts: Sequence[Records]) -> Records:
    """Lay records out by record time; `parts` are of one partition each, at least one, and keep their order.

    A sender's clock may step back; the log's order must not: what counts is the largest record time so far.
    """
    every = join(parts)
    if len(parts) == 1 or len(every) < 2:
        return every
    steady = np.concatenate([np.maximum.accumulate(each.recorded) for each in parts])
    order = np.argsort(steady, kind="stable")
    pick = itemgetter(*order.tolist())
    return Records(
        list(pick(every.keys)),
        list(pick(every.values)),
        every.partition[order],
        every.offset[order],
        every.recorded[order],
    )
