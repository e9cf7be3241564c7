"""Evidence that a model's votes have stopped: an e-process against "it still gets at least half of its usual share".

In a span of m units of the clock (`detect.Clock`), a model with a baseline of ρ votes per unit expects e = ρ·m votes.
Votes come in clumps and shares move, so a count is not Poisson but negative binomial: mean μ, variance μ + φμ², with φ
learned from the past deviations of all models of the file from their expectations. A bet on the multiple r of the
baseline pays

    ℓ_r = k ln(r/b) − (k + 1/φ) [ln(1 + φ r e) − ln(1 + φ b e)],   b = 1/2

whose exponential has mean at most 1 whenever the true mean is b·e or more (the ratio falls with k, and larger means
give larger k). Each bet is summed as a CUSUM, log C_r ← max(0, log C_r) + ℓ_r, and M is the mean of the C_r: if φ is
right, M ≥ c happens by chance no sooner than after c spans of one model, on average (Shin, Ramdas and Rinaldo 2022).

Sources also correct totals: a change is the count plus a correction, modelled as Laplace with scale s, estimated from
falls. The ratio of the Laplace densities about r·e and b·e is the evidence for a stop if corrections alone
decide the change; a bet pays the smaller of the two.
"""

from __future__ import annotations

from bisect import insort
from math import log

import numpy as np
from numpy.typing import ArrayLike

from streams.audit.board.history import Matrix

STILL = 0.5
"""b: a model with at least this part of its usual share has not stopped."""

STOPPED = np.array([0.005, 0.02, 0.05])
"""Multiples r to bet on for a model that has stopped."""

BACK = np.array([0.3, 1.0])
"""Multiples r to bet on for a model that is back."""

AWAY = 0.1
"""A model with at most this part of its usual share is not back."""

ALARM = 1e3
"""c: evidence from which votes count as stopped."""

RETURN = 1e3
"""Evidence from which votes count as back, ..."""

RETURN_PART = 0.002
"""... if they are at least this part of the model's total, because corrections also add a few votes."""


def bet(change: Matrix, expected: Matrix, spread: float, scale: Matrix, on: Matrix, against: float) -> Matrix:
    """Log-likelihood ratios of negative binomial counts with Laplace corrections: float64[n, R].

    Parameters
    ----------
    change, expected
        float64[n]: the change, which a correction may make negative, and e.
    spread
        φ, above zero.
    scale
        float64[n]: Laplace scales s of the corrections, 0 without corrections.
    on
        float64[R]: multiples of e to bet on.
    against
        The multiple of e under the null.

    Examples
    --------
    No votes where 100 were expected, with φ = 0.1, multiply the smallest bet by more than 10^7; by 12 if corrections
    have a scale of 20:

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


class Overdispersion:
    """φ, learned from the past: how far counts deviate from their expectation beyond chance.

    Starts as if ten spans had deviated by 39 %; each span of a running model with 20 or more expected votes updates it.

    >>> spread = Overdispersion()
    >>> spread.learn(np.full(90, 110.0), np.full(90, 100.0), np.zeros(90))
    >>> round(spread.value, 3)
    0.015
    """

    def __init__(self) -> None:
        self._sum, self._count = 1.5, 10.0

    @property
    def value(self) -> float:
        """φ, limited to 0.005 (nearly Poisson) to 1 (almost any count is possible)."""
        return float(min(1.0, max(0.005, self._sum / self._count)))

    def learn(self, gained: Matrix, expected: Matrix, scale: Matrix) -> None:
        """Add spans of running models: squared deviations less what chance and corrections (variance 2s²) explain."""
        enough = expected >= 20
        k, e, s = gained[enough], expected[enough], scale[enough]
        self._sum += float(np.clip((k / e - 1) ** 2 - 1 / e - 2 * (s / e) ** 2, -1.0, 4.0).sum())
        self._count += float(enough.sum())


OFTEN = 0.01
"""An interval counts as one with corrections when more than this part of its changes is negative."""

PRIOR = 4
"""Weight of the usual scale beside a model's own corrections, as a number of corrections."""

RARE = log(1e6)
"""Corrections feign the growth that a baseline needs at most once in 1e6 cases (natural logarithm)."""

FALL = 4.0
"""A fall moves a baseline by at most this many scales; a larger one is a single correction."""


class Noise:
    """Laplace scales of the corrections of each model, learned from the past.

    Corrections are as often negative as positive, so the falls show their size: the median fall is ln 2 scales, the
    0.9 quantile ln 10. Each interval gives both estimates of the scale, and the medians over the intervals are used, so
    no single large fall or wave moves them. Where some models are corrected far more than others, the 0.9 quantile
    shows the scale of those.

    >>> noise = Noise(2)
    >>> noise.learn(np.array([-3.0, 5.0]))
    >>> noise.learn(np.array([-5.0, 4.0]))
    >>> noise.scale.round(2).tolist()
    [5.77, 5.77]
    """

    def __init__(self, count: int) -> None:
        self._own: list[list[float]] = [[] for _ in range(count)]
        self._usual: list[float] = []
        self._large: list[float] = []
        self._scale, self._most = np.zeros(count), np.zeros(count)

    @property
    def scale(self) -> Matrix:
        """Usual scale in votes, float64[M]; 0 where totals are not corrected."""
        return self._scale

    @property
    def most(self) -> Matrix:
        """Upper scale in votes, float64[M]: a model with few own corrections counts as one that is corrected most."""
        return np.maximum(self._scale, self._most)

    def learn(self, change: Matrix) -> None:
        """Add the changes of an interval, NaN where there is none or the total was reset.

        An interval in which all totals grew is skipped: without a quiet model it does not show whether totals are
        corrected.
        """
        known, fell = int((~np.isnan(change)).sum()), -change[change < 0]
        if not (change <= 0).any():
            return
        often = fell.size > OFTEN * known
        insort(self._usual, float(np.median(fell)) / log(2) if often else 0.0)
        insort(self._large, float(np.quantile(fell, 0.9)) / log(10) if often else 0.0)
        for model in map(int, np.flatnonzero(change < 0)):
            insort(self._own[model], -float(change[model]) / log(2))
        usual, large = _middle(self._usual), _middle(self._large)
        for at, own in enumerate(self._own):
            self._scale[at] = _middle(sorted([*own, *[usual] * PRIOR])) if own else usual
            self._most[at] = _middle(sorted([*own, *[large] * PRIOR])) if own else large


def _middle(ordered: list[float]) -> float:
    """Median of a sorted list."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def feigned(spans: ArrayLike, scale: ArrayLike) -> Matrix:
    """Votes that corrections over `spans` spans exceed by chance once in a million: float64[n], Bernstein's bound.

    >>> feigned(np.array([1, 1, 4]), np.array([0.0, 3.0, 3.0])).round().tolist()
    [0.0, 64.0, 86.0]
    """
    return np.asarray(np.asarray(scale) * (2 * np.sqrt(np.asarray(spans) * RARE) + RARE))
