"""The window: battles of each subject over the last reviews, and since the ledger's start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow

Counts = NDArray[np.int64]


@dataclass(slots=True)
class Window:
    """Battles per review and subject.

    Attributes
    ----------
    ring
        int64[W, S], the last W full reviews; row `reviews mod W` is the oldest.
    current
        int64[S], the current review, up to its last tick or notice.
    total
        int64[S], since the ledger's start.
    reviews
        Full reviews so far.
    """

    ring: Counts
    current: Counts
    total: Counts
    reviews: int = 0

    @classmethod
    def start(cls, reviews: int) -> Window:
        """Return an empty window of `reviews` reviews."""
        return cls(np.zeros((reviews, 0), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(self, subjects, "ring", "current", "total")

    def turn(self) -> None:
        """Close the current review."""
        self.ring[self.reviews % len(self.ring)] = self.current
        self.current = np.zeros_like(self.current)
        self.reviews += 1

    @property
    def last(self) -> Counts:
        """int64[S], the last full review."""
        return np.asarray(self.ring[(self.reviews - 1) % len(self.ring)])

    @property
    def recent(self) -> Counts:
        """int64[S], the full reviews in the window."""
        return np.asarray(self.ring.sum(axis=0))

    @property
    def full(self) -> bool:
        """Whether the window holds its full number of reviews."""
        return self.reviews >= len(self.ring)
