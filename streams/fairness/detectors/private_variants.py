"""Private variants: how many unpublished models of one provider are in play at once, against the arena's cap."""

from __future__ import annotations

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, some
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.registry import Change, Roster, sampled
from streams.fairness.detectors.base import NAMED, NoticeDetector, Verdict, judged_by_registry


class PrivateVariants(NoticeDetector[Standing]):
    """Checks each notice. Resolves when the provider is within the cap again."""

    kind = Kind.PRIVATE_VARIANTS

    def notice(self, state: Standing, scene: Scene, change: Change) -> None:
        """Process a change of the registry."""
        variants = private_in_play(scene.facts.roster)
        stand(
            state, sorted(name for name, each in variants.items() if len(each) > scene.settings.private_cap), change.now
        )

    def verdicts(self, state: Standing, scene: Scene) -> list[Verdict]:
        """Providers above the cap."""
        if not state:
            return []
        variants = private_in_play(scene.facts.roster)
        return [
            Verdict(
                Subject(provider=name),
                Severity.WARNING,
                since.onset,
                since.time,
                {
                    "variants": len(variants[name]),
                    "cap": scene.settings.private_cap,
                    "models": variants[name][:NAMED],
                },
            )
            for name, since in state.items()
        ]

    def judged(self, state: Standing, scene: Scene) -> Judged:
        """Models that were private at some time."""
        return judged_by_registry(self.kind, scene, scene.facts.roster.private, Unjudged.NO_PRIVATE_MODELS)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"Provider {verdict.subject.name} has {e['variants']:,} private variants in play at once in arena {arena} "
            f"since {day(verdict.starts_at)} ({some(e['models'], e['variants'])}); the arena allows {e['cap']:,}."
        )


def private_in_play(roster: Roster) -> dict[str, list[str]]:
    """Names of the private models that can be drawn, by provider, sorted."""
    found: dict[str, list[str]] = {}
    for name, model in sorted(roster.registry.items()):
        if model.visibility == "private" and sampled(model):
            found.setdefault(model.provider, []).append(name)
    return found
