"""Memory of votes by hash: two generations, so that a bounded table forgets the oldest votes and no others.

A generation holds `GENERATION` hashes. When the current one is full, it becomes the previous one, and the one before is
forgotten: a hash is known for at least `GENERATION` and at most twice as many other hashes. Each hash has a number
beside it. A table grows with what is in it, up to 2^16 slots of 12 bytes: two generations take at most 1.6 MB.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.statistics.sparse_cusum import Keys, find, place_all

GENERATION = 1 << 15
FIRST_SLOTS = 1 << 6
Numbers = NDArray[np.uint32]


def _keys() -> Keys:
    return np.zeros(FIRST_SLOTS, np.uint64)


def _numbers() -> Numbers:
    return np.zeros(FIRST_SLOTS, np.uint32)


@dataclass(slots=True)
class VoteMemory:
    """State.

    Attributes
    ----------
    key, number
        Current generation: uint64[slots], 0 in a free slot, and uint32[slots].
    old_key, old_number
        Previous generation.
    used
        Hashes in the current generation.
    """

    key: Keys = field(default_factory=_keys)
    number: Numbers = field(default_factory=_numbers)
    old_key: Keys = field(default_factory=_keys)
    old_number: Numbers = field(default_factory=_numbers)
    used: int = 0

    def count(self, key: Keys) -> NDArray[np.int64]:
        """Count n hashes in order; return how often each was counted before, int64[n]. Their numbers are counts."""
        found = np.zeros(len(key), np.int64)
        self._pass(key, np.ones(len(key), np.uint32), found, add=True)
        return found

    def replace(self, key: Keys, number: Numbers) -> NDArray[np.int64]:
        """Set the numbers of n hashes in order; return the number each had before, int64[n], -1 for a new hash.

        >>> VoteMemory().replace(np.array([7, 9, 7], np.uint64), np.array([1, 1, 2], np.uint32)).tolist()
        [-1, -1, 1]
        """
        found = np.full(len(key), -1, np.int64)
        self._pass(key, number, found, add=False)
        return found

    def _pass(self, key: Keys, number: Numbers, found: NDArray[np.int64], *, add: bool) -> None:
        place = 0
        while place < len(key):
            if self.used == GENERATION:
                self.old_key, self.old_number = self.key, self.number
                # As large as the last one: to grow again takes longer than all look-ups.
                self.key, self.number, self.used = np.zeros_like(self.key), np.zeros_like(self.number), 0
            elif 2 * self.used >= len(self.key):
                self._grow()
            place, self.used = _recall(
                key, number, found, add, place, self.used, self.key, self.number, self.old_key, self.old_number
            )

    def _grow(self) -> None:
        known, number = np.flatnonzero(self.key), self.number
        key, self.key = self.key, np.zeros(2 * len(self.key), np.uint64)
        self.number = np.zeros(len(self.key), np.uint32)
        self.number[place_all(self.key, key[known])] = number[known]


@njit(cache=True)
def _recall(key, number, found, add, place, used, keys, numbers, old_keys, old_numbers):  # type: ignore[no-untyped-def]
    """Look up and set hashes from `place` until the table is full; returns the next place and `used`."""
    while place < len(key) and used < GENERATION and 2 * used < len(keys):
        slot = find(keys, key[place])
        if keys[slot] != 0:
            found[place] = numbers[slot]
        else:
            old = find(old_keys, key[place])
            if old_keys[old] != 0:
                found[place] = old_numbers[old]
            keys[slot] = key[place]
            used += 1
        numbers[slot] = max(found[place], 0) + 1 if add else number[place]
        place += 1
    return place, used
