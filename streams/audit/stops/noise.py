"""Corrections of totals: how large they are, measured on totals that fell, and what growth they could feign."""

from __future__ import annotations

from bisect import insort
from math import log

import numpy as np
from numpy.typing import ArrayLike

from streams.audit.board.history import Matrix

OFTEN = 0.01
"""Part of the changes of an interval that must be negative before it shows how totals are corrected."""

PRIOR = 4
"""Corrections of the typical size that a model counts for before it has its own."""

RARE = log(1e6)
"""Corrections feign the growth that a baseline needs no more often than once in so many."""

FALL = 4.0
"""A fall of more than this many scales is one correction, and moves a baseline by no more."""


class Noise:
    """Laplace scales of the corrections of each model, learned from the past.

    A correction takes as often as it gives, so the falls show its size: their median is ln 2 scales, nine in ten are
    below ln 10. The usual size is the median over the intervals of either in each; no single large fall or wave moves
    it. Where some models are corrected by far more than others, the nine in ten tell of those.

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
        """Votes: float64[M]; 0 where totals are not corrected."""
        return self._scale

    @property
    def most(self) -> Matrix:
        """Votes: float64[M]; a model of which little is known is taken for one of those that are corrected most."""
        return np.maximum(self._scale, self._most)

    def learn(self, change: Matrix) -> None:
        """Take in the changes of an interval, NaN where there is none or the total began again.

        When all totals grew, no quiet model was there to show whether they are corrected: that is no sign that they are
        not.
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
    """Median of what is sorted."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def feigned(spans: ArrayLike, scale: ArrayLike) -> Matrix:
    """Votes that the corrections of so many spans add up to by chance once in a million: float64[n], Bernstein's bound.

    >>> feigned(np.array([1, 1, 4]), np.array([0.0, 3.0, 3.0])).round().tolist()
    [0.0, 64.0, 86.0]
    """
    return np.asarray(np.asarray(scale) * (2 * np.sqrt(np.asarray(spans) * RARE) + RARE))
