"""Stalled feed, as visible in the ledger: most models stop together, or battles continue without any vote.

A fleet-wide cause gives one alert, not two hundred removals. When a removal or a drift is about to be reported, the
detector takes the active models expected at least three times since its onset. If these are more than half of all
active models, and more than half of these have been absent for three expected appearances (a healthy model is with
probability e⁻³), the detector reports the feed instead. No removal or drift is reported until half of the stopped
models are back or no longer declared active. Models already reported as removed are out of play and not considered, so
absences from different times do not add up.

A feed that has turned to zeros still sends battles, but none has a vote. Even if only one battle in a hundred gets a
vote, 2,000 in a row without a vote have probability 2e-9, so such a run is a fault.

This detector cannot see silence, because no rows arrive then: `silence` measures it in wall time, and its alert has
the same kind and subject.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import as_number, day, some
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ticks import Ticks
from streams.fairness.detectors.base import NAMED, Tick, TickDetector, Verdict

EXPECTED = 3.0
"""Expected appearances after which an absence counts: one model misses 3 by chance 5 % of the time, half a fleet at
once never does. With a higher value, the models that continue would be reported first, as rises."""


@dataclass(slots=True)
class Feed:
    """State: the current outage, if any.

    Attributes
    ----------
    stopped
        bool[S], the models that stopped together; all False when there is no such outage.
    noticed_row
        Battles when the outage was detected: a model seen later is back.
    since_row, since_time
        Last battle with one of the stopped models.
    zeros
        Battles in a row without a vote, in whole ticks; `zero_row` and `zero_time` are where the run began.
    voted
        Whether there ever was a vote: a feed without votes from its start is not a fault.
    """

    stopped: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    noticed_row: int = 0
    since_row: int = 0
    since_time: float = 0.0
    zeros: int = 0
    zero_row: int = 0
    zero_time: float = 0.0
    voted: bool = False


class FeedStalled(TickDetector[Feed]):
    """Checks the feed of the arena as a whole."""

    kind = Kind.FEED_STALLED

    def resize(self, state: Feed, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(state, subjects, "stopped")

    def tick(self, state: Feed, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Update the run of battles without a vote, and end the outage when half of the stopped models are back."""
        if not closes:
            return
        if scene.facts.tick_votes:
            state.zeros, state.zero_row, state.zero_time, state.voted = 0, scene.facts.rows, scene.facts.clock, True
        elif state.voted:
            state.zeros += scene.settings.tick_battles
        if np.count_nonzero(state.stopped) and 2 * self._missing(state, scene).sum() <= state.stopped.sum():
            state.stopped[:] = False

    def explains(self, state: Feed, scene: Scene, onset: int | None) -> bool:
        """Return whether most models stopped together since `onset`, or battles have no votes."""
        if onset is not None and not np.count_nonzero(state.stopped):
            self._consider(state, scene, onset)
        return bool(np.count_nonzero(state.stopped)) or state.zeros >= scene.settings.zero_battles

    def calm(self, state: Feed, scene: Scene, ticks: Ticks) -> bool:
        """Update the run of battles without a vote, until it is a fault."""
        for tick, votes in enumerate(ticks.votes.tolist()):
            if votes:
                state.zeros, state.voted = 0, True
                state.zero_row, state.zero_time = int(ticks.ends.row[tick]), float(ticks.ends.time[tick])
            elif state.voted:
                state.zeros += scene.settings.tick_battles
                if state.zeros >= scene.settings.zero_battles:
                    return False
        return not np.count_nonzero(state.stopped)

    def _consider(self, state: Feed, scene: Scene, onset: int) -> None:
        facts, play = scene.facts, scene.play
        candidates = play.active & play.in_play[:-1]
        due = candidates & (play.pi_play * (facts.rows - onset) >= EXPECTED)
        # Compare with each model's own last appearance: rare models were last seen long before the outage.
        stopped = due & (play.pi_play * (facts.rows - facts.last_row) >= EXPECTED)
        if 2 * stopped.sum() > due.sum() and 2 * due.sum() > candidates.sum():
            state.stopped = stopped
            state.noticed_row = facts.rows
            last = int(np.argmax(np.where(stopped, facts.last_row, -1)))
            state.since_row, state.since_time = int(facts.last_row[last]), float(facts.last_time[last])

    def settle(self, state: Feed, scene: Scene, *, turned: bool) -> bool:
        """Return whether an outage starts or ends."""
        return turned

    def verdicts(self, state: Feed, scene: Scene) -> list[Verdict]:
        """The current outage, if any."""
        if state.stopped.any():
            missing = np.flatnonzero(self._missing(state, scene))
            names = sorted(scene.facts.roster.subjects[number].name for number in missing)
            evidence: Evidence = {
                "cause": "stopped_together",
                "battles": scene.facts.rows - state.since_row,
                "active_models": int(scene.play.active.sum()),
                "missing_models": len(names),
                "models": names[:NAMED],
            }
            return [self._verdict(state.since_row, state.since_time, evidence)]
        if state.zeros >= scene.settings.zero_battles:
            return [self._verdict(state.zero_row, state.zero_time, {"cause": "zeros", "battles": state.zeros})]
        return []

    def judged(self, state: Feed, scene: Scene) -> Judged:
        """The arena, from its first battle on."""
        if not scene.facts.rows:
            return Judged.not_yet(self.kind, Unjudged.NO_BATTLES)
        return Judged(self.kind, judged=True, since_battle=0)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        since = day(verdict.starts_at)
        if e["cause"] == "zeros":
            return (
                f"Arena {arena} has sent {e['battles']:,} battles in a row without a single vote since {since}: "
                "the feed has turned to zeros."
            )
        if e["cause"] == "silence":
            silent, usual = as_number(e["silent_seconds"]) / 60, as_number(e["usual_seconds"]) / 60
            return (
                f"Arena {arena} has sent nothing for {silent:,.0f} minutes, since {since}; "
                f"its usual silences are shorter than {usual:,.0f} minutes."
            )
        return (
            f"{e['missing_models']:,} of {e['active_models']:,} active models of arena {arena} stopped together at "
            f"{since} ({some(e['models'], e['missing_models'])}): this is reported as a stalled feed and not as so "
            "many removals."
        )

    @staticmethod
    def _missing(state: Feed, scene: Scene) -> NDArray[np.bool_]:
        missing = state.stopped & scene.play.active & (scene.facts.last_row <= state.noticed_row)
        return np.asarray(missing)

    @staticmethod
    def _verdict(row: int, time: float, evidence: Evidence) -> Verdict:
        return Verdict(Subject(), Severity.CRITICAL, str(row), time, evidence)
