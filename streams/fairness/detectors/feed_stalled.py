"""Stalled feed, as far as the ledger itself shows it: most models stop together, or nobody votes on anything any more.

A fleet-wide cause is one alert and not two hundred removals. When a removal or a drift is about to be reported, the
active models that should have been seen at least three times since its onset are looked at. If they are more than half
of all active models, and more than half of them were absent for so long (a healthy one is with probability e⁻³), the
feed is reported instead, and nobody is accused until half of those that stopped are back or declared out. Models that
were removed before are out of play and not looked at, so absences of different times do not add up.

A feed that turned to zeros goes on sending battles, and none of them has a vote. Even where only one battle in a
hundred is voted on, 2,000 in a row without a vote have a probability of 2e-9; so such a run is a fault.

Silence is not seen here, for a ledger without rows says nothing: `rhythm` judges it in wall time, with the same kind
and subject.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, some
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.detectors.base import NAMED, Tick, TickDetector, Verdict

EXPECTED = 3.0
"""Expected appearances from which an absence means something: alone it is 5 % chance, in half of a fleet none, and
waiting for more would let the models that go on be reported first, as rises."""


@dataclass(slots=True)
class Feed:
    """State: the outage under way, if any.

    Attributes
    ----------
    stopped
        bool[S], the models that stopped together; none when there is no outage.
    noticed_row
        Battles when it was noticed: a model seen later is back.
    since_row, since_time
        Where they stopped.
    zeros
        Battles in a row without a vote, whole ticks; `zero_row` and `zero_time` are where they began.
    voted
        Whether there ever was a vote: a feed that starts with zeros has not turned to them.
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
    """Judges the arena as a whole."""

    kind = Kind.FEED_STALLED

    def resize(self, state: Feed, subjects: int) -> None:
        """Make room for new subjects."""
        grow(state, subjects, "stopped")

    def tick(self, state: Feed, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Take in a closed tick: whether anybody voted, and who is back."""
        if not closes:
            return
        if scene.facts.tick_votes:
            state.zeros, state.zero_row, state.zero_time, state.voted = 0, scene.facts.rows, scene.facts.clock, True
        elif state.voted:
            state.zeros += scene.settings.tick_battles
        if np.count_nonzero(state.stopped) and 2 * self._missing(state, scene).sum() <= state.stopped.sum():
            state.stopped[:] = False

    def explains(self, state: Feed, scene: Scene, onset: int | None) -> bool:
        """Tell whether what is missing since `onset` is one of many that stopped there, or nobody votes at all."""
        if onset is not None and not np.count_nonzero(state.stopped):
            self._consider(state, scene, onset)
        return bool(np.count_nonzero(state.stopped)) or state.zeros >= scene.settings.zero_battles

    def _consider(self, state: Feed, scene: Scene, onset: int) -> None:
        facts, play = scene.facts, scene.play
        candidates = play.active & play.in_play[:-1]
        due = candidates & (play.pi_play * (facts.rows - onset) >= EXPECTED)
        # Against each one's own last appearance: rare models were last seen long before all of them stopped.
        stopped = due & (play.pi_play * (facts.rows - facts.last_row) >= EXPECTED)
        if 2 * stopped.sum() > due.sum() and 2 * due.sum() > candidates.sum():
            state.stopped = stopped
            state.noticed_row = facts.rows
            last = int(np.argmax(np.where(stopped, facts.last_row, -1)))
            state.since_row, state.since_time = int(facts.last_row[last]), float(facts.last_time[last])

    def settle(self, state: Feed, scene: Scene, *, turned: bool) -> bool:
        """Tell that an outage begins or ends."""
        return turned

    def verdicts(self, state: Feed, scene: Scene) -> list[Verdict]:
        """The outage under way."""
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
        e: Any = verdict.evidence
        since = day(verdict.starts_at)
        if e["cause"] == "zeros":
            return (
                f"Arena {arena} has sent {e['battles']:,} battles in a row without a single vote since {since}: "
                "the feed has turned to zeros."
            )
        if e["cause"] == "silence":
            return (
                f"Arena {arena} has sent nothing for {e['silent_seconds'] / 60:,.0f} minutes, since {since}; "
                f"its usual silences are shorter than {e['usual_seconds'] / 60:,.0f} minutes."
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
