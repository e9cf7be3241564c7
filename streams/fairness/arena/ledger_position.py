"""Places in an arena's ledger, and the place since which each current finding holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec


class Moment(NamedTuple):
    """A place in an arena's ledger, and its time.

    `row` and `notice` count the battles and notices before it; together they identify the place however the ledger is
    cut into blocks. `time` is the newest `tstamp` of the battles so far, epoch seconds, so it never decreases; before
    the first battle it is the time of the last notice.
    """

    row: int
    notice: int
    time: float

    @property
    def onset(self) -> str:
        """The place as used in an alert's id."""
        return f"{self.row}.{self.notice}"


class Since(msgspec.Struct, frozen=True):
    """Where something began."""

    onset: str
    time: float


Standing = dict[str, Since]
"""Current findings by name, each with the place since which it holds: the state of detectors that check levels."""


def stand(standing: Standing, names: Iterable[str], now: Moment) -> None:
    """Make `standing` hold exactly `names`: new names start now, others are removed."""
    wanted = list(names)
    for name in set(standing) - set(wanted):
        del standing[name]
    for name in wanted:
        standing.setdefault(name, Since(now.onset, now.time))
