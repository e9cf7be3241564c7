"""Data inequality: shares of slots over the window, per provider and licence class, against bounds.

A battle has two slots, so shares of slots add to 1 (shares of battles to 2). Gini and Herfindahl (Σ share²) measure how
unequal providers are as a whole. An alert stays open until its figure is 5 % below the bound. A bound that even equal
shares would exceed, because there are few providers or classes, is not checked.
"""

from __future__ import annotations

import numpy as np

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import percent, who
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import rounded
from streams.fairness.statistics.expected_share import Vector
from streams.fairness.statistics.inequality import gini, herfindahl

BACK = 0.95


class DataInequality(ReviewDetector[Standing]):
    """Checks the window at each review, once the window is full."""

    kind = Kind.DATA_INEQUALITY

    def review(self, state: Standing, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review."""
        settings, roster = scene.settings, scene.facts.roster
        names = []
        if scene.facts.window.full and scene.declares:
            shares = slot_shares(scene)
            levels: dict[str, tuple[float, float]] = {}
            for field, numbers, bound in (
                ("provider", roster.providers, settings.max_provider_share),
                ("license", roster.licenses, settings.max_license_share),
            ):
                if len(numbers) * bound > 1:
                    levels |= {f"{field}:{name}": (float(shares[n]), bound) for name, n in numbers.items()}
            spread = _spread(scene, shares)
            concentration = spread[1] if len(roster.providers) * settings.max_provider_hhi > 1 else 0.0
            levels["arena:"] = (
                max(spread[0] / settings.max_provider_gini, concentration / settings.max_provider_hhi),
                1.0,
            )
            names = [name for name, (x, bound) in levels.items() if x > bound * (BACK if name in state else 1.0)]
        stand(state, sorted(names), scene.now)

    def verdicts(self, state: Standing, scene: Scene) -> list[Verdict]:
        """Providers, classes and the arena above a bound."""
        if not state:
            return []
        settings, roster = scene.settings, scene.facts.roster
        shares, recent = slot_shares(scene), scene.facts.window.recent
        found = []
        for key, since in state.items():
            field, _, name = key.partition(":")
            evidence: Evidence = {"window_battles": settings.window_battles}
            if field == "arena":
                subject, severity = Subject(), Severity.INFO
                gini_, hhi = _spread(scene, shares)
                largest = max(sorted(roster.providers), key=lambda name: float(shares[roster.providers[name]]))
                evidence |= {"gini": rounded(gini_), "gini_bound": settings.max_provider_gini}
                evidence |= {"hhi": rounded(hhi), "hhi_bound": settings.max_provider_hhi}
                evidence |= {"providers": len(roster.providers), "largest": largest}
                evidence |= {"largest_share": rounded(float(shares[roster.providers[largest]]))}
            else:
                provider = field == "provider"
                number = (roster.providers if provider else roster.licenses)[name]
                subject, severity = roster.subjects[number], Severity.WARNING
                member = (scene.play.provider if provider else scene.play.license)[:-1] == number
                evidence |= {
                    "share_of_slots": rounded(float(shares[number])),
                    "share_of_battles": rounded(float(recent[number]) / settings.window_battles),
                    "bound": settings.max_provider_share if provider else settings.max_license_share,
                    "models": int((member & (recent > 0)).sum()),
                }
            found.append(Verdict(subject, severity, since.onset, since.time, evidence))
        return found

    def judged(self, state: Standing, scene: Scene) -> Judged:
        """Providers and classes with a bound that equal shares would meet, once the window is full."""
        roster, settings = scene.facts.roster, scene.settings
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        if not scene.facts.window.full:
            return Judged.not_yet(self.kind, Unjudged.FIRST_WINDOW)
        bounds = ((roster.providers, settings.max_provider_share), (roster.licenses, settings.max_license_share))
        subjects = sum(len(names) for names, bound in bounds if len(names) * bound > 1)
        return Judged(self.kind, judged=True, subjects=subjects, since_battle=roster.began)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        window = f"over the last {e['window_battles']:,} battles"
        if verdict.subject.field == "arena":
            return (
                f"The slots of arena {arena} are spread over {e['providers']:,} providers with a Gini coefficient of "
                f"{e['gini']:.2f} (bound {e['gini_bound']:.2f}) and a Herfindahl index of {e['hhi']:.2f} (bound "
                f"{e['hhi_bound']:.2f}) {window}; the largest is {e['largest']} with {percent(e['largest_share'])}."
            )
        return (
            f"{who(arena, verdict.subject)} takes {percent(e['share_of_slots'])} of the slots of arena {arena} "
            f"{window} with {e['models']:,} models ({percent(e['share_of_battles'])} of the battles involve it); "
            f"the bound is {percent(e['bound'])} of the slots."
        )


def slot_shares(scene: Scene) -> Vector:
    """Share of the window's slots of every provider and class, float64[S]; 0 for models."""
    recent, size = scene.facts.window.recent, len(scene.facts.roster)
    shares = np.zeros(size)
    slots = 2 * scene.settings.review_battles * min(scene.facts.window.reviews, scene.settings.window_reviews)
    for groups in (scene.play.provider[:-1], scene.play.license[:-1]):
        member = groups >= 0
        shares += np.bincount(groups[member], recent[member], size) / max(slots, 1)
    return shares


def _spread(scene: Scene, shares: Vector) -> tuple[float, float]:
    """Gini and Herfindahl of the providers."""
    of_providers = shares[list(scene.facts.roster.providers.values())]
    return gini(of_providers), herfindahl(of_providers)
