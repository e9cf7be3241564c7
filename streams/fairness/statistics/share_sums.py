"""Shiryaev-Roberts sums of bets on declared shares, closed for many ticks at once: see `shiryaev_roberts`.

They differ from `ShiryaevRoberts` by their onsets, which have counts of appearances too, and by their e-values: a
tick's is one number for its battles, the same for every tick of as many, times a product over the subject's few
appearances, so that hardly any exponential is needed.

The e-value of a tick with a policy change is the product over its stretches of constant π, each a conditional e-value,
because the policy in force at a row is known before the row. A stretch is set aside under the old π, and the notice
causes no update: there is one update per `tick_battles` battles, however many notices are sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.odds_bets import OddsBets
from streams.fairness.statistics.shiryaev_roberts import LARGEST

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Numbers = NDArray[np.int64]
NOBODY = np.zeros(0, np.int64)
Ends = tuple[NDArray[np.int64], Vector, Matrix, Matrix]
"""The ends of T ticks: battles and clock, [T], observed and expected appearances, float64[T, S]; see `Mark`."""

REMOVAL, GONE_BET = 0.25, 0.02
"""Weight of the bets on a removal, and the multiple up to which a bet is one."""
STEEPEST = 700.0
"""Largest exponent: e^709 is the largest number."""
FEW = 8.0
"""Appearances in a tick up to which e-values are multiplied."""


def prior(bets: Vector) -> Vector:
    """Weights of the bets, float64[R], which add to 1: the bet on a removal has a quarter, the others share the rest.

    A removal is what most needs to be found soon, and the others lose a quarter of a nat by it, 1.5 % of their time.

    >>> prior(np.array([0.02, 0.5, 2.0])).tolist(), prior(np.array([0.5, 2.0])).tolist()
    ([0.25, 0.375, 0.375], [0.5, 0.5])
    """
    gone = bets <= GONE_BET
    if not gone.any() or gone.all():
        return np.full(bets.size, 1.0 / max(bets.size, 1))
    return np.asarray(np.where(gone, REMOVAL / gone.sum(), (1.0 - REMOVAL) / (~gone).sum()))


@dataclass(slots=True)
class ShareSums:
    """Sums of R bets on S subjects under one null; see `ShiryaevRoberts`, from which it differs by its onsets.

    Attributes
    ----------
    bets
        float64[R], multipliers r of the odds.
    weights
        float64[R], v, their prior weights: see `prior`.
    r, c, bank
        float64[R, S], the sums, the CUSUM beside each, and ℓ of the stretches of the tick that ended at a notice.
    since_row, since_time, since_hits, since_due
        [R, S]: battles, clock, appearances and expected appearances at the last tick with C ≤ 1.
    """

    bets: Vector
    weights: Vector
    r: Matrix
    c: Matrix
    bank: Matrix
    since_row: NDArray[np.int64]
    since_time: Matrix
    since_hits: Matrix
    since_due: Matrix
    banked: bool = False

    @classmethod
    def start(cls, bets: Vector, subjects: int = 0) -> ShareSums:
        """Return the initial state."""
        shape = bets.size, subjects
        return cls(
            bets=bets,
            weights=prior(bets),
            r=np.zeros(shape),
            c=np.zeros(shape),
            bank=np.zeros(shape),
            since_row=np.zeros(shape, np.int64),
            since_time=np.zeros(shape),
            since_hits=np.zeros(shape),
            since_due=np.zeros(shape),
        )

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(self, subjects, "r", "c", "bank", "since_row", "since_time", "since_hits", "since_due")

    def set_aside(self, odds: OddsBets, hits: Vector, battles: float) -> None:
        """Keep a stretch of a tick that ends at a notice, until the tick ends."""
        self.bank += hits * odds.slope + battles * odds.miss
        self.banked = True

    def update(self, odds: OddsBets, hits: Vector, battles: float, mark: Mark) -> Vector:
        """Close a tick; returns float64[S], M then."""
        ends = np.array([mark.row]), np.array([float(mark.time)]), mark.seen[None], mark.due[None]
        m, _ = self.run(odds, hits[None], np.array([float(battles)]), ends)
        return np.asarray(m[0])

    def run(
        self, odds: OddsBets, hits: Matrix, battles: Vector, ends: Ends, watch: Numbers = NOBODY
    ) -> tuple[Matrix, Matrix]:
        """Close T ticks.

        Parameters
        ----------
        hits, battles
            float64[T, S] and float64[T].
        watch
            int64[W], subjects to follow.

        Returns
        -------
        m : float64[T, S]
            M at the ends of the ticks.
        followed : float64[T, 3, R, W]
            R, `since_hits` and `since_due` then, of the subjects to follow.
        """
        m, followed = np.zeros(hits.shape), np.empty((len(hits), 3, self.bets.size, watch.size))
        row, time, seen, due = ends
        changes = [0, *(np.flatnonzero(battles[1:] != battles[:-1]) + 1).tolist(), battles.size]
        for first, until in pairwise(changes):
            part = slice(first, until)
            _close(
                odds.without(float(battles[first])), odds.each, odds.slope, hits[part], self.bank, self.banked,
                row[part], time[part], seen[part], due[part],
                self.r, self.c, self.since_row, self.since_time, self.since_hits, self.since_due,
                self.weights, m[part], watch, followed[part],
            )  # fmt: skip
            self.banked = False
        return m, followed

    def reset(self, subject: int, mark: Mark) -> None:
        """Reset one subject to its initial state."""
        for array in (self.r, self.c, self.bank):
            array[:, subject] = 0.0
        self.since_row[:, subject] = mark.row
        self.since_time[:, subject] = mark.time
        self.since_hits[:, subject] = mark.seen[subject]
        self.since_due[:, subject] = mark.due[subject]


@njit(cache=True)
def _close(  # type: ignore[no-untyped-def]
    without, each, slope, hits, bank, banked, row, time, seen, due,
    r, c, since_row, since_time, since_hits, since_due, weights, m, watch, followed,
):  # fmt: skip
    """R ← (R + 1) e and C ← max(C, 1) e in every tick, for every bet that is made; one that is not stands at 0.

    Bet by bet, so that its row stays in the fastest cache, in loops over subjects that the compiler can vectorise.
    """
    (bets, subjects), ticks = r.shape, len(hits)
    few, most = np.empty(hits.shape, np.int64), 0
    many, several = np.empty(hits.shape, np.int64), np.zeros(ticks, np.int64)
    for tick in range(ticks):
        for subject in range(subjects):
            k = hits[tick, subject]
            if k > FEW or k != np.floor(k):
                many[tick, several[tick]] = subject
                several[tick] += 1
                k = 0.0
            few[tick, subject] = int(k)
            most = max(most, int(k))
    # A product is faster than an exponential, and most subjects are in few battles of a tick.
    powers = np.empty((most + 1, subjects))
    e, last = np.empty(subjects), np.empty(subjects, np.int64)
    for bet in range(bets):
        last[:] = -1
        for tick in range(ticks):
            if tick == 0 or (tick == 1 and banked):
                powers[0] = without[bet]
                if banked and tick == 0:
                    powers[0] *= np.exp(np.minimum(bank[bet], STEEPEST))
                    bank[bet] = 0.0
                for k in range(most):
                    powers[k + 1] = powers[k] * each[bet]
            for subject in range(subjects):
                e[subject] = powers[few[tick, subject], subject]
            for place in range(several[tick]):
                subject = many[tick, place]
                e[subject] *= np.exp(min(slope[bet, subject] * hits[tick, subject], STEEPEST))
            _step(r[bet], c[bet], each[bet], e, weights[bet], m[tick], last, tick)
            for place in range(len(watch)):
                subject, begun = watch[place], last[watch[place]]
                followed[tick, 0, bet, place] = r[bet, subject]
                followed[tick, 1, bet, place] = since_hits[bet, subject] if begun < 0 else seen[begun, subject]
                followed[tick, 2, bet, place] = since_due[bet, subject] if begun < 0 else due[begun, subject]
        for subject in range(subjects):
            tick = last[subject]
            if tick >= 0:
                since_row[bet, subject] = row[tick]
                since_time[bet, subject] = time[tick]
                since_hits[bet, subject] = seen[tick, subject]
                since_due[bet, subject] = due[tick, subject]


@njit(cache=True)
def _step(r, c, each, e, weight, m, last, tick):  # type: ignore[no-untyped-def]
    """One tick of one bet; `last` is the last tick with C ≤ 1."""
    for subject in range(len(e)):
        grown = (r[subject] + 1.0) * e[subject]
        grown = grown if grown < LARGEST else LARGEST
        r[subject] = 0.0 if each[subject] == 1.0 else grown
    for subject in range(len(e)):
        m[subject] += weight * r[subject]
    for subject in range(len(e)):
        grown = (c[subject] if c[subject] > 1.0 else 1.0) * e[subject]
        grown = grown if grown < LARGEST else LARGEST
        c[subject] = 0.0 if each[subject] == 1.0 else grown
        last[subject] = tick if (each[subject] != 1.0) & (c[subject] <= 1.0) else last[subject]
