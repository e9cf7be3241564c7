"""Shiryaev-Roberts sums of many bets on many subjects: evidence whose threshold is a mean time to a false alarm.

Each bet r has a conditional e-value e^ℓ per update (E[e^ℓ | past] ≤ 1 while nothing is wrong). Every update,

    R_r ← (R_r + dt) e^ℓ_r,   M = Σ_r v_r R_r,   Σ v = 1

with dt the length of the update in ticks. R_r starts the bet anew in every tick and adds all these beginnings up, so
it does not forget how to detect; and E R_r ≤ t after t ticks, so M first reaches c after c ticks or more on average
[1]_. The time unit is the tick whatever the rhythm of updates: an update of half a tick has dt = ½.

The bound stays true when a bet is dropped or a subject is reset (R ← 0 only takes from the sum), when ℓ = 0 for a
stretch that is not judged with dt = 0, and for many subjects at once: with weights w_k, Σ w_k ≤ 1, subject k alarms at
M_k ≥ A/w_k, so that Σ w_k M_k − t is a supermartingale and each false alarm takes at least A from it. The mean number
of false alarms in T ticks is then at most T/A. With w_k = 1/K this is one level for all, K·A.

Beside each R a CUSUM C ← max(C, 1) e^ℓ runs; the last update at which C ≤ 1 estimates where the bet began to win. C
decides nothing else.

**Numbers.** R and C are kept as they are, not as logarithms, which saves a logarithm and an exponential per bet. They
end at `LARGEST` = 10³⁰⁰: a sum that is held there is smaller than the true one, so no bound is touched; the evidence
shown ends at 10³⁰⁰. A vanishing R is 0, from which the next update starts the bet anew like any other.

References
----------
.. [1] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
   New England J. Statistics in Data Science (2023), arXiv 2203.03532.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

LARGEST = 1e300
"""Where R and C end."""
STEEPEST = 1400.0
"""Largest |ℓ| of one update: e^±1400 overflows or vanishes, which the ends of R and C catch."""


@dataclass(slots=True)
class ShiryaevRoberts:
    """Sums of R bets on S subjects.

    Attributes
    ----------
    weights
        float64[R], v: the prior weights of the bets, which add to at most 1.
    r
        float64[R, S], the sums; 0 at first.
    c
        float64[R, S], the CUSUM beside each, 1 at first.
    since_row, since_time
        [R, S], battles and clock at the last update with C ≤ 1.
    """

    weights: Vector
    r: Matrix
    c: Matrix
    since_row: NDArray[np.int64]
    since_time: Matrix

    @classmethod
    def start(cls, bets: int, subjects: int = 0, weights: Vector | None = None) -> ShiryaevRoberts:
        """Return the initial state; all bets weigh the same unless `weights` says otherwise."""
        shape = bets, subjects
        return cls(
            weights=np.full(bets, 1.0 / bets) if weights is None else np.asarray(weights, np.float64),
            r=np.zeros(shape),
            c=np.zeros(shape),
            since_row=np.zeros(shape, np.int64),
            since_time=np.zeros(shape),
        )

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`. The onset of a new subject is 0: `reset` it where it begins."""
        grow(self, subjects, "r", "c", "since_row", "since_time")

    def update(self, log_increments: Matrix, dt: float = 1.0, row: int = 0, time: float = 0.0) -> Vector:
        """Close an update.

        Parameters
        ----------
        log_increments
            float64[R, S], ℓ of this update.
        dt
            Length of the update in ticks, that is battles / `tick_battles`.
        row, time
            Battles and clock at its end, for the onset.

        Returns
        -------
        float64[S], log M; −inf where M is 0.

        Examples
        --------
        A constant e-value of 2: R is 2, 6, 14, ...

        >>> sums = ShiryaevRoberts.start(1, 1)
        >>> [round(float(np.exp(sums.update(np.log([[2.0]])))[0]), 6) for _ in range(3)]
        [2.0, 6.0, 14.0]
        """
        _close(
            np.ascontiguousarray(log_increments), float(dt), row, float(time),
            self.r, self.c, self.since_row, self.since_time,
        )  # fmt: skip
        return self.log_e()

    def reset(self, subject: int | NDArray[np.bool_], row: int, time: float) -> None:
        """Reset one subject, or those chosen, to the initial state, from this place on."""
        for array in (self.r, self.c):
            array[:, subject] = 0.0
        self.since_row[:, subject] = row
        self.since_time[:, subject] = time

    def log_e(self, subjects: NDArray[np.int64] | slice = slice(None)) -> Vector:
        """Log M of the chosen subjects, of all by default."""
        with np.errstate(divide="ignore"):  # log 0 = −inf is the value: no evidence yet
            return np.asarray(np.log(self.weights @ self.r[:, subjects]))

    def winner(self, subject: int) -> int:
        """The bet with the most evidence, by index: its `since_row` is the estimated onset."""
        return int(np.argmax(self.weights * self.r[:, subject]))


@njit(cache=True)
def step(r, c, gain, dt):  # type: ignore[no-untyped-def]
    """One bet's R and C after an update with log e-value `gain`."""
    e = np.exp(min(max(gain, -STEEPEST), STEEPEST))
    before = r + dt
    return (min(before * e, LARGEST) if before > 0.0 else 0.0), min(max(c, 1.0) * e, LARGEST)


@njit(cache=True)
def _close(log_increments, dt, row, time, r, c, since_row, since_time):  # type: ignore[no-untyped-def]
    bets, subjects = r.shape
    for bet in range(bets):
        for subject in range(subjects):
            gain = log_increments[bet, subject]
            r[bet, subject], c[bet, subject] = step(r[bet, subject], c[bet, subject], gain, dt)
            if c[bet, subject] <= 1.0:
                since_row[bet, subject] = row
                since_time[bet, subject] = time
