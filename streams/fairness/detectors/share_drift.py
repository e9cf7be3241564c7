"""Share drift: a model, a provider or a licence class is in fewer or more battles than the declared weights say."""

from __future__ import annotations

from dataclasses import dataclass

from streams.contracts.alert import Kind
from streams.fairness.arena.context import Scene
from streams.fairness.detectors.base import Verdict
from streams.fairness.detectors.share_alarm import PAGED, SEVERITY, WARNED, Tick, Watched

BETS = (0.02, 0.1, 0.25, 0.5, 2.0, 4.0)
"""One mixture for both directions: it pages sooner than two with a threshold each, at the same promise."""
BACK = 0.7
"""Recovered above 0.84 π, some 120 expected appearances after the end. With 0.5 (above 0.72 π, 36 appearances) a share
of 0.6 π, which a people's selection of 40 % makes, was resolved and opened again 18 times in a million battles."""


@dataclass(frozen=True, slots=True)
class ShareDrift:
    """Judges every subject with a declared share.

    Ends: evidence of recovery, or the subject leaves the policy, or its removal is reported instead.
    """

    kind = Kind.SHARE_DRIFT

    def start(self) -> Watched:
        """Nothing seen yet."""
        return Watched.start(len(BETS))

    def update(self, state: Watched, scene: Scene, tick: Tick, *, closes: bool = True) -> None:
        """Take in a tick, or its stretch up to a notice."""
        play = scene.play
        state.update(play.odds(BETS, scene.settings.delta), tick, closes=closes)
        state.recover(play.pi_play, BACK, tick.in_play_hits, tick.in_play_battles, closes=closes)

    def suspects(self, state: Watched, scene: Scene) -> list[int]:
        """Subjects about to be reported."""
        return state.suspects(scene.warning_level)

    def settle(self, state: Watched, scene: Scene) -> bool:
        """Report and resolve; tells whether anything changed."""
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

    def verdicts(self, state: Watched, scene: Scene) -> list[Verdict]:
        """Every drift that is held."""
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
