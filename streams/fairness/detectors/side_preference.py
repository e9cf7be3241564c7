"""Side preference: votes for the left answer are more or less frequent than they used to be.

Voters favour one side a little, each arena its own. The first `LEARNING` decisive votes give the usual share p of
left wins with its standard error; after that a bet on odds r tests each decisive vote against p ± 3 standard errors.
Sides are drawn by a coin, so the share does not depend on which models play, and a drift has other causes: a script
that votes for one side, a page that shows one answer first, votes that are recorded on the wrong side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

from streams.contracts.alert import Evidence, Kind, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, percent
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.detectors.base import Verdict
from streams.fairness.detectors.row_detector import RowDetector, RowEvidence
from streams.fairness.detectors.share_alarm import rounded
from streams.fairness.statistics.cell_evidence import Cells, close_tick
from streams.fairness.statistics.expected_share import Vector

LEARNING = 50_000
"""Decisive votes that give the usual share; its standard error is 0.22 % then."""
ERRORS = 3.0
BETS = (0.3, 0.5, 0.67, 0.8, 0.88, 1.0 / 0.88, 1.25, 1.5, 2.0, 3.3)
"""Odds of a left win, against those of the end of the band."""
MILD = (0.9, 1.0 / 0.9)


@dataclass(slots=True)
class Preference(RowEvidence):
    """State; one cell, the arena. `left` and `decisive` are the votes that give the usual share."""

    cells: Cells = field(default_factory=lambda: Cells.start(tuple(int(odds > 1) for odds in BETS), 1))
    left: int = 0
    decisive: int = 0

    @property
    def share(self) -> float:
        """The usual share of left wins."""
        return self.left / self.decisive if self.decisive else 0.5


class SidePreference(RowDetector[Preference]):
    """Checks the arena, with or without a registry. Resolves on evidence that the usual share is back."""

    kind = Kind.SIDE_PREFERENCE

    def resize(self, state: Preference, subjects: int) -> None:
        """The one cell is the arena's."""

    def watched(self, state: Preference, play: Play) -> Mask:
        """bool[1]."""
        return np.array([state.decisive >= LEARNING])

    def claims(self, state: Preference, scene: Scene) -> int:
        """The arena."""
        return 1

    def rows(self, state: Preference, scene: Scene, battles: RowBattles, prepared: Any, start: int) -> None:
        """Bet on each decisive vote, or learn from it, but not while the feed is stalled."""
        winner, exposure = battles.winner, battles.exposure
        if state.decisive < LEARNING:
            if scene.facts.outage:
                return
            places = np.flatnonzero(exposure & (winner <= 1))[: LEARNING - state.decisive]
            state.left += int(np.count_nonzero(winner[places] == 0))
            state.decisive += places.size
            if state.decisive < LEARNING:
                return
            rest = int(places[-1]) + 1
            winner, exposure = winner[rest:], exposure[rest:]
        cells = state.cells
        _bet(
            winner, exposure, *_odds(state.share), len(BETS), state.share,
            cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip

    def run(self, state: Preference, scene: Scene, ticks: Ticks) -> bool:
        """Bet on the votes of ticks; those that are learned from need no look at every tick."""
        battles, cells = ticks.battles, state.cells
        if state.decisive < LEARNING:
            if state.decisive + np.count_nonzero(battles.exposure & (battles.winner <= 1)) >= LEARNING:
                return super().run(state, scene, ticks)
            self.rows(state, scene, battles, None, 0)
            cells.highest = 0.0
            return True
        cells.highest, near = _run(
            battles.winner, battles.exposure, *_odds(state.share), len(BETS), state.share,
            cells.arrays, ticks.ends, ticks.levels,
        )  # fmt: skip
        return not near

    def follow(self, state: Preference, scene: Scene, before: Play) -> bool:
        """A policy does not change how voters choose a side."""
        return False

    def subject(self, scene: Scene, cell: int) -> Subject:
        """The arena."""
        return Subject()

    def evidence(self, state: Preference, scene: Scene, cell: int) -> Evidence:
        """The share of left wins now and before."""
        trials, seen, _ = state.cells.counted(cell)
        return {
            "decisive_votes": int(trials),
            "left_share": rounded(seen / trials if trials else 0.0),
            "usual_share": rounded(state.share),
            "learned_votes": state.decisive,
        }

    def judged(self, state: Preference, scene: Scene) -> Judged:
        """The arena, once its usual share is known."""
        if state.decisive < LEARNING:
            return Judged.not_yet(self.kind, Unjudged.NO_USUAL_VALUE)
        if scene.facts.outage:
            return Judged.not_yet(self.kind, Unjudged.FEED_STALLED)
        return Judged(self.kind, judged=True)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"{percent(e['left_share'])} of {e['decisive_votes']:,} decisive votes of arena {arena} are for the left "
            f"answer since about {day(verdict.starts_at)}, where {percent(e['usual_share'])} are usual, evidence of "
            f"10^{e['log10_e']:.1f} to 1."
        )


@lru_cache(maxsize=16)
def _odds(share: float) -> tuple[Vector, Vector]:
    """Log e-values of the bets and mild deviations: on a left win, and on a right one; kept, as every tick asks."""
    error = np.sqrt(share * (1.0 - share) / LEARNING)
    r = np.array([*BETS, *MILD])
    edge = np.clip(np.where(r > 1, share + ERRORS * error, share - ERRORS * error), 1e-6, 1.0 - 1e-6)
    total = 1.0 - edge + r * edge
    return np.log(r / total), -np.log(total)


@njit(cache=True)
def _bet(winner, exposure, left, right, bets, share, gain, waiting, trials, seen, due):  # type: ignore[no-untyped-def]
    columns = len(left)
    for row in range(len(winner)):
        if winner[row] > 1 or not exposure[row]:
            continue
        for column in range(columns):
            amount = left[column] if winner[row] == 0 else right[column]
            gain[0, column] += amount
            if column >= bets:
                gain[0, column + 2] -= amount
        trials[0] += 1.0
        seen[0, 0] += 1.0 if winner[row] == 0 else 0.0
        due[0, 0] += share
        waiting[0] += 1


@njit(cache=True)
def _run(winner, exposure, left, right, bets, share, cells, ends, levels):  # type: ignore[no-untyped-def]
    """Bet on the votes of ticks, and close each; returns as `close_tick`, `near` of any."""
    start, highest, near = 0, 0.0, False
    for tick in range(len(ends.place)):
        part = slice(start, ends.place[tick])
        _bet(
            winner[part], exposure[part], left, right, bets, share,
            cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip
        highest, reached = close_tick(cells, ends.row[tick], ends.time[tick], ends.size, levels)
        near, start = near or reached, ends.place[tick]
    return highest, near
