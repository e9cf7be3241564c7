"""Corrections of totals: how large they are, measured on totals that fell, and what growth they could feign."""

from __future__ import annotations

from bisect import insort
from math import log, sqrt

import numpy as np

from streams.audit.history import Matrix

OFTEN = 0.01
"""Part of all changes that must be negative before a model is taken to be corrected like the others."""

PRIOR = 4
"""Corrections of the typical size that a model counts for before it has its own."""

RARE = log(1e6)
"""Corrections feign the growth that a baseline needs no more often than once in so many."""

FALL = 4.0
"""A fall of more than this many scales is one correction, and moves a baseline by no more."""


class Noise:
    """Laplace scales of the corrections of each model, learned from the past.

    A correction takes as often as it gives, so the falls show its size: their median is ln 2 scales. A single
    large fall does not move a median.

    >>> noise = Noise(2)
    >>> noise.learn(np.array([-3.0, 5.0]))
    >>> noise.learn(np.array([-5.0, 4.0]))
    >>> noise.scale.round(2).tolist()
    [5.77, 5.77]
    """

    def __init__(self, count: int) -> None:
        self._own: list[list[float]] = [[] for _ in range(count)]
        self._all: list[float] = []
        self._changes = 0
        self._scale = np.zeros(count)

    @property
    def scale(self) -> Matrix:
        """Votes: float64[M]; 0 where totals are not corrected."""
        return self._scale

    def learn(self, change: Matrix) -> None:
        """Take in the changes of an interval, NaN where there is none or the total began again."""
        self._changes += int((~np.isnan(change)).sum())
        for model in map(int, np.flatnonzero(change < 0)):
            insort(self._own[model], -float(change[model]))
            insort(self._all, -float(change[model]))
        usual = float(np.median(self._all)) if self._all and len(self._all) >= OFTEN * self._changes else 0.0
        for at, own in enumerate(self._own):
            self._scale[at] = usual if not own else float(np.median([*own, *[usual] * PRIOR]))
        self._scale /= log(2)


def feigned(spans: int, scale: float) -> float:
    """Votes that the corrections of so many spans add up to by chance once in a million (Bernstein's bound).

    >>> feigned(1, 0.0), round(feigned(1, 3.0)), round(feigned(4, 3.0))
    (0.0, 64, 86)
    """
    return scale * (2 * sqrt(spans * RARE) + RARE)
