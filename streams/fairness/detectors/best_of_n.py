"""Best of N: how many points the choice of the best of several privately tested variants gains by luck alone.

Of N equally good variants whose scores scatter by σ, the best score is on average σ·E[max of N standard normals] above
the true one. σ is the root mean square of the variants' own standard errors: the part of the scatter that is noise.
Later votes shrink the gain, and the model's own later votes show by how much.

References
----------
.. [1] Singh et al., "The Leaderboard Illusion", arXiv 2504.20879 (2025), section 3.
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
            f"with scores that scatter by {e['sigma']:.1f} points, choosing the best of {e['variants']:,} equal ones "
            f"gains {e['expected_gain']:.1f} points by luck alone"
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
        errors = ratings.error[np.isin(ratings.number, numbers) & ratings.ranked]
        if errors.size >= 2:
            sigma = float(np.sqrt((errors**2).mean()))
            evidence["sigma"] = rounded(sigma)
            evidence["expected_gain"] = rounded(sigma * expected_maximum(len(variants)))
    return evidence


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
