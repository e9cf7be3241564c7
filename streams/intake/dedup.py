"""Deduplication by arena and vote id: a bounded memory that is a function of the votes log alone.

A vote is a duplicate when a usable vote of its arena with the same id precedes it in the same partition, at most
`records` offsets and at most `seconds` of record time earlier (counted from the id's latest occurrence, duplicate or
not). Which votes are duplicates therefore depends only on that window of the log: two owners of a partition in the
middle of a rebalance agree, and the memory is rebuilt by reading the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.intake.json_bytes import below, eight_at, padded

_START = 1 << 10
_FULL = 0.7
_PRIME = np.uint64(0x9E3779B97F4A7C15)
"""An odd number without a pattern: 2⁶⁴ over the golden ratio."""


@dataclass(slots=True)
class _Table:
    """Open-addressing hash table; `slots` is int64[n, 3].

    Columns: the first half of a mark; its second half packed with the record time in seconds; the offset (-1: free).
    """

    slots: NDArray[np.int64]
    used: int = 0

    @classmethod
    def of(cls, size: int) -> _Table:
        slots = np.zeros((size, 3), np.int64)
        slots[:, 2] = -1
        return cls(slots)

    def with_room(self, more: int) -> _Table:
        """Return this table or, when it is too small, a larger copy with room for `more` further ids."""
        size = len(self.slots)
        while self.used + more > _FULL * size:
            size *= 2
        if size == len(self.slots):
            return self
        larger = _Table.of(size)
        _copy(self.slots, larger.slots)
        larger.used = self.used
        return larger


Marks = NDArray[np.int64]
"""int64[n, 2]: an id is identified by 64 bits of Python's keyed hash, its arena's hash mixed in, and 31 bits of another
hash. A sender cannot make two ids collide on purpose, and by chance a new id collides with one of a million remembered
ids with probability 1e-22."""


def marks_of(ids: Sequence[bytes], arenas: Sequence[str]) -> Marks:
    """Hash n ids, each with its arena because an id is unique only within its arena; valid in this process only."""
    n = len(ids)
    marks = np.empty((n, 2), np.int64)
    marks[:, 0] = np.fromiter(map(hash, ids), np.int64, n)
    spread = {arena: (hash(arena) * int(_PRIME)) & (2**64 - 1) for arena in set(arenas)}
    if len(spread) == 1:
        marks[:, 0] ^= np.uint64(spread.popitem()[1]).astype(np.int64)
    elif spread:
        marks[:, 0] ^= np.fromiter(map(spread.__getitem__, arenas), np.uint64, n).astype(np.int64)
    ends = np.cumsum(np.fromiter(map(len, ids), np.int64, n))
    _mix(np.frombuffer(padded(ids, int(ends[-1]) if n else 0), "<u8"), ends, marks)
    return marks


class SeenIds:
    """The ids of one votes partition within the horizon.

    Two tables: every id goes into the young one; once that holds `records` ids, the old one is dropped and the young
    one takes its place. `records` later ids follow every dropped id, so it was outside the window. The tables hold at
    most 2 x `records` ids of 35 to 80 bytes each.

    Parameters
    ----------
    records
        Horizon in offsets.
    seconds
        Horizon in record time.
    """

    def __init__(self, records: int, seconds: float) -> None:
        self._records = max(records, 1)
        self._seconds = int(seconds)
        self._young = _Table.of(_START)
        self._old = _Table.of(_START)

    def __len__(self) -> int:
        return self._young.used + self._old.used

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self._young.slots.nbytes + self._old.slots.nbytes

    def fresh(self, marks: Marks, offset: NDArray[np.int64], recorded: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Remember the ids of usable votes, in log order, and return which are not duplicates.

        Parameters
        ----------
        marks
            Marks of n ids.
        offset, recorded
            int64[n]: offsets, ascending, and record times in milliseconds.

        Returns
        -------
        bool[n]
            True where the vote counts.

        Examples
        --------
        >>> seen = SeenIds(records=100, seconds=60)
        >>> marks = marks_of([b"x", b"y", b"x", b"x"], ["text", "text", "text", "code"])
        >>> seen.fresh(marks, np.arange(4), np.zeros(4, np.int64)).tolist()
        [True, True, False, True]
        """
        n = len(marks)
        fresh = np.empty(n, np.bool_)
        keys = marks[:, 0]
        stamps = marks[:, 1] << 32 | recorded // 1000
        # In pieces no longer than the horizon: when the tables swap must depend on the log, not on fetch boundaries.
        done = 0
        while done < n:
            if self._young.used >= self._records:
                self._old, self._young = self._young, _Table.of(_START)
            piece = slice(done, min(n, done + self._records - self._young.used))
            self._young = self._young.with_room(piece.stop - piece.start)
            self._young.used += _mark(
                keys[piece], stamps[piece], offset[piece], fresh[piece],
                self._young.slots, self._old.slots, self._records, self._seconds,
            )  # fmt: skip
            done = piece.stop
        return fresh


@njit(cache=True)
def _mix(eights, ends, marks):  # type: ignore[no-untyped-def]
    """Write the second half of each mark."""
    at = 0
    for row in range(len(ends)):
        end = ends[row]
        mixed = np.uint64(end - at)
        while end - at >= 8:
            mixed = (mixed ^ eight_at(eights, at)) * _PRIME
            mixed ^= mixed >> np.uint64(32)
            at += 8
        mixed = (mixed ^ (eight_at(eights, at) & below(end - at))) * _PRIME
        marks[row, 1] = np.int64(mixed >> np.uint64(33))
        at = end


@njit(cache=True)
def _find(key, stamp, slots):  # type: ignore[no-untyped-def]
    """Slot of the id, or the free slot where it belongs."""
    mask = len(slots) - 1
    at = (key ^ (key >> 32)) & mask
    while slots[at, 2] >= 0 and (slots[at, 0] != key or (slots[at, 1] ^ stamp) >> 32 != 0):
        at = (at + 1) & mask
    return at


@njit(cache=True)
def _mark(keys, stamps, offsets, fresh, young, old, horizon_records, horizon_seconds):  # type: ignore[no-untyped-def]
    """Look up and remember each id; returns how many were added to the young table."""
    gained = 0
    for row in range(len(keys)):
        key, stamp = keys[row], stamps[row]
        at = _find(key, stamp, young)
        before, when = young[at, 2], young[at, 1]
        if before < 0:
            gained += 1
            past = _find(key, stamp, old)
            before, when = old[past, 2], old[past, 1]
        fresh[row] = (
            before < 0
            or offsets[row] - before > horizon_records
            or (stamp & 0xFFFFFFFF) - (when & 0xFFFFFFFF) > horizon_seconds
        )
        young[at, 0] = key
        young[at, 1] = stamp
        young[at, 2] = offsets[row]
    return gained


@njit(cache=True)
def _copy(before, slots):  # type: ignore[no-untyped-def]
    """Insert the entries of another table, none of which this one holds."""
    for row in range(len(before)):
        if before[row, 2] >= 0:
            at = _find(before[row, 0], before[row, 1], slots)
            slots[at, 0], slots[at, 1], slots[at, 2] = before[row, 0], before[row, 1], before[row, 2]


def warm() -> None:
    """Compile (or load from disk) the functions that run for every fetch, so that the first votes do not wait."""
    zero = np.zeros(1, np.int64)
    seen = SeenIds(records=1, seconds=1)
    seen.fresh(marks_of([b"x"], ["text"]), zero, zero)
    _Table.of(_START).with_room(_START)
