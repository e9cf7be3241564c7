"""Draws: which rows start a new exposure, and how much evidence a row is when that is not known.

A draw is one choice of two models by the arena; it is an *exposure* of both. Several votes may belong to one draw, and
counting each of them as a draw of its own would make a healthy arena look unfair: three votes a draw are evidence cubed.

- Rows of one `battle` between the same two models are one exposure, the first of them. A row that repeats an id with
  other models is an exposure of its own, and is counted as `mixed`.
- Without `battle`, rows of one voter with the same two models are one exposure until 30 minutes after its first row.
- With neither, every row counts as an exposure. How often a row repeats the pair of an earlier row shows how many votes
  a draw gets: votes of one draw are near each other, so their repeats are frequent at short distances, while chance
  repeats are as frequent at every distance. With e repeats per row beyond chance, the evidence of a row is divided by
  v = 1 + 2e, the design effect E[V²]/E[V] of V votes per draw, which uses earlier rows only. It is an estimate, so the
  promise about false pages holds for known draws, not for these.

**Memory.** Known draws are kept in two generations of `GENERATION` each: a vote is recognised if it comes at most that
many exposures after the first vote of its draw, and at most twice as many are kept. A later one counts as an exposure.
Both generations together take 1.6 MB, the pairs of the rows with neither take 180 kB; none is taken before it is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.ledger.rows import Rows

GENERATION = 32_768
SLOTS = 2 * GENERATION
VOTER_SECONDS = 1_800
NEAR, MIDDLE, FAR_FROM, FAR_TO = 256, 4_096, 8_192, 12_032
"""Distances, in rows: repeats are counted within `NEAR`, from there to `MIDDLE`, and, as chance, between the last two."""
RING, BUCKETS = 16_384, 8_192
BY_BATTLE, BY_VOTER, UNCLEAR = 0, 1, 2
SCALE = 1_024
"""Weights are whole multiples of 1/SCALE, so that sums of them are exact and do not depend on how rows are cut."""
SIGNIFICANT = 6.0
"""Standard deviations of the repeats beyond chance from which they count as votes of one draw."""
Hashes = NDArray[np.uint64]


class Exposure(NamedTuple):
    """Which of n rows start an exposure: bool[n]; and their weight as evidence, float64[n], None when all are 1."""

    first: NDArray[np.bool_]
    weight: NDArray[np.float64] | None


@dataclass(slots=True)
class Draws:
    """State.

    Attributes
    ----------
    keys, checks
        uint64 and uint32 [2, SLOTS], hash tables of the newer and the older generation: a key is the hash of a battle,
        or of a voter with a pair, 0 where free; a check is the hash of the pair, or the time of the first row.
    kept
        Draws in the newer generation.
    ring
        uint16[RING], buckets of the pairs of the last rows with neither; `rows` counts all such rows so far.
    counts
        uint16[3, BUCKETS], the ring's rows at the three distances, by bucket.
    repeats
        float64[3], repeats at the three distances, of the current and the last review.
    looked
        Rows that `repeats` covers.
    before
        float64[4], `repeats` and `looked` of the last review.
    weight
        Evidence of a row with neither: 1/v, a multiple of 1/SCALE.
    sorts
        int64[4], since the last review: rows by battle, by voter, with neither, and rows that repeat a battle with
        other models; `last` has those of the last full review.
    exposures, rows_in_review
        Exposures and rows since the last review.
    """

    keys: Hashes = field(default_factory=lambda: np.zeros((2, 0), np.uint64))
    checks: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((2, 0), np.uint32))
    kept: int = 0
    ring: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    rows: int = 0
    counts: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((3, 0), np.uint16))
    repeats: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    looked: int = 0
    before: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    weight: float = 1.0
    sorts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))
    last: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))

    @property
    def votes_per_draw(self) -> float:
        """v of the rows with neither battle nor voter, as estimated so far; 1 when they show no bunches."""
        return 1.0 / self.weight

    def follow(self, rows: Rows, chance: float, tick: int) -> Exposure:
        """Decide for each row whether it starts an exposure.

        Parameters
        ----------
        rows
            n rows in ledger order.
        chance
            Σ p_pair², the declared probability that a draw repeats another one's pair; 0 where nothing is declared.
        tick
            Rows with neither battle nor voter between two estimates of v.
        """
        names = _hash_words(rows.models)
        pairs = _pair_hashes(names[rows.model_a], names[rows.model_b])
        battles = _column(rows.battles, rows.battle)
        voters = _column(rows.voters, rows.voter)
        n = len(rows)
        first, weight = np.ones(n, np.bool_), np.ones(n)
        known = np.zeros(n, np.bool_)
        if battles.size or voters.size:
            if not self.keys.size:
                self.keys, self.checks = np.zeros((2, SLOTS), np.uint64), np.zeros((2, SLOTS), np.uint32)
            if self.keys.shape[1]:
                self.kept = _recognise(
                    battles, voters, pairs, rows.tstamp, self.keys, self.checks, self.kept, first, known, self.sorts
                )
        if not known.all():
            self._estimate(pairs, ~known, weight, chance, tick)
        return Exposure(first, None if (weight == 1.0).all() else weight)

    def _estimate(
        self, pairs: Hashes, unclear: NDArray[np.bool_], weight: NDArray[np.float64], chance: float, tick: int
    ) -> None:
        """Set the weight of the rows with neither, each from the rows before it."""
        if not self.ring.size:
            self.ring, self.counts = np.zeros(RING, np.uint16), np.zeros((3, BUCKETS), np.uint16)
        places = np.flatnonzero(unclear)
        buckets = (pairs[places] >> np.uint64(32)) % np.uint64(BUCKETS)
        self.sorts[UNCLEAR] += places.size
        at = 0
        while at < places.size:
            end = min(places.size, at + tick - self.rows % tick)
            weight[places[at:end]] = self.weight
            _repeat(buckets[at:end].astype(np.uint16), self.rows, self.ring, self.counts, self.repeats, chance)
            self.rows += end - at
            self.looked += end - at
            at = end
            if self.rows % tick == 0:
                self.weight = self._weight()

    def _weight(self) -> float:
        near, middle, far = (self.repeats + self.before[:3]).tolist()
        looked = self.looked + self.before[3]
        extra = 0.0
        for seen, width in ((near, NEAR), (middle, MIDDLE - NEAR)):
            by_chance = far * width / (FAR_TO - FAR_FROM)
            noise = math.sqrt(seen + by_chance * width / (FAR_TO - FAR_FROM) + 1.0)
            if seen - by_chance > SIGNIFICANT * noise:
                extra += (seen - by_chance + 2.0 * noise) / looked
        return math.floor(SCALE / (1.0 + 2.0 * extra)) / SCALE or 1.0 / SCALE

    def review(self) -> None:
        """Close a review: the estimate covers the last review and the current one."""
        self.before = np.append(self.repeats, float(self.looked))
        self.repeats, self.looked = np.zeros(3), 0
        self.last, self.sorts = self.sorts, np.zeros(4, np.int64)


def _column(words: list[str], codes: NDArray[np.int32] | None) -> Hashes:
    """Hashes of an optional column, 0 where absent; empty when no row has it."""
    if codes is None:
        return np.zeros(0, np.uint64)
    hashes = _hash_words(words)
    hashes[0] = 0
    return hashes[codes]


def _hash_words(words: list[str]) -> Hashes:
    """uint64[n], a hash of each word, never 0: the same in every process."""
    encoded = [word.encode() for word in words]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
    return np.asarray(_hash_bytes(np.frombuffer(b"".join(encoded) or b"\0", np.uint8), ends))


@njit(cache=True)
def _hash_bytes(data, ends):  # type: ignore[no-untyped-def]
    """FNV-1a with a final mix."""
    hashes = np.empty(len(ends), np.uint64)
    start = 0
    for word in range(len(ends)):
        value = np.uint64(14695981039346656037)
        for place in range(start, ends[word]):
            value = (value ^ np.uint64(data[place])) * np.uint64(1099511628211)
        start = ends[word]
        hashes[word] = _mix(value, np.uint64(0))
    return hashes


@njit(cache=True)
def _mix(one, other):  # type: ignore[no-untyped-def]
    """Hash of two hashes, never 0."""
    value = one ^ (other * np.uint64(0x9E3779B97F4A7C15))
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return (value ^ (value >> np.uint64(33))) | np.uint64(1)


@njit(cache=True)
def _pair_hashes(a, b):  # type: ignore[no-untyped-def]
    """Hash of each unordered pair."""
    pairs = np.empty(len(a), np.uint64)
    for row in range(len(a)):
        pairs[row] = _mix(min(a[row], b[row]), max(a[row], b[row]))
    return pairs


@njit(cache=True)
def _find(keys, key):  # type: ignore[no-untyped-def]
    """Slot of a key, or the free slot where it belongs."""
    slot = np.int64(key >> np.uint64(20)) % len(keys)
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) % len(keys)
    return slot


@njit(cache=True)
def _recognise(battles, voters, pairs, tstamp, keys, checks, kept, first, known, sorts):  # type: ignore[no-untyped-def]
    """Mark the rows of known draws and those that start one; returns the number of draws in the newer generation."""
    for row in range(len(pairs)):
        by_battle = len(battles) > 0 and battles[row] != 0
        if not by_battle and (len(voters) == 0 or voters[row] == 0):
            continue
        known[row] = True
        sorts[0 if by_battle else 1] += 1
        if by_battle:
            key, check = battles[row], np.uint32(pairs[row] >> np.uint64(32))
        else:
            key, check = _mix(voters[row], pairs[row]), np.uint32(np.int64(tstamp[row]) & 0xFFFFFFFF)
        for attempt in range(2):
            slot, generation = _find(keys[0], key), 0
            if keys[0, slot] == 0:
                older = _find(keys[1], key)
                if keys[1, older] == key:
                    slot, generation = older, 1
            found = keys[generation, slot] == key
            if not found:
                break
            if not by_battle:
                if abs(np.int64(check) - np.int64(checks[generation, slot])) <= VOTER_SECONDS:
                    first[row] = False
                break
            if checks[generation, slot] == check:
                first[row] = False
                break
            if attempt == 0:  # the battle had other models before
                key = _mix(key, pairs[row])
        if not first[row]:
            continue
        if by_battle and key != battles[row]:
            sorts[3] += 1
        slot = _find(keys[0], key)
        if keys[0, slot] == 0:
            if kept == GENERATION:
                keys[1], checks[1] = keys[0], checks[0]
                keys[0] = 0
                kept = 0
                slot = _find(keys[0], key)
            keys[0, slot] = key
            kept += 1
        checks[0, slot] = check
    return kept


@njit(cache=True)
def _repeat(buckets, rows, ring, counts, repeats, chance):  # type: ignore[no-untyped-def]
    """Add rows to the ring, and count how many earlier rows at each distance have the pair of each."""
    for index in range(len(buckets)):
        row, bucket = rows + index, buckets[index]
        repeats[0] += counts[0, bucket]
        repeats[1] += counts[1, bucket]
        if row >= FAR_TO:
            repeats[2] += counts[2, bucket]
        else:  # no row is far yet: chance as declared
            reach = min(row, MIDDLE) / MIDDLE
            repeats[2] += chance * (FAR_TO - FAR_FROM) * reach
        ring[row % RING] = bucket
        counts[0, bucket] += 1
        if row >= NEAR:
            left = ring[(row - NEAR) % RING]
            counts[0, left] -= 1
            counts[1, left] += 1
        if row >= MIDDLE:
            counts[1, ring[(row - MIDDLE) % RING]] -= 1
        if row >= FAR_FROM:
            counts[2, ring[(row - FAR_FROM) % RING]] += 1
        if row >= FAR_TO:
            counts[2, ring[(row - FAR_TO) % RING]] -= 1
