"""Best of N: how many points the choice of the best of several privately tested variants gains by luck.

The score of variant i is its strength plus an error of standard deviation σ. Strengths scatter by τ, so scores scatter
by √(σ² + τ²), and the best score is on average √(σ² + τ²)·E[max of N standard normals] above the mean. The part
σ²/(σ² + τ²) of that is error (the regression of the error on the score), so the luck in the best score is

    σ²/√(σ² + τ²) · E[max of N standard normals]

which is σ·E[max] for equal variants, and little where the variants differ by more than their errors: then the best is
mostly chosen on merit. σ² is the mean square of the variants' own standard errors; τ² is the variance of their ratings
less σ², and 0 where that is negative. Later votes shrink the gain, and the model's own later votes show by how much.

References
----------
.. [1] Singh et al., "The Leaderboard Illusion", arXiv 2504.20879 (2025), section 3.
.. [2] B. Efron, "Tweedie's formula and selection bias", JASA 106 (2011), eq. 2.8 for normal strengths.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, some
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ratings import rate
from streams.fairness.arena.registry import Change
from streams.fairness.detectors.base import NAMED, NoticeDetector, Verdict, judged_by_registry
from streams.fairness.detectors.score_retraction import variants_of
from streams.fairness.detectors.share_alarm import rounded
from streams.fairness.detectors.unannounced_retirement import NoticeEpisode, NoticeEpisodes, stands
from streams.fairness.statistics.expected_share import Vector


class BestOfN(NoticeDetector[NoticeEpisodes]):
    """Checks each notice that makes a model public.

    Resolves after `keep_days`, or when the model is private again or unregistered.
    """

    kind = Kind.BEST_OF_N

    def notice(self, state: NoticeEpisodes, scene: Scene, change: Change) -> None:
        """Process a change of the registry."""
        before, after = change.before, change.after
        if after is None or after.visibility == "private":
            state.pop(change.name, None)
            return
        if before is not None and before.visibility == "public":
            return
        # A variant may be published under a new name: then only the family links it to the variants that were tested.
        if not change.tenure.was_private and after.family is None:
            return
        variants = variants_of(scene, after.provider, after.family)
        if len(variants) >= 2:
            state[change.name] = NoticeEpisode(
                change.now.onset, change.now.time, _evidence(scene, after.provider, variants)
            )

    def verdicts(self, state: NoticeEpisodes, scene: Scene) -> list[Verdict]:
        """Such publications in the last `keep_days`."""
        return [
            Verdict(Subject(model=name), Severity.INFO, each.onset, each.time, each.evidence)
            for name, each in state.items()
            if stands(each, scene)
        ]

    def judged(self, state: NoticeEpisodes, scene: Scene) -> Judged:
        """Models that were private at some time."""
        return judged_by_registry(self.kind, scene, scene.facts.roster.private, Unjudged.NO_PRIVATE_MODELS)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        gain = (
            f"with errors of {e['sigma']:.1f} points and strengths that differ by {e['spread']:.1f}, choosing the best "
            f"of {e['variants']:,} gains {e['expected_gain']:.1f} points by luck alone"
            if "sigma" in e
            else "the variants have too few votes to say what choosing among them gains"
        )
        return (
            f"{verdict.subject.name} was published in arena {arena} at {day(verdict.starts_at)} as one of "
            f"{e['variants']:,} variants that {e['provider']} tested in private "
            f"({some(e['models'], e['variants'])}): {gain}."
        )


def _evidence(scene: Scene, provider: str, variants: list[str]) -> Evidence:
    evidence: Evidence = {"variants": len(variants), "provider": provider, "models": variants[:NAMED]}
    ratings = rate(scene)
    if ratings is not None:
        numbers = [scene.facts.roster.models[name] for name in variants]
        tested = np.isin(ratings.number, numbers) & ratings.ranked
        if np.count_nonzero(tested) >= 2:
            sigma, tau = error_and_spread(ratings.rating[tested], ratings.error[tested])
            evidence["sigma"], evidence["spread"] = rounded(sigma), rounded(tau)
            evidence["expected_gain"] = rounded(selection_gain(sigma, tau, len(variants)))
    return evidence


def error_and_spread(rating: Vector, error: Vector) -> tuple[float, float]:
    """σ and τ of n ≥ 2 variants, from their ratings and standard errors, both float64[n] in points.

    Ratings with a variance of 100 and errors of 6 points have strengths that scatter by 8 points.

    >>> error_and_spread(np.array([990.0, 1000.0, 1010.0]), np.full(3, 6.0))
    (6.0, 8.0)
    """
    noise = float((error**2).mean())
    return math.sqrt(noise), math.sqrt(max(float(rating.var(ddof=1)) - noise, 0.0))


def selection_gain(sigma: float, tau: float, n: int) -> float:
    """Points of luck in the best score of n variants: errors of σ points, strengths that scatter by τ points.

    >>> round(selection_gain(9.2, 0.0, 10), 1), round(selection_gain(9.2, 26.0, 10), 1)
    (14.2, 4.7)
    """
    scatter = math.hypot(sigma, tau)
    return sigma * sigma / scatter * expected_maximum(n) if scatter else 0.0


@cache
def expected_maximum(n: int) -> float:
    """E[max of n standard normals] = ∫ x·n·φ(x)·Φ(x)^(n−1) dx, by the trapezoidal rule; error < 1e-12 up to n = 1e6.

    >>> [round(expected_maximum(n), 2) for n in (1, 5, 10, 20, 50)]
    [0.0, 1.16, 1.54, 1.87, 2.25]
    """
    x = np.linspace(-12.0, 12.0, 4_801)
    density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in x.tolist()])
    return float(np.trapezoid(x * n * density * below ** (n - 1), x))
