"""Unannounced retirement: a notice ends the sampling of a public model without the required notice period.

Days are counted on the clock of the votes, between the places of the two notices in the ledger, so a date inside a
record cannot shorten them. A registry that starts within a notice period may give its start: `announced_at` of the
model's first record. In later records that date is only quoted in the evidence.
"""

from __future__ import annotations

import msgspec

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.contracts.model import Model
from streams.fairness.alerts.summaries import day
from streams.fairness.arena.context import Scene
from streams.fairness.arena.registry import Change
from streams.fairness.detectors.base import NoticeDetector, Verdict, judged_by_registry

DAY = 86_400.0


class NoticeEpisode(msgspec.Struct, frozen=True):
    """A past event, with its evidence at that time."""

    onset: str
    time: float
    evidence: Evidence


NoticeEpisodes = dict[str, NoticeEpisode]
"""Episodes by model name."""


def stands(episode: NoticeEpisode, scene: Scene) -> bool:
    """Return whether the alert of a past event is still open: for `keep_days` on the clock of the votes."""
    return scene.now.time - episode.time <= scene.settings.keep_days * DAY


class UnannouncedRetirement(NoticeDetector[NoticeEpisodes]):
    """Checks each notice. Resolves when the model can be drawn again, or after `keep_days`."""

    kind = Kind.UNANNOUNCED_RETIREMENT

    def notice(self, state: NoticeEpisodes, scene: Scene, change: Change) -> None:
        """Process a change of the registry."""
        tenure, battles = change.tenure, scene.battles_of(change.number)
        if change.joins:
            state.pop(change.name, None)
        # A model that was never shown is a corrected entry; score_retraction covers private models.
        if not change.leaves or tenure.noticed or not tenure.was_public or not battles:
            return
        declared = scene.facts.roster.known[change.name]
        evidence: Evidence = {
            "how": _how(change.after),
            "days_owed": scene.settings.notice_days,
            "battles": battles,
            "provider": declared.provider,
            "license": declared.license,
        }
        if tenure.deprecated_at is not None:
            evidence["days_given"] = round((change.now.time - tenure.deprecated_at) / DAY, 2)
        if change.after and change.after.announced_at is not None:
            evidence["claimed_announced_at"] = change.after.announced_at
        if change.after and change.after.reason:
            evidence["reason"] = change.after.reason
        state[change.name] = NoticeEpisode(change.now.onset, change.now.time, evidence)

    def verdicts(self, state: NoticeEpisodes, scene: Scene) -> list[Verdict]:
        """Retirements without notice in the last `keep_days`."""
        return [
            Verdict(Subject(model=name), Severity.CRITICAL, each.onset, each.time, each.evidence)
            for name, each in state.items()
            if stands(each, scene)
        ]

    def judged(self, state: NoticeEpisodes, scene: Scene) -> Judged:
        """Models that were public at some time."""
        return judged_by_registry(self.kind, scene, scene.facts.roster.public, Unjudged.NO_PUBLIC_MODELS)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        how = {
            "retired": "was declared retired",
            "weight_0": "was given weight 0 while it is declared active",
            "deprecated_weight_0": "was declared deprecated and given weight 0",
            "unregistered": "was taken off the registry",
        }[str(e["how"])]
        given = (
            f"{e['days_given']:.1f} days after its deprecation" if "days_given" in e else "without a deprecation before"
        )
        return (
            f"{verdict.subject.name} ({e['provider']}, {e['license']}) {how} in arena {arena} at "
            f"{day(verdict.starts_at)} after {e['battles']:,} battles, {given}; {e['days_owed']:g} days of notice are "
            "owed."
        )


def _how(after: Model | None) -> str:
    if after is None:
        return "unregistered"
    if after.status == "retired":
        return "retired"
    return "weight_0" if after.status == "active" else "deprecated_weight_0"
