"""Rank churn: the first place changes hands more often than overlapping intervals explain.

At each look, the chance that another model leads at the next look is at most p = Σ_j Φ(−gap_j/√(σ₁² + σ_j²)). This
bound supposes that all votes so far are drawn again, although only the few new votes are. p is known before the next
look, so a change of the first place is a Bernoulli trial with a declared bound, and the e-CUSUM bets on a higher
probability. A leader that was not ranked at the last look is a newcomer, and does not count as churn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import as_number, day
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.statistics.cusum import Cusum, Mark, Odds
from streams.fairness.statistics.expected_share import Vector

BETS = np.array([2.0, 4.0, 8.0])
LEAST, MOST = 0.01, 0.45
"""Bounds of p: no model is certain to keep the first place, and with p ≥ 1/2 even the lowest bet, 2p, is infeasible."""


@dataclass(slots=True)
class Churn:
    """State: the first place and the ranked models at the last look, and the evidence so far.

    Attributes
    ----------
    top
        Subject number, -1 before the first look.
    ranked
        int64, subject numbers ranked at the last look.
    p
        Bound on the chance of a change at the next look.
    changes, expected
        float64[1] each, observed and expected changes since the ledger's start, in the form that `Mark` takes.
    """

    top: int = -1
    ranked: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    p: float = 0.0
    changes: Vector = field(default_factory=lambda: np.zeros(1))
    expected: Vector = field(default_factory=lambda: np.zeros(1))
    cusum: Cusum = field(default_factory=lambda: Cusum.start(BETS.size, 1))
    standing: Standing = field(default_factory=dict)


class RankChurn(ReviewDetector[Churn]):
    """Checks every `ratings_reviews` reviews. Resolves when no bet has evidence left (log C ≤ 0)."""

    kind = Kind.RANK_CHURN

    def review(self, state: Churn, scene: Scene, ratings: Ratings | None) -> None:
        """Process the ratings of a review."""
        if ratings is None or not ratings.ranked.any():
            return
        ranked = np.flatnonzero(ratings.ranked)
        best = ranked[int(np.argmax(ratings.rating[ranked]))]
        top = int(ratings.number[best])
        newcomer = top not in state.ranked
        if state.top < 0:
            state.cusum.reset(0, Mark(scene.now.row, scene.now.time, state.changes, state.expected))
        elif not newcomer:
            state.changes = state.changes + (top != state.top)
            state.expected = state.expected + state.p
            odds = Odds.of(np.array([state.p]), BETS, 0.0)
            mark = Mark(scene.now.row, scene.now.time, state.changes, state.expected)
            state.cusum.update(odds, np.array([float(top != state.top)]), 1.0, mark)
        state.top, state.ranked = top, ratings.number[ranked]
        state.p = min(max(_chance(ratings, ranked, int(best)), LEAST), MOST)
        firing = state.cusum.log_e_of(0) >= np.log(scene.settings.evidence_level)
        lasting = bool(state.standing) and bool((state.cusum.log_c > 0).any())
        stand(state.standing, ["arena"] if firing or lasting else [], scene.now)

    def verdicts(self, state: Churn, scene: Scene) -> list[Verdict]:
        """The current churn alert, if any."""
        bet = int(np.argmax(state.cusum.log_c[:, 0]))
        return [
            Verdict(
                Subject(),
                Severity.INFO,
                since.onset,
                float(state.cusum.since_time[bet, 0]),
                {
                    "changes": int(state.changes[0] - state.cusum.since_hits[bet, 0]),
                    "expected_changes": rounded(float(state.expected[0] - state.cusum.since_due[bet, 0])),
                    "top": scene.facts.roster.subjects[state.top].name,
                    "log10_e": rounded(state.cusum.log_e_of(0) / LN10),
                },
            )
            for since in state.standing.values()
        ]

    def judged(self, state: Churn, scene: Scene) -> Judged:
        """The arena, from the second look on: the first look only records the leader."""
        settings = scene.settings
        if state.top < 0 or scene.facts.window.reviews < 2 * settings.ratings_reviews:
            return Judged.not_yet(self.kind, Unjudged.FIRST_RATINGS)
        return Judged(self.kind, judged=True, since_battle=settings.ratings_reviews * settings.review_battles)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        changes = as_number(e["expected_changes"])
        expected = f"{changes:,.1f}" if changes >= 1 else f"{changes:.1g}"
        return (
            f"The first place of arena {arena} changed {e['changes']:,} times since {day(verdict.starts_at)} where the "
            f"intervals explain {expected}, evidence of 10^{e['log10_e']:.1f} to 1; it is {e['top']} "
            "now."
        )


def _chance(ratings: Ratings, ranked: NDArray[np.int64], best: int) -> float:
    others = ranked[ranked != best]
    gap = ratings.rating[best] - ratings.rating[others]
    error = np.sqrt(ratings.error[best] ** 2 + ratings.error[others] ** 2)
    # If neither rating has an error, the sign of the gap decides: ±inf for different ratings, 0 (even) for equal ones.
    certain = np.where(gap == 0, 0.0, np.copysign(np.inf, gap))
    scores = np.divide(gap, error, out=certain, where=error > 0)
    return sum(0.5 * math.erfc(z / math.sqrt(2.0)) for z in scores.tolist())
