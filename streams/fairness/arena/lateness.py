"""Lateness: how long votes that do not say when they were drawn go on coming after a change of the declared shares.

A vote on a model that a notice took out of the policy was most likely drawn before that notice. So the votes on models
that left show how late votes are, and rows without `drawn_at` are not judged for twice that long after a change. Only
votes before the change decide, so which rows are skipped is still known before they come.

The lateness after one departure is the time by which all but `FEW` of its late votes had come: a single vote that comes
after hours is normal where others come after minutes, and moves no share. The largest of the last `DEPARTURES` counts.

An arena that goes on drawing a model after its retirement must not blind the detectors that way. Late votes become
fewer; draws do not. Where the later half of the time has more than `STEADY` times the votes of the earlier half,
nothing is learned from the departure. Such a model is `undeclared_model`.

**Memory.** 8 departures of 85 counts, and the numbers of the models that left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DAY = 86_400.0
DEPARTURES = 8
FEW = 10
STEADY = 0.6
BRIEF = 1.0
"""Seconds within which changes are one departure, as when many models are retired at once."""
DOUBLING = 8
"""Bins per doubling of the lateness."""
EDGES = 60.0 * 2.0 ** (np.arange(85) / DOUBLING)
"""Upper ends of the bins, seconds: a minute to a day."""
Vector = NDArray[np.float64]


@dataclass(slots=True)
class Departure:
    """Models that left the policy at one change: when, on the clock of the votes, and their later votes by lateness."""

    at: float
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(EDGES.size, np.int64))

    @property
    def lateness(self) -> float:
        """Seconds by which all but `FEW` of the late votes had come; 0 when nothing is learned."""
        used = np.flatnonzero(self.counts)
        if self.counts.sum() <= FEW:
            return 0.0
        later = self.counts[max(0, used[-1] + 1 - DOUBLING) :].sum()
        if later > STEADY * (self.counts.sum() - later) and used[-1] >= DOUBLING:
            return 0.0
        to_come = self.counts.sum() - np.cumsum(self.counts)
        return float(EDGES[np.flatnonzero(to_come <= FEW)[0]])


@dataclass(slots=True)
class Lateness:
    """State.

    Attributes
    ----------
    departures
        The last ones, oldest first.
    before
        Departures that are not kept any more.
    left
        Which departure each model that is still out left with, counted from the first of all.
    """

    departures: list[Departure] = field(default_factory=list)
    before: int = 0
    left: dict[int, int] = field(default_factory=dict)

    def change(self, old: Vector, new: Vector, at: float) -> None:
        """Note who left and who came back.

        Parameters
        ----------
        old, new
            float64[≤ S] and float64[S], declared weights.
        at
            When the change took effect, on the clock of the votes.
        """
        gone = np.flatnonzero((old > 0) & (new[: old.size] == 0)).tolist()
        if gone and not (self.departures and at - self.departures[-1].at < BRIEF):
            self.departures.append(Departure(at))
        if len(self.departures) > DEPARTURES:
            del self.departures[0]
            self.before += 1
        self.left = {number: which for number, which in self.left.items() if which >= self.before and new[number] == 0}
        self.left |= dict.fromkeys(gone, self.before + len(self.departures) - 1)

    def count(self, a: NDArray[np.int64], b: NDArray[np.int64], clock: Vector, drawn_at: Vector | None) -> None:
        """Count the exposures without `drawn_at` of models that left at most a day ago.

        Parameters
        ----------
        a, b
            int64[n], subject numbers of the two models, -1 for names that are not followed.
        clock, drawn_at
            float64[n], clock of the votes and time of the draw, NaN where absent or None.
        """
        if not self.left or not clock.size or clock[0] - self.departures[-1].at > DAY:
            return
        departed = np.full(max(int(a.max()), int(b.max()), *self.left) + 2, -1)  # the last is that of number -1
        departed[list(self.left)] = np.array(list(self.left.values())) - self.before
        which = np.maximum(departed[a], departed[b])  # of two models that left, the one that left last
        counted = which >= 0 if drawn_at is None else (which >= 0) & np.isnan(drawn_at)
        if not counted.any():
            return
        for index in np.unique(which[counted]).tolist():
            departure = self.departures[index]
            late = clock[counted & (which == index)] - departure.at
            late = late[(late > 0) & (late <= EDGES[-1])]
            departure.counts += np.bincount(np.searchsorted(EDGES, late), minlength=EDGES.size)

    def settling(self, least: float) -> float:
        """Seconds after a change for which rows without `drawn_at` are not judged, at least `least`."""
        return max(least, min(2.0 * max((each.lateness for each in self.departures), default=0.0), DAY))
