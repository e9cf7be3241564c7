"""Result break: a model wins more or less often than its rating and those of its opponents explain.

A result x is 1 for a win, ½ for a tie (as in the ratings) and 0 for a loss. The ratings of the last look, and the
votes since, expect m = σ(θ_X + s_X − θ_j). For λ > 0 the e-value 1 + λ(x − m⁺) bets that X wins more, and
1 − λ(x − m⁻) that it wins less; each has expectation at most 1 for every law of x whose mean is at most m⁺, or at least
m⁻ [1]_, so nothing is assumed about ties. The band between m⁻ and m⁺ is `TOLERANCE` logits for what a rating model
cannot be right about.

The error of X's rating needs no band: each vote is learned from after it was bet on,

    I ← I + m(1 − m),   s ← s + (x − m)/I,

I the information of X's rating, φ/se² at the look. So m is the mean of x given all votes before it, and the bet is fair
on average over the errors that a rating with this standard error has, however few votes it had at the look and however
many came since. From a break, learning takes away what the comparison of two samples of these sizes must. The errors
of single opponents need nothing: the opponent is drawn, so an e-value's expectation averages over them, and they are
in X's distance from their mean.

A change behind the name of a model, votes that were deleted, and votes that were counted twice all break the results.
Ratings take a break in slowly, at each look; the alert comes long before.

References
----------
.. [1] I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", J. Royal Statistical
   Society B 86 (2024), arXiv 2010.09686.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit

from streams.contracts.alert import Evidence, Kind
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, percent
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ratings import Ratings
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.detectors.base import ReviewDetector, Verdict
from streams.fairness.detectors.row_detector import RowDetector, RowEvidence
from streams.fairness.detectors.share_alarm import rounded
from streams.fairness.statistics.cell_evidence import Cells, close_tick
from streams.fairness.statistics.expected_share import Vector
from streams.ratings.pairs import POINTS_PER_LOGIT

BETS = np.array([0.08, 0.16, 0.32, 0.64])
"""λ, of each direction."""
MILD = 0.2
"""λ of the onset and the recovery."""
TOLERANCE = 0.03
"""Half-width of the band in logits (5 points)."""
BACK = 0.1
"""Logits beyond the band within which results count as back."""


@dataclass(slots=True)
class Results(RowEvidence):
    """State; cells are the subjects.

    `theta` is float64[S], logits of the last look; `rated` is bool[S]. `shift` is float64[S], logits by which the votes
    since the look moved a model, and `sure` its information Σ p(1 − p), that of the look included.
    """

    cells: Cells = field(default_factory=lambda: Cells.start((0,) * BETS.size + (1,) * BETS.size))
    theta: Vector = field(default_factory=lambda: np.zeros(0))
    shift: Vector = field(default_factory=lambda: np.zeros(0))
    sure: Vector = field(default_factory=lambda: np.zeros(0))
    rated: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))


class ResultBreak(RowDetector[Results], ReviewDetector[Results]):
    """Checks every ranked model in play. Resolves on evidence that results follow the ratings again."""

    kind = Kind.RESULT_BREAK
    state = Results

    def resize(self, state: Results, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        state.cells.resize(subjects)
        grow(state, subjects, "theta", "shift", "sure", "rated")

    def review(self, state: Results, scene: Scene, ratings: Ratings | None) -> None:
        """Take in new ratings; models that are ranked for the first time, or no more, start anew.

        Those of a stalled feed are left to the next look: they have its votes, and the models that it lost have none.
        """
        if ratings is None or scene.facts.outage:
            return
        before = self.watched(state, scene.play)
        error = ratings.error / POINTS_PER_LOGIT
        state.theta = scene.facts.theta.copy()
        state.shift, state.sure = np.zeros(state.theta.size), np.zeros(state.theta.size)
        state.rated = np.zeros(state.theta.size, np.bool_)
        several = max(int(np.count_nonzero(ratings.ranked)), 2)
        ranked = ratings.ranked & np.isfinite(error) & (error > 0)
        # Ratings and their errors refer to the mean of all ranked models; the others' mean is farther by M/(M − 1).
        error *= several / (several - 1)
        state.sure[ratings.number[ranked]] = ratings.dispersion / error[ranked] ** 2
        state.rated[ratings.number] = ranked
        changed = before != self.watched(state, scene.play)
        if changed.any():
            self.reset(state, scene, changed)

    def watched(self, state: Results, play: Play) -> Mask:
        """bool[S], ranked models in play."""
        inside = play.in_play[:-1]
        return np.asarray(inside & state.rated[: inside.size])

    def rows(self, state: Results, scene: Scene, battles: RowBattles, prepared: Any, start: int) -> None:
        """Bet on the result of both models of each vote."""
        cells = state.cells
        _bet(
            battles.a, battles.b, battles.winner, battles.exposure, scene.play.in_play,
            state.rated, state.theta, state.shift, state.sure, not scene.facts.outage, BETS, MILD, TOLERANCE, BACK,
            cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip

    def run(self, state: Results, scene: Scene, ticks: Ticks) -> bool:
        """Bet on the results of ticks."""
        battles, cells = ticks.battles, state.cells
        cells.highest, near = _run(
            battles.a, battles.b, battles.winner, battles.exposure, scene.play.in_play,
            state.rated, state.theta, state.shift, state.sure, BETS, MILD, TOLERANCE, BACK,
            cells.arrays, ticks.ends, ticks.levels,
        )  # fmt: skip
        return not near

    def evidence(self, state: Results, scene: Scene, cell: int) -> Evidence:
        """Observed and expected score, a tie counting half."""
        trials, seen, due = state.cells.counted(cell)
        return {
            "model_votes": int(trials),
            "observed_win_rate": rounded(seen / trials if trials else 0.0),
            "expected_win_rate": rounded(due / trials if trials else 0.0),
            "direction": "rise" if state.cells.way[cell] else "drop",
        }

    def judged(self, state: Results, scene: Scene) -> Judged:
        """Ranked models in play, from the first ratings on."""
        if scene.declares and not state.rated.any():
            return Judged.not_yet(self.kind, Unjudged.FIRST_RATINGS)
        return super().judged(state, scene)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"{verdict.subject.name} wins {'more' if e['direction'] == 'rise' else 'less'} often in arena {arena} than "
            f"the ratings explain since about {day(verdict.starts_at)}: {percent(e['observed_win_rate'])} of "
            f"{e['model_votes']:,} votes where {percent(e['expected_win_rate'])} were to be expected, evidence of "
            f"10^{e['log10_e']:.1f} to 1."
        )


@njit(cache=True)
def _chance(logits):  # type: ignore[no-untyped-def]
    return 1.0 / (1.0 + np.exp(-logits))


@njit(cache=True)
def _bet(  # type: ignore[no-untyped-def]
    a, b, winner, exposure, in_play, rated, theta, shift, sure, learns, stakes, mild, band, back,
    held, gain, waiting, trials, seen, due,
):  # fmt: skip
    bets = len(stakes)
    for row in range(len(a)):
        if winner[row] > 3 or not exposure[row]:
            continue
        if not (in_play[a[row]] and in_play[b[row]] and rated[a[row]] and rated[b[row]]):
            continue
        gap = theta[a[row]] - theta[b[row]]
        result = 1.0 if winner[row] == 0 else 0.0 if winner[row] == 1 else 0.5
        for side in range(2):
            x, other = (a[row], b[row]) if side == 0 else (b[row], a[row])
            if held[other]:
                continue
            mine, lead = (result, gap) if side == 0 else (1.0 - result, -gap)
            lead += shift[x]
            under, over = mine - _chance(lead - band), mine - _chance(lead + band)
            for bet in range(bets):
                gain[x, bet] += np.log1p(-stakes[bet] * under)
                gain[x, bets + bet] += np.log1p(stakes[bet] * over)
            gain[x, 2 * bets] += np.log1p(-mild * under)
            gain[x, 2 * bets + 1] += np.log1p(mild * over)
            # Over: bets that the mean is above the low end of what counts as a drop, and below that of a rise.
            gain[x, 2 * bets + 2] += np.log1p(mild * (mine - _chance(lead - band - back)))
            gain[x, 2 * bets + 3] += np.log1p(-mild * (mine - _chance(lead + band + back)))
            waiting[x] += 1
            trials[x] += 1.0
            seen[x, 0] += mine
            expected = _chance(lead)
            due[x, 0] += expected
            if learns and not held[x]:
                sure[x] += expected * (1.0 - expected)
                shift[x] += (mine - expected) / sure[x]


@njit(cache=True)
def _run(  # type: ignore[no-untyped-def]
    a, b, winner, exposure, in_play, rated, theta, shift, sure, stakes, mild, band, back, cells, ends, levels,
):  # fmt: skip
    """Bet on the votes of ticks, and close each; returns as `close_tick`, `near` of any."""
    start, highest, near = 0, 0.0, False
    for tick in range(len(ends.place)):
        part = slice(start, ends.place[tick])
        _bet(
            a[part], b[part], winner[part], exposure[part], in_play, rated, theta, shift, sure, True,
            stakes, mild, band, back,
            cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip
        highest, reached = close_tick(cells, ends.row[tick], ends.time[tick], ends.size, levels)
        near, start = near or reached, ends.place[tick]
    return highest, near
