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
QUARTER = 0.25
SETTLINGS = 4.0
"""Settling times that the reviews together last: two changes of policy leave at most half of that unjudged."""


@dataclass(slots=True)
class Busy:
    """State: of the reviews of the window, battles not judged, battles judged, changes of policy, and clock at the end.

    `used` is the number of the last reviews that were looked at together.
    """

    reviews: list[tuple[int, int, int, float]] = field(default_factory=list)
    standing: Standing = field(default_factory=dict)
    used: int = 0

    @property
    def totals(self) -> tuple[int, int, int]:
        """The first three of the reviews that were looked at together."""
        unjudged, judged, changes, _ = zip(*self.reviews[-self.used :], strict=True)
        return sum(unjudged), sum(judged), sum(changes)


class PolicyTooBusy(ReviewDetector[Busy]):
    """Checks each review, with those before it where it is short: a single change of policy is no alert.

    Resolves when at least three quarters of the battles are judged.
    """

    kind = Kind.POLICY_TOO_BUSY

    def review(self, state: Busy, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review."""
        settings, now = scene.settings, scene.facts.clock
        before = [end for *_, end in state.reviews]
        state.reviews = [*state.reviews, (*scene.facts.policies.last, now)][-settings.window_reviews :]
        hour = SETTLINGS * settings.settle_seconds
        lasting = [number for number, end in enumerate(reversed(before), 1) if now - end >= hour]
        state.used = lasting[0] if lasting else len(state.reviews)
        # Against a full window: in a busy arena a single change leaves most of several reviews unjudged.
        battles = settings.review_battles * (state.used if lasting else settings.window_reviews)
        busy = scene.declares and state.totals[0] > (QUARTER if state.standing else HALF) * battles
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
