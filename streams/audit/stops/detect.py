"""Find in one pass over the snapshots when the votes of each model stopped, and when they came back.

Each model is *new* until it has a baseline, then *running*, and *stopped* when the evidence suffices. The pass uses
earlier snapshots only, so its result for a date does not change when later snapshots are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from streams.audit.board.gains import Gains
from streams.audit.board.history import Mask, Matrix
from streams.audit.stops.baselines import Tally
from streams.audit.stops.clock import Clock
from streams.audit.stops.evidence import ALARM, AWAY, BACK, RETURN, RETURN_PART, STILL, STOPPED, Spread, bet, mean_of
from streams.audit.stops.noise import FALL, Noise
from streams.audit.stops.pauses import Pause, Watched, nothing_seen

LEAST_SHARE = 0.02
"""A baseline starts at this part of the gain of the model that the median vote goes to, ..."""

LEAST_VOTES = 5.0
"""... and at least at this many votes."""

CLEAR = 5.0
"""Fewest expected votes of a span for the model to count in the check of the whole board."""

CAUGHT_UP = 0.6
"""A model that returns with at least this part of all expected votes, silence included, was only counted late."""


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


def watch(gains: Gains, precision: float = 0.0) -> Watched:
    """Run over all snapshots; votes that rounding of the totals to `precision` may hide count as gained."""
    count, snapshots = gains.change.shape
    tally, spread, noise, seen = Tally(count), Spread(), Noise(count), nothing_seen(count, snapshots)
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
    seen: Watched, at: int, won: Matrix, expected: Matrix, judged: Mask, stopped: Mask, precision: float
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
    seen: Watched,
    gains: Gains,
    span: Span,
    models: np.ndarray,
    spread: Spread,
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
