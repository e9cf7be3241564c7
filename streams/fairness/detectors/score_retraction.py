"""Score retraction: a variant with enough votes for a score is withdrawn, and no public board ever showed its score."""

from __future__ import annotations

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day
from streams.fairness.arena.context import Scene
from streams.fairness.arena.registry import Change
from streams.fairness.detectors.base import NoticeDetector, Verdict, judged_by_registry
from streams.fairness.detectors.unannounced_retirement import NoticeEpisode, NoticeEpisodes, stands


class ScoreRetraction(NoticeDetector[NoticeEpisodes]):
    """Checks each notice. Resolves when the model is declared public or can be drawn again, or after `keep_days`."""

    kind = Kind.SCORE_RETRACTION

    def notice(self, state: NoticeEpisodes, scene: Scene, change: Change) -> None:
        """Process a change of the registry."""
        if change.joins or change.tenure.was_public:
            state.pop(change.name, None)
        bound, votes = scene.settings.retraction_votes, scene.votes_of(change.number)
        if not change.leaves or change.tenure.was_public or votes < bound:
            return
        roster = scene.facts.roster
        provider = roster.known[change.name].provider
        tested = variants_of(scene, provider)
        withdrawn = [name for name in tested if name in state or name == change.name]
        state[change.name] = NoticeEpisode(
            change.now.onset,
            change.now.time,
            {
                "votes": votes,
                "bound": bound,
                "provider": provider,
                "license": roster.known[change.name].license,
                "tested": len(tested),
                "withdrawn": len(withdrawn),
            },
        )

    def verdicts(self, state: NoticeEpisodes, scene: Scene) -> list[Verdict]:
        """Scores retracted in the last `keep_days`."""
        return [
            Verdict(Subject(model=name), Severity.WARNING, each.onset, each.time, each.evidence)
            for name, each in state.items()
            if stands(each, scene)
        ]

    def judged(self, state: NoticeEpisodes, scene: Scene) -> Judged:
        """Models that were private at some time."""
        return judged_by_registry(self.kind, scene, scene.facts.roster.private, Unjudged.NO_PRIVATE_MODELS)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"{verdict.subject.name} ({e['provider']}) was withdrawn from arena {arena} at {day(verdict.starts_at)} "
            f"with {e['votes']:,} votes, and no public board ever showed its score; from {e['bound']:,} votes on it is "
            f"owed. {e['withdrawn']:,} of {e['tested']:,} variants that {e['provider']} tested in private ended so."
        )


def variants_of(scene: Scene, provider: str, family: str | None = None) -> list[str]:
    """Models of a provider (of one family, if given) that were in battles and were private at some time, sorted."""
    roster = scene.facts.roster
    return sorted(
        name
        for name, model in roster.known.items()
        if model.provider == provider
        and roster.tenures[name].was_private
        and scene.battles_of(roster.models[name])
        and (family is None or model.family == family)
    )
