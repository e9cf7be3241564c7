"""Find in one pass over the snapshots when the votes of each model stopped, and when they came back.

Each model is *new* until it has a baseline, then *running*, and *stopped* when the evidence suffices. The pass uses
earlier snapshots only, so its result for a date does not change when later snapshots are added.

Time is measured by a clock of votes. Votes come in waves, snapshots at irregular times, and new models take slots from
all others. So neither days nor the share of all votes measures a model; the gains of the other running models do. One
unit passes in an interval in which they gain what their baselines say, two units in one with twice that, none in one
without votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from streams.audit.board.gains import Gains
from streams.audit.board.history import Mask, Matrix
from streams.audit.stops.evidence import (
    ALARM,
    AWAY,
    BACK,
    FALL,
    RETURN,
    RETURN_PART,
    STILL,
    STOPPED,
    Noise,
    Overdispersion,
    bet,
    feigned,
    mean_of,
)
from streams.audit.stops.pauses import Pause, StopResults, nothing_seen

LEAST_SHARE = 0.02
"""A baseline starts at this part of the gain of the model that the median vote goes to, ..."""

LEAST_VOTES = 5.0
"""... and at least at this many votes."""

CLEAR = 5.0
"""Fewest expected votes of a span for the model to count in the check of the whole board."""

CAUGHT_UP = 0.6
"""A model that returns with at least this part of all expected votes, silence included, was only counted late."""


OUT = 0.1
"""Models that gained at most this part of their due do not drive the clock: they may have just stopped."""


class Clock:
    """Units passed for each model since the first snapshot, measured on the other models: float64[M].

    >>> clock = Clock(2)
    >>> clock.units
    array([0., 0.])
    """

    def __init__(self, count: int) -> None:
        self.units = np.zeros(count)
        self._at_last_row = np.zeros(count)

    def advance(self, gains: Gains, at: int, baseline: Matrix, running: Mask) -> None:
        """Advance by the interval that ends at a snapshot.

        Parameters
        ----------
        gains, at
            Gains, and the number of the snapshot.
        baseline
            float64[M], votes per unit, 0 without a baseline.
        running
            bool[M], models whose votes have not stopped.
        """
        if gains.all[at] <= 0:
            return
        tells = running & (baseline > 0) & (gains.begin[:, at] == at - 1) & ~np.isnan(gains.gained[:, at])
        won = np.where(tells, np.nan_to_num(gains.gained[:, at]), 0.0)
        due = np.where(tells, baseline, 0.0)
        if not due.any():
            self.units += 1.0  # no model that counts has a baseline yet: this interval is one unit
            return
        fair = tells & (won > OUT * due * won.sum() / due.sum())
        if fair.any():
            won, due = np.where(fair, won, 0.0), np.where(fair, due, 0.0)
        rest = due.sum() - due
        alone = rest <= 1e-12 * due.sum()
        self.units += np.where(alone, 0.0, (won.sum() - won) / np.where(alone, 1.0, rest))

    def passed(self, counted: Mask) -> Matrix:
        """Return the units since each model's last counted row; restart the count of models counted now."""
        passed = self.units - self._at_last_row
        self._at_last_row = np.where(counted, self.units, self._at_last_row)
        return np.asarray(passed)


MEMORY = 0.8
"""Weight of the older baseline after a full span: the last five spans count most."""

FULL_SPAN = 30.0
"""Expected votes of a full span; a smaller span moves the baseline by less."""


class Tally:
    """Arrays over `count` models.

    `won / passed` is the baseline, votes per unit of the clock. `silent_*` are sums since the first span that is
    evidence for a stop, and `log` is the evidence of each bet on it; `back_*` and `back` are the same for a return.
    `first_*` sum consecutive spans in which a model without a baseline grew; `grown` and `spans` sum all spans since
    the baseline began.
    """

    def __init__(self, count: int) -> None:
        self.won, self.passed = np.zeros(count), np.zeros(count)
        self.seen = np.zeros(count, dtype=np.int64)
        self.first_won, self.first_passed = np.zeros(count), np.zeros(count)
        self.first_spans = np.zeros(count, dtype=np.int64)
        self.grown, self.spans = np.zeros(count), np.zeros(count, dtype=np.int64)
        self.log = np.zeros((count, len(STOPPED)))
        self.silent_won, self.silent_passed, self.silent_expected = np.zeros(count), np.zeros(count), np.zeros(count)
        self.silent_since = np.full(count, -1, dtype=np.int64)
        self.silent_spans = np.zeros(count, dtype=np.int64)
        self.fell = np.ones(count, dtype=bool)
        self.back = np.zeros((count, len(BACK)))
        self.back_won, self.back_passed, self.back_expected = np.zeros(count), np.zeros(count), np.zeros(count)
        self.back_since = np.full(count, -1, dtype=np.int64)
        self.open: dict[int, Pause] = {}

    @property
    def baseline(self) -> Matrix:
        """Votes per unit of the clock: float64[M], 0 without a baseline."""
        based = self.passed > 0
        return np.asarray(np.where(based, np.maximum(self.won, 0.0) / np.where(based, self.passed, 1.0), 0.0))

    def begin(self, model: int, net: float, passed: float, floor: float, scale: float) -> None:
        """Start a baseline: a new model needs one span above `floor`, a model that stood still two in a row.

        Growth that corrections of this scale could feign gives no baseline: a model that never ran cannot stop.
        """
        new = self.seen[model] == 0
        self.seen[model] += 1
        if net < floor:
            self.first_won[model] = self.first_passed[model] = self.first_spans[model] = 0
            return
        self.first_won[model] += net
        self.first_passed[model] += passed
        self.first_spans[model] += 1
        spans = self.first_spans[model]
        if (new or spans > 1) and self.first_won[model] >= feigned(spans, scale):
            self.won[model], self.passed[model] = self.first_won[model], self.first_passed[model]
            self.grown[model], self.spans[model] = self.first_won[model], spans

    def ran(self, scale: Matrix) -> Mask:
        """bool[M]: models that grew by more than corrections of the current `scale` could feign."""
        return np.asarray((self.passed > 0) & (self.grown >= feigned(self.spans, scale)))

    def forget(self, model: int) -> None:
        """Remove the baseline of a model, because corrections explain its growth."""
        self.won[model] = self.passed[model] = self.grown[model] = self.first_won[model] = 0.0
        self.first_passed[model] = self.first_spans[model] = self.spans[model] = 0
        self.forget_silence(model)

    def learn(self, model: int, won: float, passed: float, expected: float) -> None:
        """Update the baseline with a span of a running model, and with the silence before it, which was not a stop."""
        weight = min(1.0, (expected + self.silent_expected[model]) / FULL_SPAN)
        kept = 1.0 - (1.0 - MEMORY) * weight
        self.won[model] = kept * self.won[model] + won + self.silent_won[model]
        self.passed[model] = kept * self.passed[model] + passed + self.silent_passed[model]
        self.grown[model] += won + self.silent_won[model]
        self.spans[model] += 1 + self.silent_spans[model]
        self.forget_silence(model)

    def hush(self, model: int, begin: int, won: float, passed: float, expected: float, fell: bool) -> None:
        """Add a span that is evidence for a stop."""
        if self.silent_since[model] < 0:
            self.silent_since[model] = begin
        self.silent_won[model] += won
        self.silent_passed[model] += passed
        self.silent_expected[model] += expected
        self.silent_spans[model] += 1
        self.fell[model] &= fell

    def stir(self, model: int, begin: int, won: float, passed: float, expected: float) -> None:
        """Add a span that is evidence for a return."""
        if self.back_since[model] < 0:
            self.back_since[model] = begin
        self.back_won[model] += won
        self.back_passed[model] += passed
        self.back_expected[model] += expected

    def resume(self, model: int) -> None:
        """Mark a stopped model as running again; its baseline is mostly what it gains now."""
        old = 1.0 - MEMORY
        self.won[model] = old * self.won[model] + self.back_won[model]
        self.passed[model] = old * self.passed[model] + self.back_passed[model]
        del self.open[model]
        self.forget_back(model)
        self.forget_silence(model)

    def forget_silence(self, model: int) -> None:
        """Reset the silence of a model, because it gained."""
        for each in (self.silent_won, self.silent_passed, self.silent_expected):
            each[model] = 0.0
        self.silent_since[model] = -1
        self.silent_spans[model] = 0
        self.fell[model] = True
        self.log[model] = 0.0

    def forget_back(self, model: int) -> None:
        """Reset the return of a model, because it did not gain or has returned."""
        self.back_won[model] = self.back_passed[model] = self.back_expected[model] = 0.0
        self.back_since[model] = -1
        self.back[model] = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """The spans that end at one snapshot: float64[M] each.

    Attributes
    ----------
    at
        Number of the snapshot.
    change
        Changes of the totals, 0 where unknown.
    passed, expected
        Units of the clock, and the votes that the baseline expects in them.
    scale
        Laplace scales of corrections.
    present
        bool[M]: the span is known and does not cross a long absence.
    """

    at: int
    change: Matrix
    passed: Matrix
    expected: Matrix
    scale: Matrix
    present: Mask

    @property
    def net(self) -> Matrix:
        """Net votes gained; a fall counts as at most `FALL` scales of corrections."""
        return np.maximum(self.change, -FALL * self.scale)


def watch(gains: Gains, precision: float = 0.0) -> StopResults:
    """Run over all snapshots; votes that rounding of the totals to `precision` may hide count as gained."""
    count, snapshots = gains.change.shape
    tally, spread, noise, seen = Tally(count), Overdispersion(), Noise(count), nothing_seen(count, snapshots)
    gained = gains.gained
    change = np.where(gains.reset, np.nan, gains.change)
    clock = Clock(count)
    clock.passed(gains.counted[:, 0])
    for at in range(1, snapshots):
        based, stopped = tally.passed > 0, np.zeros(count, dtype=bool)
        stopped[list(tally.open)] = True
        clock.advance(gains, at, tally.baseline, ~stopped)
        seen.units[:, at] = clock.units
        units = clock.passed(gains.counted[:, at])
        has = ~np.isnan(gained[:, at]) & (units > 0)
        won, passed = np.where(has, gained[:, at], 0.0), np.where(has, units, 0.0)
        expected = passed * tally.baseline
        # Test a fall against earlier corrections only; a baseline must also exceed the corrections of this interval.
        scale = noise.scale.copy()
        noise.learn(change[:, at])
        # A gain over a long absence is tested, but it is not evidence about this interval.
        present = has & ~gains.after_absence(at)
        if not _about_everybody(seen, at, won, expected, present & based, stopped, precision):
            floor = _floor(gained[:, at])
            span = Span(at, np.nan_to_num(change[:, at]), passed, expected, scale, present)
            for model in map(int, np.flatnonzero(present & ~based)):
                tally.begin(model, float(span.change[model]), passed[model], floor, float(noise.most[model]))
            _run(tally, seen, gains, span, np.flatnonzero(has & based & ~stopped), spread, noise, precision)
            _return(tally, gains, span, np.flatnonzero(has & stopped), spread.value)
        seen.stopped[list(tally.open), at] = True
        seen.running[:, at] = tally.ran(noise.most) & ~seen.stopped[:, at]
    seen.baseline, seen.spread, seen.silent_since = tally.baseline, spread.value, tally.silent_since
    return seen


def _about_everybody(
    seen: StopResults, at: int, won: Matrix, expected: Matrix, judged: Mask, stopped: Mask, precision: float
) -> bool:
    """Return whether the interval concerns the whole feed, so that it is not evidence about single models."""
    clear = judged & (expected >= max(CLEAR, precision / AWAY))
    running, away = clear & ~stopped, clear & stopped
    if running.sum() >= 3 and 2 * (running & (won <= AWAY * expected)).sum() >= running.sum():
        seen.together.append(at)
        return True
    # If most gain in two intervals in a row, they are really back.
    if at - 1 not in seen.anew and away.sum() >= 5 and 2 * (away & (won > BACK[0] * expected)).sum() > away.sum():
        seen.anew.append(at)
        return True
    return False


def _floor(gained: Matrix) -> float:
    """Least gain for a baseline to start: a small part of the gain of the model that the median vote goes to."""
    known = np.sort(gained[~np.isnan(gained) & (gained > 0)])[::-1]
    if not known.size:
        return float("inf")
    typical = known[int(np.searchsorted(np.cumsum(known), known.sum() / 2))]
    return float(max(LEAST_VOTES, LEAST_SHARE * typical))


def _run(
    tally: Tally,
    seen: StopResults,
    gains: Gains,
    span: Span,
    models: np.ndarray,
    spread: Overdispersion,
    noise: Noise,
    precision: float,
) -> None:
    """Update the evidence of running models; open a stop where it suffices."""
    passed, expected = span.passed, span.expected
    won = span.net
    seen.looks += len(models)
    bets = bet(span.change[models] + precision, expected[models], spread.value, span.scale[models], STOPPED, STILL)
    tally.log[models] = np.maximum(tally.log[models], 0.0) + bets
    ran = models[tally.log[models].max(axis=1, initial=-np.inf) <= 0.0]
    for model in ran:
        if span.present[model]:
            tally.learn(int(model), won[model], passed[model], expected[model])
        else:
            tally.forget_silence(int(model))
    told = ran[span.present[ran]]
    spread.learn(np.maximum(span.change[told], 0.0), expected[told], span.scale[told])
    for model in map(int, np.setdiff1d(models, ran)):
        fell = bool(span.change[model] < 0)
        tally.hush(model, int(gains.begin[model, span.at]), won[model], passed[model], expected[model], fell)
        evidence = float(mean_of(np.maximum(tally.log[model], 0.0)))
        kept, due = max(0.0, float(tally.silent_won[model])), float(tally.silent_expected[model])
        spans, scale = int(tally.silent_spans[model]), float(noise.scale[model])
        # 2·scale·√(2·spans) is two standard deviations of the sum of corrections during the silence.
        if evidence < log(ALARM) or kept + precision > AWAY * due + 2 * scale * sqrt(2 * spans):
            continue
        if not tally.ran(noise.most)[model]:
            tally.forget(model)
            continue
        pause = Pause(
            model=model,
            begin=int(tally.silent_since[model]),
            found=span.at,
            shown_expected=due,
            shown_observed=kept,
            shown_evidence=evidence,
            expected=due,
            observed=kept,
            evidence=evidence,
            until=span.at,
            spans=spans,
            fell=bool(tally.fell[model]),
        )
        seen.pauses.append(pause)
        tally.open[model] = pause


def _return(tally: Tally, gains: Gains, span: Span, models: np.ndarray, spread: float) -> None:
    """Update the evidence of stopped models; end the stops of those that are back."""
    at, passed, expected = span.at, span.passed, span.expected
    won = np.maximum(span.change, 0.0)
    back = bet(span.change[models], expected[models], spread, span.scale[models], BACK, AWAY)
    still = bet(span.change[models], expected[models], spread, span.scale[models], STOPPED, STILL)
    for place, model in enumerate(map(int, models)):
        pause = tally.open[model]
        tally.back[model] = np.maximum(tally.back[model], 0.0) + back[place]
        if tally.back[model].max() <= 0.0:
            tally.forget_back(model)
            tally.log[model] += still[place]
            pause.expected += float(expected[model])
            pause.observed += float(won[model])
            pause.evidence = float(mean_of(np.maximum(tally.log[model], 0.0)))
            pause.until = at
            pause.spans += 1
            pause.fell = pause.fell and bool(span.change[model] < 0)
            continue
        tally.stir(model, int(gains.begin[model, at]), won[model], passed[model], expected[model])
        before = gains.total[model, tally.back_since[model]]
        net = gains.total[model, at] - before
        if net >= RETURN_PART * before and mean_of(np.maximum(tally.back[model], 0.0)) >= log(RETURN):
            pause.end = int(tally.back_since[model])
            due = pause.expected + tally.back_expected[model]
            pause.caught_up = bool(pause.observed + tally.back_won[model] >= CAUGHT_UP * due)
            tally.resume(model)
