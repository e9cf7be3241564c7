"""The state of each model at the end: active, inactive or gone, and how the counts depend on the cut-off."""

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
from streams.audit.stops.pauses import Pause, StopResults

CUTOFF = 10.0
"""Default cut-off in votes a day, unless the arena is small."""

SMALL_ARENA = 0.1
"""Cut-off of a small arena, as a part of the median gain of the running models."""

SWEEP = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Cut-offs for which the number of inactive models is reported."""

PASSING = 3
"""Most snapshots at the end in which most models stand still together and that count as an outage of the feed."""

ACTIVE, INACTIVE, GONE, RENAMED = "active", "inactive", "gone", "renamed"
BEYOND = "beyond"
"""Not shown at the end, but perhaps only below the deepest row."""
LISTED = "listed"
"""On the board at the end, but the file has no votes, or rounds them too coarsely, to tell active from inactive."""


@dataclass(frozen=True, slots=True)
class ModelStates:
    """States of the models at the end of the file.

    Attributes
    ----------
    live
        Last snapshot up to which the feed was alive; later snapshots are not evidence about models.
    start
        Snapshot at which the last period begins.
    rate
        float64[M]: votes a day in the last period, or since the model's first row in it; NaN for a model without a
        span in it.
    cutoff
        Votes a day up to which a model is inactive.
    state
        `active`, `inactive`, `gone` or `beyond` for each model; `listed` where `active` or `inactive` is unknown.
    since
        int64[M]: last snapshot up to which the model gained more than the cut-off; -1 if that was before the file, or
        never.
    stop
        The open stop of each model, None without one.
    departure
        The absence with which each model left the board, None without one. A model that the source lists again later
        as a past model has still left.
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
        """Number of models on the board that stopped, or gain at most `cutoff` votes a day."""
        return sum(
            state in (ACTIVE, INACTIVE) and (stop is not None or bool(rate <= cutoff))
            for state, stop, rate in zip(self.state, self.stop, self.rate, strict=True)
        )


def states_of(models: Models, gains: Gains, watched: StopResults, absences: Absences, options: Options) -> ModelStates:
    """Determine the state of every model."""
    live = _live(gains, watched)
    start = int(np.searchsorted(models.dates, models.dates[live] - options.window_days * DAY, side="right")) - 1
    start = max(start, 0)
    rate = _rates(models, gains, start, live)
    cutoff = options.cutoff if options.cutoff is not None else _cutoff(rate, watched.running[:, live])
    stop: list[Pause | None] = [None] * len(models.names)
    for pause in watched.pauses:
        if pause.end is None:
            stop[pause.model] = pause
    # Votes a day that rounding may hide.
    hidden = options.precision / max(days(models.dates[start], models.dates[live]), 1e-9) if options.precision else 0.0
    # Models with a span that ends in the period; the gain of the others is unknown.
    told: Mask = np.asarray((gains.begin[:, start + 1 : live + 1] >= 0).any(axis=1))
    state = []
    for model, left in enumerate(absences.departure):
        if left is not None:
            state.append(GONE)
            # The model stood still because it had left: report the departure, not the stop after it was listed again.
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
    return ModelStates(live, start, rate, cutoff, state, since, stop, absences.departure)


def _live(gains: Gains, watched: StopResults) -> int:
    """Return the last snapshot in which any model gained, before a short end in which most models stopped together."""
    last: int = gains.change.shape[1] - 1
    if not gains.known:
        return last
    while last > 0 and gains.all[last] <= 0:
        last -= 1
    before = last
    while before in watched.together:
        before -= 1
    # A longer end is not an outage of the feed, whatever its cause: these models no longer get votes.
    return before if last - before <= PASSING else last


def _rates(models: Models, gains: Gains, start: int, live: int) -> Matrix:
    """Net votes a day over the spans that end in the period; a span counts by the part of it inside the period.

    Spans over which the total was reset are left out.
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
