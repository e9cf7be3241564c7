"""Cuts of the votes for samples: at the first vote at or after the end of a step, in whichever block it is.

The clock is the newest `tstamp` so far: it never runs backwards, alerts use the same clock, and votes from the future
are refused, so no sender can push it more than five minutes ahead of the broker. A sample is taken only

- *by day* when at least as many battles as there are models took place since the last sample, or half a day passed at
  the broker: a replay of a year in a minute gets days, and a clock that jumps a day with every vote costs nothing;
- *by hour and by five minutes* when half a step passed at the broker: a replay gets no such samples of its own;
- *by hour and by five minutes* when the votes arrived within the time that the tier keeps, counted back from `now`:
  catching up skips samples that would be dropped by its end. A refold of the whole ledger passes an infinite `now` and
  takes samples by day only.

So the time of folding may decide which fine samples exist, but never the content of a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.contracts.history import DAY, TIERS, Tier

LATEST = float(2**40)
"""About 35,000 years ahead: intake accepts no vote from then, and later step ends would not fit their integer type."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut before a row, and the tiers of which a step ends there, each with that end, epoch seconds.

    `wanted` are those tiers for which a sample is due regardless of the counts.
    """

    row: int
    ends: Mapping[Tier, int]
    wanted: frozenset[Tier]


def half_step(tier: Tier) -> int:
    """Return half a step in milliseconds."""
    return tier.seconds * 500


def find_cuts(
    tstamp: NDArray[np.float64],
    recorded: NDArray[np.int64],
    clock: float,
    newest: int,
    latest: Callable[[Tier], int],
    now: float,
) -> Iterator[Cut]:
    """Find the cuts of some rows, in order.

    Parameters
    ----------
    tstamp, recorded
        Vote and record times of the rows, epoch seconds and milliseconds.
    clock, newest
        The largest of each before these rows.
    latest
        Returns the record time of a tier's last sample, or of the first vote; called again for each cut.
    now
        Epoch seconds; infinite for days only.
    """

    def earliest(tier: Tier) -> float:
        """Return the record time from which a sample of the tier is due."""
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
