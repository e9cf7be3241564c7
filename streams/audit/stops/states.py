"""The state of each model at the end: active, inactive or gone, and how far that hangs on the cut-off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.absences import Absence, Absences
from streams.audit.board.dates import DAY, days
from streams.audit.board.gains import Gains
from streams.audit.board.history import Mask, Matrix
from streams.audit.board.models import Models
from streams.audit.options import Options
from streams.audit.stops.pauses import Pause, Watched

CUTOFF = 10.0
"""Votes a day, unless the arena is small."""

SMALL_ARENA = 0.1
"""Of what the running models gain in the middle: the cut-off of a small arena."""

SWEEP = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Cut-offs for which the number of inactive models is told."""

PASSING = 3
"""Snapshots for which most models may stand still together before it counts as their state."""

ACTIVE, INACTIVE, GONE, RENAMED = "active", "inactive", "gone", "renamed"
BEYOND = "beyond"
"""Not shown at the end, and perhaps only below the deepest row."""
LISTED = "listed"
"""On the board at the end, where the file says nothing about votes, or says it too coarsely."""


@dataclass(frozen=True, slots=True)
class States:
    """How the models stand at the end of the file.

    Attributes
    ----------
    live
        Last snapshot up to which the feed was alive: what comes after says nothing about models.
    start
        Snapshot at which the last period begins.
    rate
        float64[M]: votes a day in the last period, or since the model's first row in it; NaN for a model that has no
        span in it.
    cutoff
        Votes a day up to which a model is inactive.
    state
        `active`, `inactive`, `gone` or `beyond`, of each model; `listed` in place of the first two where it is unknown.
    since
        int64[M]: last snapshot up to which it gained more than the cut-off; -1 when that was before the file, or never.
    stop
        The open stop of each model, None without one.
    departure
        The absence by which each model left the board, None without one. One that was put on a list of the past later
        has left all the same.
    """

    live: int
    start: int
    rate: Matrix
    cutoff: float
    state: list[str]
    since: NDArray[np.int64]
    stop: list[Pause | None]
    departure: list[Absence | None]

    def inactive_at(self, cutoff: float) -> int:
        """Models on the board that stopped, or gain up to `cutoff` votes a day."""
        return sum(
            state in (ACTIVE, INACTIVE) and (stop is not None or bool(rate <= cutoff))
            for state, stop, rate in zip(self.state, self.stop, self.rate, strict=True)
        )


def states_of(models: Models, gains: Gains, watched: Watched, absences: Absences, options: Options) -> States:
    """Judge every model."""
    live = _live(gains, watched)
    start = int(np.searchsorted(models.dates, models.dates[live] - options.window_days * DAY, side="right")) - 1
    start = max(start, 0)
    rate = _rates(models, gains, start, live)
    cutoff = options.cutoff if options.cutoff is not None else _cutoff(rate, watched.running[:, live])
    stop: list[Pause | None] = [None] * len(models.names)
    for pause in watched.pauses:
        if pause.end is None:
            stop[pause.model] = pause
    # What rounding may hide of the votes a day.
    hidden = options.precision / max(days(models.dates[start], models.dates[live]), 1e-9) if options.precision else 0.0
    # A model without a total at both ends of any span of the period: what it gained is unknown.
    told: Mask = np.asarray((gains.begin[:, start + 1 : live + 1] >= 0).any(axis=1))
    state = []
    for model, left in enumerate(absences.departure):
        if left is not None:
            state.append(GONE)
            # Still because it had left: the departure is the finding, as it was before it was listed again.
            if stop[model] is not None and left.back is not None and left.ran_before:
                stop[model] = None
        elif not models.listed[model, -1]:
            state.append(BEYOND)
        elif not gains.known or not (told[model] or stop[model] is not None or live == start):
            state.append(LISTED)
        elif stop[model] is not None or rate[model] + hidden <= cutoff:
            state.append(INACTIVE)
        elif rate[model] <= cutoff:
            state.append(LISTED)
        else:
            state.append(ACTIVE)
    since = _since(models, gains, cutoff, live)
    return States(live, start, rate, cutoff, state, since, stop, absences.departure)


def _live(gains: Gains, watched: Watched) -> int:
    """The last snapshot that somebody's gain reached, and before an end of a few in which most stopped together."""
    last: int = gains.change.shape[1] - 1
    if not gains.known:
        return last
    while last > 0 and gains.all[last] <= 0:
        last -= 1
    before = last
    while before in watched.together:
        before -= 1
    # What lasts longer is no outage of the feed, whatever it is: these models do not get votes any more.
    return before if last - before <= PASSING else last


def _rates(models: Models, gains: Gains, start: int, live: int) -> Matrix:
    """Net votes a day over the spans that end in the period, of each the part that lies in it.

    A total that began again counts nothing.
    """
    ends = np.zeros(len(models.dates), dtype=bool)
    ends[start + 1 : live + 1] = True
    usable = ends[None, :] & (gains.begin >= 0) & ~gains.reset
    begins = models.dates[np.maximum(gains.begin, 0)]
    inside = models.dates[None, :] - np.maximum(begins, models.dates[start])
    part = np.where(usable, inside / np.maximum(models.dates[None, :] - begins, 1e-9), 0.0)
    net = (np.nan_to_num(gains.change) * part).sum(axis=1)
    length = np.where(usable, inside, 0.0).sum(axis=1) / DAY
    return np.where(length > 0, np.maximum(net, 0.0) / np.where(length > 0, length, 1.0), np.nan)


def _cutoff(rate: Matrix, running: np.ndarray) -> float:
    rates = rate[running & ~np.isnan(rate)]
    return min(CUTOFF, SMALL_ARENA * float(np.median(rates))) if rates.size else CUTOFF


def _since(models: Models, gains: Gains, cutoff: float, live: int) -> NDArray[np.int64]:
    lengths = (models.dates[None, :] - models.dates[np.maximum(gains.begin, 0)]) / DAY
    gaining = (gains.begin >= 0) & (np.nan_to_num(gains.gained) > cutoff * np.maximum(lengths, 0.0))
    gaining[:, live + 1 :] = False
    last = gaining.shape[1] - 1 - np.argmax(gaining[:, ::-1], axis=1)
    return np.asarray(np.where(gaining.any(axis=1), last, -1))
