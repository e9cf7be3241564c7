"""Places in an arena's ledger, and what stands since which place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec


class Moment(NamedTuple):
    """A place in an arena's ledger, and its time.

    `row` counts battles and `notice` counts notices before it: together they name the place whatever the blocks were.
    `time` is the newest `tstamp` of the battles so far, epoch seconds: a clock that never runs back.
    """

    row: int
    notice: int
    time: float

    @property
    def onset(self) -> str:
        """The place as it enters an alert's id."""
        return f"{self.row}.{self.notice}"


class Since(msgspec.Struct, frozen=True):
    """Where something began."""

    onset: str
    time: float


Standing = dict[str, Since]
"""What stands now, by name, and since when: the state of detectors that look at levels."""


def stand(standing: Standing, names: Iterable[str], now: Moment) -> None:
    """Let exactly these names stand: who is new begins now, who is missing is dropped."""
    wanted = list(names)
    for name in set(standing) - set(wanted):
        del standing[name]
    for name in wanted:
        standing.setdefault(name, Since(now.onset, now.time))
