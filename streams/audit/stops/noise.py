"""Corrections of totals: estimate their size from totals that fell, and the growth that they could feign."""

from __future__ import annotations

from bisect import insort
from math import log

import numpy as np
from numpy.typing import ArrayLike

from streams.audit.board.history import Matrix

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
