"""The watch: one pass over the snapshots that says of each model when its votes stopped, and when they came back.

Each model is *new* until it has a baseline, then *running*, and *stopped* when the evidence suffices. The pass looks
only back: what it says of a date does not change when later snapshots are added.
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
"""A baseline begins with this part of what the typical vote's model gains, ..."""

LEAST_VOTES = 5.0
"""... and so many votes."""

CLEAR = 5.0
"""Expected votes of a span from which a model takes part in the view of the whole board."""

CAUGHT_UP = 0.6
"""A model that gains this part of all it was expected to, silence included, was only counted late."""


@dataclass(frozen=True, slots=True)
class Span:
    """The spans that end at one snapshot: float64[M] each.

    Attributes
    ----------
    at
        The snapshot.
    change
        What the totals moved by, 0 where unknown.
    passed, expected
        Units of the clock, and votes of the baseline for them.
    scale
        Laplace scales of corrections.
    present
        bool[M]: the span is known, and spans no long absence.
    """

    at: int
    change: Matrix
    passed: Matrix
    expected: Matrix
    scale: Matrix
    present: Mask

    @property
    def net(self) -> Matrix:
        """Votes gained net of corrections; of a larger fall only what corrections usually take."""
        return np.maximum(self.change, -FALL * self.scale)


def watch(gains: Gains, precision: float = 0.0) -> Watched:
    """Go through the snapshots; what totals that are rounded to `precision` may hide counts as gained."""
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
        # A fall is judged by the corrections before it, and a baseline must also outdo those of this very interval.
        scale = noise.scale.copy()
        noise.learn(change[:, at])
        # What was gained over a long absence is judged, but it says nothing about this interval.
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
    """Whether the interval is about the feed as a whole, so that no model can be judged by it."""
    clear = judged & (expected >= max(CLEAR, precision / AWAY))
    running, away = clear & ~stopped, clear & stopped
    if running.sum() >= 3 and 2 * (running & (won <= AWAY * expected)).sum() >= running.sum():
        seen.together.append(at)
        return True
    # Twice in a row they are really back.
    if at - 1 not in seen.anew and away.sum() >= 5 and 2 * (away & (won > BACK[0] * expected)).sum() > away.sum():
        seen.anew.append(at)
        return True
    return False


def _floor(gained: Matrix) -> float:
    """Votes with which a baseline may begin: a small part of what the model of the typical vote gains."""
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
    """Move the evidence of running models; those it suffices for are stopped."""
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
        # Two standard deviations of what the corrections of the silence add up to.
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
    """Look whether stopped models are back."""
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
