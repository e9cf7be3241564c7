"""A share learned from its own past, and Shiryaev-Roberts evidence that it has risen: for many subjects at once.

Counts come in units (reviews), k of n for each subject. The first `LEARN_UNITS` units with at least `LEARN_TRIALS`
trials give the usual share p̂ = (k + 1)/(n + 2). Losses come in bursts, so the units also give Pearson's dispersion
φ = Σ (k − n p̂)²/(n p̂ (1 − p̂))/(units − 1), of the subject or of all subjects together, whichever is larger, and at
least 1. From then on the bound on the share is

    b = the larger of FLOOR and (1 + δ)·odds(p̂ + 3·√(φ p̂ (1 − p̂)/n)), as a share

and each unit has, for bets r on the odds scale, p_r = r·b/(1 − b + r·b),

    ℓ_r = [k ln(p_r/b) + (n − k) ln((1 − p_r)/(1 − b))]/φ

E[e^ℓ] ≤ 1 for independent trials with a share of at most b, for every φ ≥ 1 (Jensen). Where trials of a unit are
dependent, the division by φ is the quasi-likelihood's correction [1]_, exact only for the variance: evidence of this
kind informs and does not page.

References
----------
.. [1] P. McCullagh, J. Nelder, "Generalized Linear Models" (1989), chapter 9.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow
from streams.fairness.statistics.expected_share import Vector
from streams.fairness.statistics.shiryaev_roberts import ShiryaevRoberts

BETS = np.array([1.5, 2.0, 4.0, 16.0, 64.0])
LEARN_UNITS, LEARN_TRIALS = 20, 1_000
FLOOR = 0.002
"""Smallest bound: a share below it is nobody's concern, whatever it was before."""
QUIET = 3
"""Units in a row at or below the bound that end an alarm."""


def _zeros() -> Vector:
    return np.zeros(0)


def _numbers() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class LearnedShare:
    """State of S subjects, all arrays [S] but those of `sums`.

    Attributes
    ----------
    units, hits, trials, squares
        Units learned from, their counts, and Σ k²/n.
    sums
        Evidence of a rise.
    alarmed
        bool, whether the subject is in alarm; `row` and `time` say since when, and `log_e` the evidence then.
    quiet
        Units in a row at or below the bound.
    last_hits, last_trials
        Counts since the alarm's onset, or of the last unit without an alarm.
    """

    units: NDArray[np.int64] = field(default_factory=_numbers)
    hits: Vector = field(default_factory=_zeros)
    trials: Vector = field(default_factory=_zeros)
    squares: Vector = field(default_factory=_zeros)
    sums: ShiryaevRoberts = field(default_factory=lambda: ShiryaevRoberts.start(BETS.size))
    alarmed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    quiet: NDArray[np.int64] = field(default_factory=_numbers)
    row: NDArray[np.int64] = field(default_factory=_numbers)
    time: Vector = field(default_factory=_zeros)
    log_e: Vector = field(default_factory=_zeros)
    last_hits: Vector = field(default_factory=_zeros)
    last_trials: Vector = field(default_factory=_zeros)

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(
            self, subjects, "units", "hits", "trials", "squares", "alarmed", "quiet", "row", "time", "log_e",
            "last_hits", "last_trials",
        )  # fmt: skip
        self.sums.resize(subjects)

    @property
    def learned(self) -> NDArray[np.bool_]:
        """bool[S], the subjects with a usual share."""
        return (self.units >= LEARN_UNITS) & (self.trials >= LEARN_TRIALS)

    @property
    def usual(self) -> Vector:
        """float64[S], p̂."""
        return (self.hits + 1.0) / (self.trials + 2.0)

    @property
    def dispersion(self) -> Vector:
        """float64[S], φ: the subject's own, or that of all learned subjects together where it is larger."""
        p, freedom = self.usual, np.maximum(self.units - 1, 1)
        chi = (self.squares - 2.0 * p * self.hits + p * p * self.trials) / (p * (1.0 - p))
        known = self.learned
        together = chi[known].sum() / freedom[known].sum() if known.any() else 1.0
        return np.maximum(np.maximum(chi / freedom, together), 1.0)

    def bound(self, delta: float) -> Vector:
        """float64[S], b for a tolerance δ."""
        p = self.usual
        high = np.minimum(p + 3.0 * np.sqrt(self.dispersion * p * (1.0 - p) / (self.trials + 2.0)), 0.999)
        odds = (1.0 + delta) * high / (1.0 - high)
        return np.maximum(odds / (1.0 + odds), FLOOR)

    def update(self, k: Vector, n: Vector, delta: float, level: float, dt: float, row: int, time: float) -> None:
        """Close a unit.

        Parameters
        ----------
        k, n
            float64[S], hits and trials; subjects without trials are left as they are.
        delta
            Half-width of the tolerance band on the odds.
        level
            ln c of an alarm.
        dt
            Length of the unit in ticks.
        row, time
            Battles and clock at its end.
        """
        seen, learned = n > 0, self.learned
        fresh = seen & ~learned
        self.units[fresh] += 1
        self.hits[fresh] += k[fresh]
        self.trials[fresh] += n[fresh]
        self.squares[fresh] += k[fresh] ** 2 / n[fresh]
        b, phi = self.bound(delta), self.dispersion
        judged = seen & learned
        odds = BETS[:, None] * (b / (1.0 - b))
        bet = odds / (1.0 + odds)
        gain = (k * np.log(bet / b) + (n - k) * (np.log1p(-bet) - np.log1p(-b))) / phi
        log_e = self.sums.update(np.where(judged, gain, 0.0), dt, row, time)
        high = k > b * n
        self.quiet[seen] = np.where(high, 0, self.quiet + 1)[seen]
        self.last_hits = np.where(self.alarmed, self.last_hits + k, k)
        self.last_trials = np.where(self.alarmed, self.last_trials + n, n)
        for subject in np.flatnonzero(judged & ~self.alarmed & (log_e >= level)).tolist():
            best = self.sums.winner(subject)
            self.alarmed[subject], self.log_e[subject] = True, log_e[subject]
            self.row[subject], self.time[subject] = (
                self.sums.since_row[best, subject],
                self.sums.since_time[best, subject],
            )
        self.log_e[self.alarmed] = np.maximum(self.log_e, log_e)[self.alarmed]
        over = ~learned | (self.alarmed & (self.quiet >= QUIET))
        self.alarmed[over] = False
        self.sums.reset(over, row, time)

    def relearn(self, before: float) -> None:
        """Learn anew what is usual for the subjects whose alarm began before a time, epoch seconds."""
        old = self.alarmed & (self.time < before)
        for array in (self.units, self.hits, self.trials, self.squares, self.alarmed):
            array[old] = 0
