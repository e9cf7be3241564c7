"""Where votes are cut for samples: at the first vote at or after the end of a step, whatever block it stands in.

The clock is the newest `tstamp` so far: it never runs back, it is the one on which alerts begin, and votes from the
future are refused, so nobody can push it more than five minutes ahead of the broker. A sample is worth its price only

- *by day* when since the last one as many battles as there are models were fought, or half a day passed at the broker:
  a replay that spans a year in a minute has days, and a clock that jumps a day with every vote makes no work;
- *by hour and by five minutes* when half a step passed at the broker: a replay has none of its own;
- *by hour and by five minutes* when the votes arrived within what the tier keeps, seen from `now`: catching up takes
  none that would have been dropped by its end. A refold of the whole ledger names an infinite `now`, and takes days.

Which fine samples there are may thus depend on when one folds; what a sample says never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.contracts.history import DAY, TIERS, Tier

LATEST = float(2**40)
"""Some 35,000 years on: intake lets no vote come from so far, and a step beyond would not fit where ends are kept."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A place before a row, and the tiers of which it ends a step, each with that end, epoch seconds.

    `wanted` are those of them for which a sample is due whatever the counts say.
    """

    row: int
    ends: Mapping[Tier, int]
    wanted: frozenset[Tier]


def half_step(tier: Tier) -> int:
    """Half a step, milliseconds."""
    return tier.seconds * 500


def find_cuts(
    tstamp: NDArray[np.float64],
    recorded: NDArray[np.int64],
    clock: float,
    newest: int,
    latest: Callable[[Tier], int],
    now: float,
) -> Iterator[Cut]:
    """Find the cuts of some rows, one after the other.

    Parameters
    ----------
    tstamp, recorded
        Of the rows, epoch seconds and milliseconds.
    clock, newest
        The largest of each before these rows.
    latest
        Record time of a tier's last sample, or of the first vote; asked anew for each cut.
    now
        Epoch seconds; infinite for days only.
    """

    def earliest(tier: Tier) -> float:
        """Record time from which on a sample of the tier is due."""
        kept = 0.0 if tier is DAY else (now - tier.keep * tier.seconds) * 1000
        return max(latest(tier) + half_step(tier), kept)

    clock = min(clock, LATEST)
    last, arrived = min(max(clock, float(tstamp.max())), LATEST), max(newest, int(recorded.max()))
    crossing = [tier for tier in TIERS if last // tier.seconds > clock // tier.seconds]
    if not any(tier is DAY or arrived >= earliest(tier) for tier in crossing):
        return
    clocks = np.maximum.accumulate(np.concatenate([[clock], np.minimum(tstamp, LATEST)]))
    before = np.maximum.accumulate(np.concatenate([[newest], recorded[:-1]]))
    steps = {tier: np.floor(clocks / tier.seconds).astype(np.int64) for tier in crossing}
    rows = {tier: np.flatnonzero(np.diff(step)) for tier, step in steps.items()}
    at = 0
    while True:
        places = []
        for tier in crossing:
            first = at if tier is DAY else max(at, int(np.searchsorted(before, earliest(tier))))
            place = int(np.searchsorted(rows[tier], first))
            if place < rows[tier].size:
                places.append(int(rows[tier][place]))
        if not places:
            return
        row = min(places)
        ends = {
            tier: (int(steps[tier][row]) + 1) * tier.seconds
            for tier in crossing
            if steps[tier][row + 1] > steps[tier][row]
        }
        yield Cut(row, ends, frozenset(tier for tier in ends if before[row] >= earliest(tier)))
        at = row + 1
