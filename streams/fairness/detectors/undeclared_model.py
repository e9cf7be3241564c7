"""Undeclared model: the arena has a registry, and a model is in battles while its declared share is 0."""

from __future__ import annotations

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.arena.registry import sampled
from streams.fairness.detectors.base import NAMED, ReviewDetector, Verdict


class UndeclaredModel(ReviewDetector[Standing]):
    """Checks the last review's battles. Resolves after a review without such battles, or on a declaration.

    A model that left by a notice within the review is skipped, because people still vote on battles they had open. Of
    names without a subject number at most fifty have an alert at once, so that a flood of names is not a flood of
    alerts.
    """

    kind = Kind.UNDECLARED_MODEL

    def review(self, state: Standing, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review."""
        roster, last = scene.facts.roster, scene.facts.window.last
        names = []
        if scene.declares:
            began = scene.facts.rows - scene.settings.review_battles
            for name, number in roster.models.items():
                battles = int(last[number]) + scene.facts.crowd.last.get(name, 0)
                bound = 1 if name in state else scene.settings.undeclared_battles
                if battles < bound or sampled(roster.registry.get(name)):
                    continue
                if name not in roster.tenures or roster.tenures[name].left_row < began:
                    names.append(name)
            names += _crowd(state, scene)[:NAMED]
        stand(state, sorted(names), scene.now)
        scene.facts.crowd.watch(name for name in state if name not in roster.models)

    def verdicts(self, state: Standing, scene: Scene) -> list[Verdict]:
        """Models in battles with a declared share of 0."""
        roster, last = scene.facts.roster, scene.facts.window.last
        found = []
        for name, since in state.items():
            declared = roster.registry.get(name)
            if sampled(declared):
                continue  # declared since the review
            number = roster.models.get(name)
            battles = scene.facts.crowd.last.get(name, 0) + (0 if number is None else int(last[number]))
            cause = "unregistered" if declared is None else "retired" if declared.status == "retired" else "weight_0"
            found.append(
                Verdict(
                    Subject(model=name),
                    Severity.WARNING,
                    since.onset,
                    since.time,
                    {"cause": cause, "battles": battles, "review_battles": scene.settings.review_battles},
                )
            )
        return found

    def judged(self, state: Standing, scene: Scene) -> Judged:
        """The arena, once there is a registry and a review."""
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        if not scene.facts.window.reviews:
            return Judged.not_yet(self.kind, Unjudged.FIRST_REVIEW)
        return Judged(self.kind, judged=True, since_battle=scene.facts.roster.began)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        why = {
            "unregistered": "is not in its registry",
            "weight_0": "is declared with weight 0",
            "retired": "is declared retired",
        }[str(e["cause"])]
        return (
            f"{verdict.subject.name} was in {e['battles']:,} of the last {e['review_battles']:,} battles of arena "
            f"{arena} and {why}: its declared share is 0."
        )


def _crowd(state: Standing, scene: Scene) -> list[str]:
    """Names without a subject number in enough battles: those with an open alert first, then the busiest."""
    last, models = scene.facts.crowd.last, scene.facts.roster.models
    found = [
        name
        for name, battles in last.items()
        if battles >= (1 if name in state else scene.settings.undeclared_battles) and name not in models
    ]
    return sorted(found, key=lambda name: (name not in state, -last[name], name))
