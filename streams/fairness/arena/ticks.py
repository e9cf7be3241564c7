"""Single battles, and runs of full ticks, as detectors take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.declared_pairs import PairTally
from streams.fairness.arena.past_policies import IN_FORCE
from streams.fairness.arena.stretch import Exposures
from streams.fairness.statistics.cell_evidence import Ends, Levels
from streams.fairness.statistics.expected_share import Vector
from streams.ledger.rows import Rows

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RowBattles:
    """Consecutive exposures, n of them, of one stretch.

    Attributes
    ----------
    rows
        Their first rows.
    a, b
        int64[n], subject numbers, -1 for names without one.
    winner
        uint8[n].
    exposure
        bool[n], those to bet on: the policy in force judges them, and each is known to be a draw of its own. Where
        nothing ties votes to draws, these detectors wait until it is seen that they do not come in bunches, and while
        they do (`draws_unclear`).
    """

    rows: Rows
    a: Numbers
    b: Numbers
    winner: NDArray[np.uint8]
    exposure: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Rows, exposures: Exposures) -> RowBattles:
        """The battles of n exposures and their n first rows."""
        chosen = np.ones(len(rows), np.bool_) if exposures.policy is None else exposures.policy == IN_FORCE
        if exposures.single is not None:
            chosen = chosen & exposures.single
        return cls(rows, exposures.a, exposures.b, exposures.winner, chosen)

    def tick(self, start: int, end: int) -> RowBattles:
        """The battles of one tick; `rows` stays that of the whole stretch, which `RowDetector.prepare` reads."""
        part = slice(start, end)
        return RowBattles(self.rows, self.a[part], self.b[part], self.winner[part], self.exposure[part])


@dataclass(frozen=True, slots=True)
class Ticks:
    """T full ticks in a row, all under the policy in force; the first may have begun before the battles given.

    Attributes
    ----------
    battles
        The battles, of the first tick those that came last.
    ends
        Where the ticks end.
    hits, counted
        float64[T, 3, S] and float64[T, 3], see `Stretch`; of whole ticks.
    votes
        int64[T], exposures with a vote.
    seen, due
        float64[T, S], `ArenaFacts.seen` and `due` at the end of each tick.
    log_m
        float64[T, S], `ShareEvidence.log_m` at the end of each tick.
    watch, since
        int64[W], active models that have the evidence of a page, and float64[2, T, W], observed and expected
        appearances at the onset of the bet with the most of it, at the end of each tick.
    pairs
        What came of comparing `p_pair`, over all ticks.
    levels
        Levels of alarms.
    """

    battles: RowBattles
    ends: Ends
    hits: Vector
    counted: Vector
    votes: Numbers
    seen: Vector
    due: Vector
    log_m: Vector
    watch: Numbers
    since: Vector
    pairs: PairTally
    levels: Levels

    def __len__(self) -> int:
        return len(self.ends.row)

    def part(self, first: int, until: int) -> tuple[RowBattles, Ends]:
        """The battles of the ticks from `first` to before `until`, and the ends of these ticks."""
        start = int(self.ends.place[first - 1]) if first else 0
        chosen = slice(first, until)
        ends = Ends(self.ends.place[chosen] - start, self.ends.row[chosen], self.ends.time[chosen], self.ends.size)
        return self.battles.tick(start, int(self.ends.place[until - 1])), ends
