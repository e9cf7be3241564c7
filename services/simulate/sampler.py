"""The arena's sampler: draw one model by weight, another by weight among the rest, then swap sides at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws pairs by fixed weights."""

    weights: Vector
    _able: Codes
    _cumulated: Vector

    @classmethod
    def of(cls, weights: Vector) -> Sampler:
        """Make a sampler; at least two weights must be above zero."""
        able = np.flatnonzero(weights > 0).astype(np.int32)
        if able.size < 2:
            raise ValueError("two models at least must have a weight")
        return cls(weights, able, np.cumsum(weights[able]))

    def draw(self, random: np.random.Generator, n: int) -> tuple[Codes, Codes]:
        """Draw n pairs: int32[n] and int32[n], indices of the models on side a and side b.

        The second model is redrawn while it equals the first, which is a draw among the rest.
        """
        first = self._one(random, n)
        second = self._one(random, n)
        clash = np.flatnonzero(first == second)
        while clash.size:
            second[clash] = self._one(random, clash.size)
            clash = clash[first[clash] == second[clash]]
        swap = random.random(n, np.float32) < 0.5
        return np.where(swap, second, first), np.where(swap, first, second)

    def chance(self, a: Codes, b: Codes) -> Vector:
        """Return float64[n], the probability of each unordered pair, w_a·w_b/W · (1/(W − w_a) + 1/(W − w_b))."""
        total = self._cumulated[-1]
        w_a, w_b = self.weights[a], self.weights[b]
        chance = w_a * w_b / total * (1 / (total - w_a) + 1 / (total - w_b))
        return np.asarray(np.minimum(chance, 1.0))

    def _one(self, random: np.random.Generator, n: int) -> Codes:
        spot = np.searchsorted(self._cumulated, random.random(n) * self._cumulated[-1], side="right")
        # The product may round up to the total weight.
        return np.asarray(self._able[np.minimum(spot, self._able.size - 1)])
