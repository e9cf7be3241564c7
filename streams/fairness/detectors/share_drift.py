"""Share drift: a model, a provider or a licence class is in fewer or more battles than the declared weights imply."""

from __future__ import annotations

from streams.contracts.alert import Kind
from streams.fairness.alerts.summaries import as_number, day, percent, who
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.detectors.base import Tick, Verdict
from streams.fairness.detectors.share_alarm import PAGED, SEVERITY, WARNED, ShareAlarms, ShareDetector

BETS = (0.02, 0.1, 0.25, 0.5, 2.0, 4.0)
"""One mixture for both directions: it pages sooner than two mixtures, each with a threshold, at the same guarantee."""
BACK = 0.7
"""r_back of recovery: resolves shares above 0.84 π, about 120 expected appearances after the drift ends. With 0.5
(above 0.72 π, 36 appearances) an alert on a share of 0.6 π, as when people finish battles with a model 40 % less often,
was resolved and opened again 18 times in a million battles."""
SELECTION = 0.01
"""With a share of unfinished battles below this, the summary assumes that the arena does not report them."""
REMOVED = 0.2
"""Below this part of the declared share, unfinished battles cannot explain the drift."""


class ShareDrift(ShareDetector):
    """Checks every subject with a declared share.

    Resolves on evidence of recovery, when the subject leaves the policy, or when its removal is reported instead.
    """

    kind = Kind.SHARE_DRIFT
    bets = BETS

    def tick(self, state: ShareAlarms, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Add a tick, or its stretch up to a notice."""
        if not scene.declares:
            return
        play = scene.play
        state.update(play.odds(BETS, scene.settings.delta), tick, closes=closes)
        state.recover(play.pi_play, BACK, tick.in_play_hits, tick.in_play_battles, closes=closes)

    def watched(self, play: Play) -> Mask:
        """Every subject with a share in play."""
        return play.pi_play > 0

    def suspects(self, state: ShareAlarms, scene: Scene) -> list[int]:
        """Subjects about to be reported."""
        return state.suspects(scene.warning_level)

    def report(self, state: ShareAlarms, scene: Scene) -> bool:
        """Raise and resolve alerts; return whether anything changed."""
        changed = False
        for subject in state.recovered(scene.settings.recovery_level):
            state.release(subject, scene.mark)
            changed = True
        if scene.facts.outage:
            return changed
        for subject in state.suspects(scene.page_level, below=PAGED):
            state.hold(subject, PAGED, BETS)
            changed = True
        for subject in state.suspects(scene.warning_level):
            state.hold(subject, WARNED, BETS)
            changed = True
        return changed

    def verdicts(self, state: ShareAlarms, scene: Scene) -> list[Verdict]:
        """All open drift alerts."""
        return [
            Verdict(
                subject=scene.facts.roster.subjects[subject],
                severity=SEVERITY[int(state.held[subject])],
                onset=str(int(state.since_row[subject])),
                starts_at=float(state.since_time[subject]),
                evidence=state.evidence(subject, scene) | {"direction": "rise" if state.rose[subject] else "drop"},
            )
            for subject in map(int, state.held.nonzero()[0])
        ]

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        subject, what = who(arena, verdict.subject), "is in" if verdict.subject.field == "model" else "has models in"
        text = (
            f"{subject} {what} {percent(e['observed_share'])} of the battles of arena {arena} since about "
            f"{day(verdict.starts_at)}, a {e['direction']} from its declared share of {percent(e['declared_share'])}: "
            f"{e['appearances']:,} of {e['battles']:,} battles where {e['expected_appearances']:,.0f} were to be "
            f"expected, evidence of 10^{e['log10_e']:.1f} to 1."
        )
        if as_number(e["observed_share"]) < REMOVED * as_number(e["declared_share"]):
            return text
        if as_number(e["unfinished_share"]) < SELECTION:
            return (
                f"{text} The arena does not report battles that end without a vote, so selection can be the cause too: "
                f"people may finish battles with it {'more' if e['direction'] == 'rise' else 'less'} often than others."
            )
        return f"{text} Battles without a vote are counted ({percent(e['unfinished_share'])} of all)."
