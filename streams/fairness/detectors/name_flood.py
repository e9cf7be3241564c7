"""Name flood: many names in battles that nobody declared and nobody saw before."""

from __future__ import annotations

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import percent, some
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import rounded

NAMES = 100
"""New undeclared names in one review from which it is a flood: no arena launches so many models in 10,000 battles."""
CALM = 50
"""A flood is over after a review with fewer."""


class NameFlood(ReviewDetector[Standing]):
    """Checks each review but the first, in which all names of an arena without a registry are new."""

    kind = Kind.NAME_FLOOD

    def review(self, state: Standing, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review."""
        flood = scene.facts.names.last.names >= (CALM if state else NAMES) and scene.facts.window.reviews > 1
        stand(state, ["arena"] if flood else [], scene.now)

    def verdicts(self, state: Standing, scene: Scene) -> list[Verdict]:
        """The current alert, if any."""
        last, review = scene.facts.names.last, scene.settings.review_battles
        return [
            Verdict(
                Subject(),
                Severity.WARNING,
                since.onset,
                since.time,
                {
                    "names": last.names,
                    "battles": last.battles,
                    "review_battles": review,
                    "share_of_battles": rounded(last.battles / review),
                    "voters": last.voters,
                    "voters_battles": last.voters_battles,
                },
            )
            for since in state.values()
        ]

    def judged(self, state: Standing, scene: Scene) -> Judged:
        """The arena, from its second review on."""
        if scene.facts.window.reviews < 2:
            return Judged.not_yet(self.kind, Unjudged.FIRST_REVIEW)
        return Judged(self.kind, judged=True, since_battle=scene.settings.review_battles)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        text = (
            f"About {e['names']:,} names that nobody declared and nobody saw before were in {e['battles']:,} "
            f"({percent(e['share_of_battles'])}) of the last {e['review_battles']:,} battles of arena {arena}"
        )
        names = e["voters"]
        if not isinstance(names, list) or not names:
            return f"{text}; who voted on them is not known."
        return f"{text}; at least {e['voters_battles']:,} of them by the voters {some(names, len(names))}."
