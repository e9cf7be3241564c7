"""Draws unclear: votes come in bunches that nothing ties to draws, so how much evidence a vote is, is not known."""

from __future__ import annotations

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import as_number, percent
from streams.fairness.arena.context import Scene
from streams.fairness.arena.draws import MIXED, UNCLEAR
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewDetector, Verdict

VOTES_PER_DRAW = 1.1
"""Fewer votes per draw are not told: the evidence is divided by them all the same."""
SHARE = 0.1
"""Share of a review's votes with neither `battle` nor `voter` from which they matter."""
MIXED_SHARE = 0.01
"""Share of a review's votes whose `battle` had other models before from which the ids are no ids of draws."""
BUNCHES, IDS = "bunches", "ids"


class DrawsUnclear(ReviewDetector[Standing]):
    """Checks each review. Resolves after a review in which the draws are clear."""

    kind = Kind.DRAWS_UNCLEAR

    def review(self, state: Standing, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review."""
        draws = scene.facts.draws
        votes = int(draws.last[:4].sum())
        causes = []
        # Where nobody declares weights, a pair may as well come often for a while because it is drawn often.
        bunches = scene.declares and draws.votes_per_draw >= VOTES_PER_DRAW
        if bunches and draws.last[UNCLEAR] >= SHARE * votes:
            causes.append(BUNCHES)
        if draws.last[MIXED] >= MIXED_SHARE * votes:
            causes.append(IDS)
        stand(state, causes[:1], scene.now)

    def verdicts(self, state: Standing, scene: Scene) -> list[Verdict]:
        """The current alert, if any."""
        draws = scene.facts.draws
        return [
            Verdict(
                Subject(),
                Severity.WARNING,
                since.onset,
                since.time,
                {
                    "cause": cause,
                    "votes": int(draws.last[:4].sum()),
                    "unclear_votes": int(draws.last[UNCLEAR]),
                    "votes_per_draw": round(draws.votes_per_draw, 3),
                    "mixed_votes": int(draws.last[MIXED]),
                },
            )
            for cause, since in state.items()
        ]

    def judged(self, state: Standing, scene: Scene) -> Judged:
        """The arena, from its first review on, if it declares weights."""
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        if not scene.facts.window.reviews:
            return Judged.not_yet(self.kind, Unjudged.FIRST_REVIEW)
        return Judged(self.kind, judged=True, since_battle=0)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        if e["cause"] == IDS:
            share = percent(as_number(e["mixed_votes"]) / as_number(e["votes"]))
            return (
                f"{share} of the last {e['votes']:,} votes of arena {arena} have the `battle` of an earlier vote on "
                "other models: the id is not that of a draw, so each such vote counts as a draw of its own."
            )
        return (
            f"Votes of arena {arena} come in bunches of about {e['votes_per_draw']:.3g} on one draw, and "
            f"{e['unclear_votes']:,} of the last {e['votes']:,} say neither which draw nor which voter they belong to: "
            "their evidence is divided by that estimate, and the promise about false pages does not cover them."
        )
