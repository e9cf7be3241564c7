"""Evidence that a model's votes have stopped: an e-process against "it still gets at least half of its usual share".

In a span in which the others gain `m` votes a model with the usual odds ρ expects e = ρ·m. Votes come in clumps and
shares move, so a count is not Poisson but negative binomial: mean μ, variance μ + φμ², with φ learned from how all
models of the file missed their own expectation in the past. A bet on the multiple r of the baseline pays

    ℓ_r = k ln(r/b) − (k + 1/φ) [ln(1 + φ r e) − ln(1 + φ b e)],   b = 1/2

whose exponential has mean at most 1 whenever the true mean is b·e or more (the ratio falls with k, and larger means
give larger k). Each bet is summed as a CUSUM, log C_r ← max(0, log C_r) + ℓ_r, and M is their mean: M ≥ c comes by
chance, on average, no sooner than after c spans of one model (Shin, Ramdas and Rinaldo 2022), if φ is right.

Totals are corrected, too: a change is the count plus a correction, which is taken as Laplace of scale s, measured on
falls (`noise.py`). The ratio of two Laplace densities about r·e and b·e says how much a change can speak for a stop
when corrections alone decide; a bet pays the smaller of the two.
"""

from __future__ import annotations

import numpy as np

from streams.audit.board.history import Matrix

STILL = 0.5
"""b: a model with this part of its usual share has not stopped."""

STOPPED = np.array([0.005, 0.02, 0.05])
"""Bets r on a model that has stopped."""

BACK = np.array([0.3, 1.0])
"""Bets r on a model that is back."""

AWAY = 0.1
"""Up to this part of its usual share a model is not back."""

ALARM = 1e3
"""c: evidence from which votes count as stopped."""

RETURN = 1e3
"""Evidence from which votes count as back, ..."""

RETURN_PART = 0.002
"""... if they are this part of the model's total: corrections give back a few votes, too."""


def bet(change: Matrix, expected: Matrix, spread: float, scale: Matrix, on: Matrix, against: float) -> Matrix:
    """Log-likelihood ratios of negative binomial counts with Laplace corrections: float64[n, R].

    Parameters
    ----------
    change, expected
        float64[n]: k, which a correction may make negative, and e.
    spread
        φ, above zero.
    scale
        float64[n]: Laplace scales s of the corrections, 0 without any.
    on
        float64[R]: multiples of e that are bet on.
    against
        The multiple of e that is doubted.

    Examples
    --------
    Nothing where 100 votes were expected, with φ = 0.1, is worth a factor of 10^7 for the smallest bet; of 12 when
    corrections have a scale of 20:

    >>> bet(np.array([0.0, 50.0]), np.array([100.0, 100.0]), 0.1, np.zeros(2), STOPPED, STILL).round(1).tolist()
    [[17.4, 16.1, 13.9], [-125.7, -64.4, -32.0]]
    >>> bet(np.array([0.0]), np.array([100.0]), 0.1, np.array([20.0]), STOPPED, STILL).round(1).tolist()
    [[2.5, 2.4, 2.2]]
    """
    x, e, s = change[:, None], expected[:, None], scale[:, None]
    k = np.maximum(x, 0.0)
    size = 1.0 / spread
    counted = k * np.log(on / against) - (k + size) * (np.log1p(spread * on * e) - np.log1p(spread * against * e))
    corrected = (np.abs(x - against * e) - np.abs(x - on * e)) / np.where(s > 0, s, 1.0)
    return np.asarray(np.where(s > 0, np.minimum(counted, corrected), counted))


def mean_of(logs: Matrix) -> Matrix:
    """Log of the mean of the exponentials along the last axis: M from the log C_r.

    >>> round(float(mean_of(np.array([[0.0, 0.0, 0.0]]))[0]), 12)
    0.0
    """
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.mean(np.exp(logs - top[..., None]), axis=-1)))


class Spread:
    """φ, learned from the past: how far counts miss their expectation beyond chance.

    Begins as if ten spans had missed by 39 % and moves with each span of a running model that expected 20 votes or
    more.

    >>> spread = Spread()
    >>> spread.learn(np.full(90, 110.0), np.full(90, 100.0), np.zeros(90))
    >>> round(spread.value, 3)
    0.015
    """

    def __init__(self) -> None:
        self._sum, self._count = 1.5, 10.0

    @property
    def value(self) -> float:
        """φ, between 0.005 (Poisson, nearly) and 1 (anything)."""
        return float(min(1.0, max(0.005, self._sum / self._count)))

    def learn(self, gained: Matrix, expected: Matrix, scale: Matrix) -> None:
        """Take in spans of models that were running, less what chance and corrections (variance 2s²) explain."""
        enough = expected >= 20
        k, e, s = gained[enough], expected[enough], scale[enough]
        self._sum += float(np.clip((k / e - 1) ** 2 - 1 / e - 2 * (s / e) ** 2, -1.0, 4.0).sum())
        self._count += float(enough.sum())
