"""e-CUSUMs of very many keys, of which only those with evidence are kept: a bounded hash table.

Each key (a voter and a model, say) has R bets with conditional e-values e^ℓ. At each of the key's own trials

    log C_r ← max(0, log C_r + ℓ_r),   M = mean over r of C_r

and M ≥ c is an alarm, after which the key starts anew. A key with log C = 0 for all bets is in its initial state and
needs no memory, so most keys need none.

**Guarantee.** C is at most the Shiryaev-Roberts sum R ← (R + 1)·e^ℓ, so Σ M over all keys, less the number of trials
so far, is a supermartingale while nothing is wrong [1]_, and each false alarm takes at least c from it: the mean number
of false alarms in n trials is at most n/c. It does not matter how many keys there are, nor how the trials are
distributed over them: keys that come late have had few trials.

**Memory.** At most `MOST_SLOTS` slots of 24 + 8·⌊R/2⌋ bytes: 8.4 MB with three bets, whatever the number of keys. When
the table is full, the half with the least log C is forgotten, that is reset. A reset only takes terms from the sum: it
costs power and never validity.

References
----------
.. [1] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
   New England J. Statistics in Data Science (2023), arXiv 2203.03532.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Vector = NDArray[np.float64]

FIRST_SLOTS, MOST_SLOTS = 1 << 6, 1 << 18
LOAD = 0.7
"""Part of the slots in use at which the table is cleared of keys without evidence, and grows or forgets."""


class Alarm(NamedTuple):
    """A key that reached the level.

    Attributes
    ----------
    place
        Index of the trial in the call.
    log_e
        Log M.
    since
        Epoch seconds of the first trial since the key was last in its initial state.
    trials, hits
        Trials since then, and how many of them were hits; both end at 65,535.
    due
        Sum of the trials' bounds on the chance of a hit.
    """

    place: int
    log_e: float
    since: int
    trials: int
    hits: int
    due: float


@dataclass(slots=True)
class SparseCusum:
    """The table.

    Attributes
    ----------
    cells
        uint32[slots, W]: the slots, of which all columns below are views. A slot is one row, because tables are larger
        than the processor's caches, and each column of its own would be fetched by itself.
    bets
        R.
    used
        Slots with a key.
    """

    cells: NDArray[np.uint32]
    bets: int
    used: int = 0

    @classmethod
    def start(cls, bets: int, slots: int = FIRST_SLOTS) -> SparseCusum:
        """Return an empty table."""
        return cls(np.zeros((slots, 6 + bets // 2 * 2), np.uint32), bets)

    @property
    def key(self) -> Keys:
        """uint64[slots], 0 in a free slot."""
        return self.cells.view(np.uint64)[:, 0]

    @property
    def since(self) -> NDArray[np.uint32]:
        """uint32[slots], see `Alarm`."""
        return self.cells[:, 2]

    @property
    def trials(self) -> NDArray[np.uint16]:
        """uint16[slots], see `Alarm`."""
        return self.cells.view(np.uint16)[:, 6]

    @property
    def hits(self) -> NDArray[np.uint16]:
        """uint16[slots], see `Alarm`."""
        return self.cells.view(np.uint16)[:, 7]

    @property
    def due(self) -> NDArray[np.float32]:
        """float32[slots], see `Alarm`."""
        return self.cells.view(np.float32)[:, 4]

    @property
    def log_c(self) -> NDArray[np.float32]:
        """float32[slots, R]."""
        return self.cells.view(np.float32)[:, 5 : 5 + self.bets]

    @property
    def nbytes(self) -> int:
        """Bytes of the slots."""
        return self.cells.nbytes

    def update(
        self, key: Keys, bound: Vector, hit: NDArray[np.bool_], bets: Vector, time: Vector, level: float
    ) -> list[Alarm]:
        """Process n trials in order.

        Parameters
        ----------
        key
            uint64[n], not 0.
        bound
            float64[n], the largest chance of a hit while nothing is wrong, in (0, 1).
        hit
            bool[n].
        bets
            float64[R]: chances of a hit under the alternatives. A bet that is not above the bound of a trial has ℓ = 0
            there; the others have ℓ = ln(bet/bound) for a hit, and ln[(1 − bet)/(1 − bound)] otherwise.
        time
            float64[n], epoch seconds.
        level
            ln c.

        Returns
        -------
        The alarms, in order.

        Examples
        --------
        >>> table, one = SparseCusum.start(1), np.ones(8, np.uint64)
        >>> found = table.update(one, np.full(8, 0.5), one > 0, np.array([0.9]), np.arange(8.0), np.log(30.0))
        >>> [(alarm.place, alarm.trials, round(alarm.due, 1), round(float(np.exp(alarm.log_e)), 1)) for alarm in found]
        [(5, 6, 3.0, 34.0)]
        """
        alarms: list[Alarm] = []
        win, lose = np.log(bets), np.log1p(-bets)
        place = 0
        while place < len(key):
            if self.used >= LOAD * len(self.cells):
                self._make_room()
            place, self.used, slot, log_e = _run(
                key, bound, hit, time, win, lose, bets, level, place, self.used, LOAD * len(self.cells),
                self.key, self.log_c, self.since, self.due, self.trials, self.hits,
            )  # fmt: skip
            if slot >= 0:
                trials, hits = int(self.trials[slot]), int(self.hits[slot])
                alarms.append(Alarm(place - 1, log_e, int(self.since[slot]), trials, hits, float(self.due[slot])))
                self.log_c[slot] = 0.0
        return alarms

    def _make_room(self) -> None:
        """Free the slots of keys in their initial state; then grow, or forget the half with the least log C."""
        slots = len(self.cells)
        most = _largest(self.log_c)
        kept, least = most[most > 0], np.float32(0.0)
        if len(kept) > LOAD / 2 * slots:
            if slots < MOST_SLOTS:
                slots *= 2
            else:
                least = np.median(kept)
        fresh = SparseCusum.start(self.bets, slots)
        self.used = _move(self.cells, self.key, most > least, fresh.cells, fresh.key)
        self.cells = fresh.cells


@njit(cache=True)
def spread(x):  # type: ignore[no-untyped-def]
    """SplitMix64's finalizer."""
    x = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def combine(first, second):  # type: ignore[no-untyped-def]
    """Hash of two 64-bit numbers, in order, never 0."""
    x = spread(spread(first) ^ np.uint64(second))
    return x if x else np.uint64(1)


@njit(cache=True)
def _largest(log_c):  # type: ignore[no-untyped-def]
    """float32[slots], largest log C of each key."""
    most = np.zeros(len(log_c), np.float32)
    for slot in range(len(log_c)):
        for bet in range(log_c.shape[1]):
            most[slot] = max(most[slot], log_c[slot, bet])
    return most


@njit(cache=True)
def _move(cells, key, chosen, new_cells, new_key):  # type: ignore[no-untyped-def]
    """Copy the chosen slots into an empty table, of whose cells `new_key` is a view; returns their number."""
    moved = 0
    for old in range(len(key)):
        if chosen[old]:
            slot = find(new_key, key[old])
            for word in range(cells.shape[1]):
                new_cells[slot, word] = cells[old, word]
            moved += 1
    return moved


@njit(cache=True)
def find(keys, key):  # type: ignore[no-untyped-def]
    """Slot of a key, or the free slot where it belongs; linear probing in a table whose size is a power of two."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True)
def place_all(keys, given):  # type: ignore[no-untyped-def]
    """Put keys, each once and none of them in the table, into free slots; returns the slots, int64[n]."""
    places = np.empty(len(given), np.int64)
    for index in range(len(given)):
        slot = find(keys, given[index])
        keys[slot] = given[index]
        places[index] = slot
    return places


@njit(cache=True)
def _run(  # type: ignore[no-untyped-def]
    key, bound, hit, time, win, lose, bets, level, place, used, full,
    keys, log_c, since, due, trials, hits,
):  # fmt: skip
    """Process trials from `place` until an alarm or a full table; returns the next place, `used`, and the alarm."""
    count, last, usual = len(bets), -1.0, 0.0
    while place < len(key) and used < full:
        slot = find(keys, key[place])
        known = keys[slot] != 0
        if not known and not hit[place]:
            place += 1  # a key in its initial state stays there
            continue
        if not known:
            keys[slot] = key[place]
            used += 1
        idle = True
        for bet in range(count):
            idle = idle and log_c[slot, bet] <= 0.0
        if idle:
            if not hit[place]:
                place += 1
                continue
            since[slot], due[slot], trials[slot], hits[slot] = np.uint32(time[place]), 0.0, 0, 0
        p = bound[place]
        if p != abs(last) or hit[place] != (last > 0):  # neighbours often share both, and logarithms are slow
            usual, last = (np.log(p), p) if hit[place] else (np.log1p(-p), -p)
        largest, total = -np.inf, 0.0
        for bet in range(count):
            gain = 0.0
            if bets[bet] > p:
                gain = (win[bet] if hit[place] else lose[bet]) - usual
            log_c[slot, bet] = max(log_c[slot, bet] + gain, 0.0)
            largest = max(largest, log_c[slot, bet])
        due[slot] += p
        trials[slot] += trials[slot] < 65_535
        hits[slot] += hit[place] and hits[slot] < 65_535
        place += 1
        if largest >= level:
            for bet in range(count):
                total += np.exp(log_c[slot, bet] - largest)
            log_e = largest + np.log(total / count)
            if log_e >= level:
                return place, used, np.int64(slot), log_e
    return place, used, -1, 0.0
