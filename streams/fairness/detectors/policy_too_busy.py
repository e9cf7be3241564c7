"""Policy too busy: the declared weights change so often that most battles cannot be judged by them."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import percent
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import rounded

HALF = 0.5


@dataclass(slots=True)
class Busy:
    """State: battles not judged, battles judged and changes of policy, of the reviews of the window."""

    reviews: list[tuple[int, int, int]] = field(default_factory=list)
    standing: Standing = field(default_factory=dict)

    @property
    def totals(self) -> tuple[int, int, int]:
        """The same three of the whole window."""
        unjudged, judged, changes = (sum(each) for each in zip(*self.reviews, strict=True))
        return unjudged, judged, changes


class PolicyTooBusy(ReviewDetector[Busy]):
    """Checks each review. Resolves when at least half of a window's battles are judged."""

    kind = Kind.POLICY_TOO_BUSY

    def review(self, state: Busy, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review."""
        state.reviews = [*state.reviews, scene.facts.policies.last][-scene.settings.window_reviews :]
        # Against a full window from the start: in a busy arena a single notice fills most of the first review.
        busy = scene.declares and state.totals[0] > HALF * scene.settings.window_battles
        stand(state.standing, ["arena"] if busy else [], scene.now)

    def verdicts(self, state: Busy, scene: Scene) -> list[Verdict]:
        """The current alert, if any."""
        if not state.standing:
            return []
        unjudged, judged, changes = state.totals
        return [
            Verdict(
                Subject(),
                Severity.WARNING,
                since.onset,
                since.time,
                {
                    "judged_share": rounded(judged / (unjudged + judged)),
                    "battles": unjudged + judged,
                    "changes": changes,
                    "settle_seconds": rounded(scene.facts.policies.settling),
                },
            )
            for since in state.standing.values()
        ]

    def judged(self, state: Busy, scene: Scene) -> Judged:
        """The arena, once there is a registry and a review."""
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        if not scene.facts.window.reviews:
            return Judged.not_yet(self.kind, Unjudged.FIRST_REVIEW)
        return Judged(self.kind, judged=True, since_battle=scene.facts.roster.began)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"Only {percent(e['judged_share'])} of the last {e['battles']:,} battles of arena {arena} can be judged: "
            f"its declared weights changed {e['changes']:,} times, and which of them a battle without `drawn_at` was "
            f"drawn by is not known for {e['settle_seconds']:,.0f} seconds after each change."
        )
