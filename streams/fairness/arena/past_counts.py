"""Counts of the past at places that get sparser with age: what was seen since about any place, in bounded memory.

Level l holds the marks of the last `KEPT` ticks whose number is a multiple of 4^l, so that for every age up to 4⁸ ticks
(6.5 million battles at 100 a tick) there is a mark that is at least a third as old and not older.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow
from streams.fairness.statistics.cell_evidence import Ends

LEVELS, KEPT = 8, 3
PLACES = LEVELS * KEPT
Vector = NDArray[np.float64]


@dataclass(slots=True)
class PastCounts:
    """Marks; S subjects.

    Attributes
    ----------
    row
        int64[`PLACES`], battles at each mark; -1 where there is none yet.
    seen, due
        float64[`PLACES`, S], observed and expected appearances at each mark.
    """

    row: NDArray[np.int64] = field(default_factory=lambda: np.full(PLACES, -1, np.int64))
    seen: Vector = field(default_factory=lambda: np.zeros((PLACES, 0)))
    due: Vector = field(default_factory=lambda: np.zeros((PLACES, 0)))

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(self, subjects, "seen", "due")

    def note(self, tick: int, row: int, seen: Vector, due: Vector) -> None:
        """Mark the end of tick number `tick`, counted from 1."""
        for level in range(LEVELS):
            step = 4**level
            if tick % step:
                return
            place = level * KEPT + tick // step % KEPT
            self.row[place], self.seen[place], self.due[place] = row, seen, due

    def note_all(self, ends: Ends, seen: Vector, due: Vector) -> None:
        """Mark the ends of T ticks; `seen` and `due` are float64[T, S]. Marks that later ones replace are left out."""
        last = len(ends.row) - KEPT
        for place, row in enumerate(ends.row.tolist()):
            tick = row // int(ends.size)
            if place >= last or tick % 4 == 0:
                self.note(tick, row, seen[place], due[place])

    def since(self, row: int) -> int | None:
        """The oldest mark at or after `row`; None when there is none."""
        marks = np.flatnonzero(self.row >= row)
        return int(marks[np.argmin(self.row[marks])]) if marks.size else None
