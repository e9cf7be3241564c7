"""Results of the search for stops: stops and pauses of single models, and intervals that concern the whole board."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.history import Mask, Matrix


@dataclass
class Pause:
    """A stop of one model, open while `end` is None. Snapshots are given by number.

    Attributes
    ----------
    model
        Number of the model.
    begin, found, end
        Last snapshot up to which the model gained; first at which the evidence sufficed; last before it gained again.
    shown_expected, shown_observed, shown_evidence
        Votes expected and observed from `begin` to `found`, and the natural log of the e-value.
    expected, observed, evidence
        The same up to `until`, the last snapshot at which the model stood still.
    spans
        Spans from `begin` to `until`.
    fell
        Whether the total fell in every one of these spans.
    caught_up
        Whether the model gained most of the missing votes when it returned: they were counted late.
    """

    model: int
    begin: int
    found: int
    shown_expected: float
    shown_observed: float
    shown_evidence: float
    expected: float
    observed: float
    evidence: float
    until: int
    spans: int
    fell: bool
    end: int | None = None
    caught_up: bool = False


@dataclass
class StopResults:
    """Results of `watch`.

    Attributes
    ----------
    pauses
        Every stop, in the order found.
    running, stopped
        bool[M, T]: state at each snapshot, from earlier data only.
    together, anew
        Snapshots at which most running models stopped at once, or most stopped models gained at once; not used as
        evidence about single models.
    baseline
        float64[M]: the last baseline, votes per unit of the clock; 0 without one.
    units
        float64[M, T]: the clock of each model at each snapshot.
    looks
        Number of tested spans of running models with a baseline.
    spread
        φ at the end.
    silent_since
        int64[M]: snapshot at which a silence that is not yet a stop began, -1 where there is none.
    """

    pauses: list[Pause]
    running: Mask
    stopped: Mask
    together: list[int]
    anew: list[int]
    baseline: Matrix
    units: Matrix
    looks: int
    spread: float
    silent_since: NDArray[np.int64]


def nothing_seen(count: int, snapshots: int) -> StopResults:
    """Return the initial results."""
    masks = np.zeros((2, count, snapshots), dtype=bool)
    return StopResults(
        [],
        masks[0],
        masks[1],
        [],
        [],
        np.zeros(count),
        np.zeros((count, snapshots)),
        0,
        0.0,
        np.full(count, -1, dtype=np.int64),
    )
