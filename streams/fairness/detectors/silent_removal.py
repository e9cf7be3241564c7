"""Silent removal: the registry says active, with a weight, and the model is gone from the battles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.contracts.alert import Kind, Severity
from streams.fairness.arena.context import Scene
from streams.fairness.detectors.base import Verdict
from streams.fairness.detectors.share_alarm import PAGED, Tick, Watched

BETS = (0.02, 0.1)
"""At most a tenth of the declared share is left: a few stray battles do not save a removal from being one."""
GONE = 0.15
"""Seen more often than this part of its share since the onset, a model is not gone, though the bets win on it too (they
do below 0.34 π): that is a drift. The condition can only withhold reports, so the promise stands."""
BACK = 0.25
"""A burst of a few battles is no return: resolved at some eleven expected appearances, for shares above 0.54 π."""


@dataclass(frozen=True, slots=True)
class SilentRemoval:
    """Judges active models; there is no warning before the page, for `share_drift` gives one.

    Ends: evidence that the model is back, or a notice that declares what happened.
    """

    kind = Kind.SILENT_REMOVAL

    def start(self) -> Watched:
        """Nothing seen yet."""
        return Watched.start(len(BETS))

    def update(self, state: Watched, scene: Scene, tick: Tick, *, closes: bool = True) -> None:
        """Take in a tick, or its stretch up to a notice."""
        play = scene.play
        state.update(play.odds(BETS, scene.settings.delta, active_only=True), tick, closes=closes)
        state.recover(play.pi, BACK, tick.declared_hits, tick.declared_battles, closes=closes)

    def suspects(self, state: Watched, scene: Scene) -> list[int]:
        """Subjects about to be reported."""
        facts = scene.facts
        found = []
        for subject in state.suspects(scene.page_level):
            since = state.winner(subject), subject
            hits = facts.seen[subject] - state.cusum.since_hits[since]
            if hits <= GONE * (facts.due[subject] - state.cusum.since_due[since]):
                found.append(subject)
        return found

    def settle(self, state: Watched, scene: Scene) -> bool:
        """Report and resolve; tells whether anything changed."""
        back = state.recovered(scene.settings.recovery_level)
        for subject in back:
            state.release(subject, scene.mark)
        gone = [] if scene.facts.outage else self.suspects(state, scene)
        for subject in gone:
            state.hold(subject, PAGED, BETS)
        return bool(back or gone)

    def verdicts(self, state: Watched, scene: Scene) -> list[Verdict]:
        """Every model that is gone."""
        facts = scene.facts
        found = []
        for subject in map(int, np.flatnonzero(state.held)):
            who = facts.roster.subjects[subject]
            declared = facts.roster.known[who.name]
            evidence = state.evidence(subject, scene) | {
                "last_seen": round(float(facts.last_time[subject]), 3),
                "provider": declared.provider,
                "license": declared.license,
            }
            onset, began = str(int(state.since_row[subject])), float(state.since_time[subject])
            found.append(Verdict(who, Severity.CRITICAL, onset, began, evidence))
        return found
