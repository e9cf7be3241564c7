"""Detectors that look at single battles: who met whom, on which side, in which language, and who won.

Such a detector bets on each battle, given that its cell (a model, a model in one stratum, the arena) is in it, with
odds that are known before the battle: from the policy in force, the ratings of the last look, and shares of earlier
reviews. Its evidence is in `Cells`; this file turns it into alerts. One episode is one alert: it is held until the
evidence of recovery suffices.

An alert explains the battles of its cell. What the other cells would learn from those battles is left out (a model
that is always on the left makes each of its opponents appear on the right), so one cause raises one alert.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.context import Scene
from streams.fairness.arena.draws import UNCLEAR
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.detectors.base import Tick, TickDetector, Verdict
from streams.fairness.detectors.share_alarm import LN10, SEVERITY, rounded
from streams.fairness.statistics.cell_evidence import FREE, PAGED, WARNED, Cells, close_tick


@dataclass(slots=True)
class RowEvidence:
    """State of a detector whose cells are the subjects; `tables` counts the changes of its odds within a policy."""

    cells: Cells
    tables: int = 0


RowState = TypeVar("RowState", bound=RowEvidence)


class RowDetector(TickDetector[RowState]):
    """Common base: cells are subject numbers unless a subclass says otherwise."""

    def resize(self, state: RowState, subjects: int) -> None:
        """Grow the cells to `subjects`."""
        state.cells.resize(subjects)

    def prepare(self, state: RowState, scene: Scene, battles: RowBattles) -> Any:
        """Return what `rows` needs from the rows of a stretch, computed once for its ticks."""
        return None

    @abstractmethod
    def rows(self, state: RowState, scene: Scene, battles: RowBattles, prepared: Any, start: int) -> None:
        """Add the battles of a tick, or of a part of it; `start` is their place in the stretch that was prepared."""

    @abstractmethod
    def watched(self, state: RowState, play: Play) -> Mask:
        """bool[C], the cells that are tested; a cell that joins or leaves them is reset."""

    @abstractmethod
    def evidence(self, state: RowState, scene: Scene, cell: int) -> Evidence:
        """Evidence of a held alarm, beside what `verdicts` adds for every detector."""

    def admits(self, state: RowState, scene: Scene, cell: int) -> bool:
        """Whether a cell with enough evidence is a cause of its own; withholding an alert costs no guarantee."""
        return True

    def turned(self, state: RowState, scene: Scene, cell: int, *, held: bool) -> None:
        """Process that a cell's alarm was raised or resolved."""

    def claims(self, state: RowState, scene: Scene) -> int:
        """Number of cells that can page."""
        return int(np.count_nonzero(self.watched(state, scene.play))) if scene.declares else 0

    def tick(self, state: RowState, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Update the evidence at the end of a tick."""
        if closes:
            self.close(state, scene)

    def close(self, state: RowState, scene: Scene) -> None:
        """Update the cells."""
        state.cells.close(scene.facts.rows, scene.facts.clock, scene.settings.tick_battles)

    def calm(self, state: RowState, scene: Scene, ticks: Ticks) -> bool:
        """Run ticks in which no cell reaches a level."""
        return not state.cells.near(ticks.levels) and self.run(state, scene, ticks)

    def run(self, state: RowState, scene: Scene, ticks: Ticks) -> bool:
        """Add the battles of ticks and update the cells at the end of each; return whether none reached a level."""
        prepared, arrays, start = self.prepare(state, scene, ticks.battles), state.cells.arrays, 0
        for end, row, time in zip(*(each.tolist() for each in ticks.ends[:3]), strict=True):
            self.rows(state, scene, ticks.battles.tick(start, end), prepared, start)
            state.cells.highest, near = close_tick(arrays, row, time, ticks.ends.size, ticks.levels)
            if near:
                return False
            start = end
        return True

    def settle(self, state: RowState, scene: Scene, *, turned: bool) -> bool:
        """Raise and resolve alerts; when an outage ends, first reset all cells without a held alarm."""
        if turned and not scene.facts.outage:
            self.reset(state, scene, state.cells.held == FREE)
        changed = False
        for cell in state.cells.recovered(scene.settings.recovery_level):
            self.release(state, scene, cell)
            changed = True
        if scene.facts.outage or state.cells.highest < scene.warning_level:
            return changed
        for level, severity in ((scene.page_level, PAGED), (scene.warning_level, WARNED)):
            for cell in state.cells.above(level, below=severity):
                if state.cells.held[cell] != FREE or self.admits(state, scene, cell):
                    self.raise_alarm(state, scene, cell, severity)
                    changed = True
        return changed

    def raise_alarm(self, state: RowState, scene: Scene, cell: int, severity: int) -> None:
        """Hold an alarm; the odds of the other cells leave its battles out from here on."""
        fresh = state.cells.held[cell] == FREE
        state.cells.hold(cell, severity)
        if fresh:
            state.tables += 1
            self.turned(state, scene, cell, held=True)

    def release(self, state: RowState, scene: Scene, cell: int) -> None:
        """Resolve an alarm."""
        self.reset(state, scene, np.array([cell]))
        self.turned(state, scene, cell, held=False)

    def reset(self, state: RowState, scene: Scene, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> None:
        """Reset cells: it only takes evidence away."""
        state.cells.reset(chosen, scene.facts.rows, scene.facts.clock)
        state.tables += 1

    def follow(self, state: RowState, scene: Scene, before: Play) -> bool:
        """Reset the cells that start or stop being tested; no alert of these kinds puts a model out of play."""
        now, then = self.watched(state, scene.play), self.watched(state, before)
        known = np.zeros(now.size, np.bool_)
        known[: then.size] = then
        if (now != known).any():
            self.reset(state, scene, now != known)
        return False

    def subject(self, scene: Scene, cell: int) -> Subject:
        """Whom an alert of this cell is about."""
        return scene.facts.roster.subjects[cell]

    def verdicts(self, state: RowState, scene: Scene) -> list[Verdict]:
        """All held alarms."""
        return [
            self.verdict_of(state.cells, scene, cell, self.subject(scene, cell), self.evidence(state, scene, cell))
            for cell in np.flatnonzero(state.cells.held).tolist()
        ]

    @staticmethod
    def verdict_of(cells: Cells, scene: Scene, cell: int, subject: Subject, evidence: Evidence) -> Verdict:
        """The verdict of a held alarm, with the figures that all these kinds have."""
        return Verdict(
            subject=subject,
            severity=SEVERITY[int(cells.held[cell])],
            onset=str(int(cells.from_row[cell])),
            starts_at=float(cells.from_time[cell]),
            evidence=evidence
            | {
                "battles": scene.facts.rows - int(cells.from_row[cell]),
                "log10_e": rounded(float(cells.peak[cell]) / LN10),
                "log10_page": rounded(scene.page_level / LN10),
            },
        )

    def judged(self, state: RowState, scene: Scene) -> Judged:
        """The cells that are tested, since the policy came into force."""
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        subjects = int(np.count_nonzero(self.watched(state, scene.play)))
        if not subjects:
            return Judged.not_yet(self.kind, Unjudged.NO_POLICY)
        if scene.facts.rows - scene.epoch.since_row < scene.settings.tick_battles:
            return Judged.not_yet(self.kind, Unjudged.NO_BATTLES)
        if scene.facts.outage:
            return Judged.not_yet(self.kind, Unjudged.FEED_STALLED)
        if (waiting := self._waiting(scene)) is not None:
            return Judged.not_yet(self.kind, waiting)
        epoch = scene.epoch
        return Judged(self.kind, judged=True, subjects=subjects, since=epoch.since_time, since_battle=epoch.since_row)

    @staticmethod
    def _waiting(scene: Scene) -> Unjudged | None:
        """Why these detectors bet on few battles or none: for most votes it is not known whether they are one draw."""
        draws = scene.facts.draws
        votes = draws.last + draws.sorts
        if (draws.counted_single and draws.votes_per_draw == 1.0) or votes[UNCLEAR] <= votes[:4].sum() / 2:
            return None
        return Unjudged.DRAWS_UNKNOWN if draws.votes_per_draw == 1.0 else Unjudged.DRAWS_UNCLEAR


class ModelRowDetector(RowDetector[RowState]):
    """A detector whose cells are the models in play."""

    def watched(self, state: RowState, play: Play) -> Mask:
        """bool[S], models in play."""
        return play.in_play[:-1]
