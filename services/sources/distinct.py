"""Duplicate ids: which ids of a batch are new, and whether a column has duplicates."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence


class Seen:
    """Remembers ids by their 64-bit hash, about 90 bytes each (180 MB for 2,000,000).

    The probability that two different ids share a hash, so that the later vote is lost, is n²/2⁶⁵: 10⁻⁷ for 2,000,000
    ids. The ids themselves would take twice the memory.

    >>> seen = Seen()
    >>> seen.new(["a", "b", "a"]), seen.new(["b", "c"])
    ([0, 1], [1])
    >>> seen.duplicates
    2
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self.duplicates = 0

    def new(self, ids: Sequence[Hashable]) -> list[int]:
        """Positions of the ids that were not seen before, in order; remembers all ids."""
        hashes = self._hashes
        before = len(hashes)
        batch = list(map(hash, ids))
        fresh = set(batch)
        if len(fresh) == len(batch) and hashes.isdisjoint(fresh):
            hashes |= fresh
            return list(range(len(batch)))
        new = []
        for position, each in enumerate(batch):
            if each not in hashes:
                hashes.add(each)
                new.append(position)
        self.duplicates += len(batch) - (len(hashes) - before)
        return new


def all_different(hashes: array[int]) -> bool:
    """Whether there is at least one hash, and none occurs twice."""
    import numpy as np

    ordered = np.sort(np.frombuffer(hashes, dtype=np.int64))
    return len(ordered) > 0 and not bool(np.any(ordered[1:] == ordered[:-1]))
