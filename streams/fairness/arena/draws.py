"""Draws: which rows start a new exposure, and how much evidence a row is when that is not known.

A draw is one choice of two models by the arena; it is an *exposure* of both. Several votes may belong to one draw, and
counting each of them as a draw of its own would make a healthy arena look unfair: with three votes a
draw the evidence is cubed.

- Rows of one `battle` between the same two models are one exposure, the first of them. A row that repeats an id with
  other models is an exposure of its own, and is counted as `mixed`.
- Without `battle`, rows of one voter with the same two models are one exposure until 30 minutes after its first row.
  This does not hold for a *busy* voter, with `BUSY` exposures in these or the last six hours: a bot that votes wherever
  one model plays meets its pairs again by chance, and if those draws were lost, the model would look drawn less.
- With neither, every row counts as an exposure, and its evidence is divided by an estimate of the votes per draw: see
  `streams.fairness.arena.bunches`.

**Memory.** Known draws are kept in two generations of `GENERATION` each: a vote is recognised if it comes at most that
many exposures after the first vote of its draw (voters take places, too: half as many, if each votes once), and at
most twice as many are kept. A later one counts as an exposure.
Both generations together take 2.1 MB; nothing is taken before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.arena.bunches import Bunches, is_supposed
from streams.fairness.arena.hashing import BlockHashes, Hashes, mix, pair_hashes
from streams.ledger.rows import Rows

GENERATION = 32_768
SLOTS = 2 * GENERATION
VOTER_SECONDS = 1_800
BUSY, BUSY_SECONDS = 60, 21_600
"""Exposures of a voter in six hours from which each of its votes is one. People who go from battle to battle have a
dozen or two at a time, with several votes on each: a lower number would count these votes as exposures."""
BY_BATTLE, BY_VOTER, UNCLEAR, MIXED = 0, 1, 2, 3
"""How the draw of a row is known. `MIXED`: by battle, but the battle had other models before."""


class RowDraws(NamedTuple):
    """What is known of the draws of n rows.

    Attributes
    ----------
    first
        bool[n], whether the row starts an exposure.
    sort
        uint8[n]: `BY_BATTLE`, `BY_VOTER`, `UNCLEAR`, or `MIXED`.
    weight
        float64[n], the weight of the row as evidence, or None when all are 1.
    single
        bool[n], whether the row is taken for a draw of its own, or None when all are: detectors of single battles bet
        on no other.
    """

    first: NDArray[np.bool_]
    sort: NDArray[np.uint8]
    weight: NDArray[np.float64] | None
    single: NDArray[np.bool_] | None

    def take(self, chosen: slice) -> RowDraws:
        """Return a part of the rows."""
        weight = None if self.weight is None else self.weight[chosen]
        return RowDraws(
            self.first[chosen], self.sort[chosen], weight, None if self.single is None else self.single[chosen]
        )


@dataclass(slots=True)
class Draws:
    """State.

    Attributes
    ----------
    keys, checks
        uint64[2, SLOTS], hash tables of the newer and the older generation: a key is the hash of a battle, of a voter
        with a pair, or of a voter, 0 where free; a check is the hash of the pair, the time of the first row, or what
        `_count` says.
    kept
        Keys in the newer generation: draws, and voters.
    bunches
        How many votes a draw gets, for the rows with neither battle nor voter.
    counted_weight, counted_single
        Evidence of the last such row that was counted, and whether it was taken for a draw of its own.
    sorts, last
        int64[5], rows of each sort, and exposures, in the current review and in the last full one.
    """

    keys: Hashes = field(default_factory=lambda: np.zeros((2, 0), np.uint64))
    checks: Hashes = field(default_factory=lambda: np.zeros((2, 0), np.uint64))
    kept: int = 0
    bunches: Bunches = field(default_factory=Bunches)
    counted_weight: float = 1.0
    counted_single: bool = False
    sorts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(5, np.int64))
    last: NDArray[np.int64] = field(default_factory=lambda: np.zeros(5, np.int64))

    @property
    def votes_per_draw(self) -> float:
        """Estimate of v for the rows with neither battle nor voter; 1 while no bunches are found."""
        return 1.0 if is_supposed(self.counted_weight) else 1.0 / self.counted_weight

    def follow(self, rows: Rows, words: BlockHashes | None = None) -> RowDraws:
        """Decide for each row whether it starts an exposure.

        Parameters
        ----------
        rows
            n rows in ledger order.
        words
            Hashes of their dictionaries, None to make them here.
        """
        words = words or BlockHashes.of(rows)
        pairs = pair_hashes(words.models[rows.model_a], words.models[rows.model_b])
        battles, voters = (
            np.zeros(0, np.uint64) if codes is None else hashes[codes]
            for hashes, codes in ((words.battles, rows.battle), (words.voters, rows.voter))
        )
        first, sort = np.ones(len(rows), np.bool_), np.full(len(rows), UNCLEAR, np.uint8)
        if battles.size or voters.size:
            if not self.keys.size:
                self.keys, self.checks = np.zeros((2, SLOTS), np.uint64), np.zeros((2, SLOTS), np.uint64)
            (keys, older), (checks, older_checks) = self.keys, self.checks
            self.kept = _recognise(
                battles, voters, pairs, rows.tstamp, keys, older, checks, older_checks, self.kept, first, sort
            )
        unclear = np.flatnonzero(sort == UNCLEAR)
        if not unclear.size:
            return RowDraws(first, sort, None, None)
        turned = words.models[rows.model_a[unclear]] > words.models[rows.model_b[unclear]]
        weights, singles = self.bunches.weigh(pairs[unclear], turned)
        weight, single = np.ones(len(rows)), np.ones(len(rows), np.bool_)
        weight[unclear], single[unclear] = weights, singles
        return RowDraws(first, sort, None if (weights == 1.0).all() else weight, None if singles.all() else single)

    def count(self, draws: RowDraws) -> None:
        """Count rows of the current review."""
        unclear = np.flatnonzero(draws.sort == UNCLEAR)
        if unclear.size:
            last = unclear[-1]
            self.counted_weight = 1.0 if draws.weight is None else float(draws.weight[last])
            self.counted_single = draws.single is None or bool(draws.single[last])
        self.sorts[:4] += np.bincount(draws.sort, minlength=4)
        self.sorts[4] += np.count_nonzero(draws.first)

    def turn(self) -> None:
        """Close a review."""
        self.last, self.sorts = self.sorts, np.zeros(5, np.int64)


@njit(cache=True)
def _find(keys, key):  # type: ignore[no-untyped-def]
    """Slot of a key, or the free slot where it belongs."""
    slot = (key >> np.uint64(20)) % np.uint64(SLOTS)  # a power of two, known to the compiler: no division
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) % np.uint64(SLOTS)
    return slot


@njit(cache=True)
def _keep(keys, older, checks, older_checks, kept, key, check):  # type: ignore[no-untyped-def]
    """Set the check of a key in the newer generation; returns the number of its keys."""
    slot = _find(keys, key)
    if keys[slot] == 0:
        if kept == GENERATION:
            older[:], older_checks[:] = keys, checks
            keys[:] = 0
            kept = 0
            slot = _find(keys, key)
        keys[slot] = key
        kept += 1
    checks[slot] = check
    return kept


@njit(cache=True)
def _count(keys, older, checks, older_checks, voter, now):  # type: ignore[no-untyped-def]
    """Exposures of a voter: when its six hours began (32 bits), those of the six before and of these (16 bits each)."""
    slot, known = _find(keys, voter), checks
    if keys[slot] == 0:
        slot, known = _find(older, voter), older_checks
        if older[slot] == 0:
            return now << np.uint64(32)
    count = known[slot]
    passed = np.int64(now) - np.int64(count >> np.uint64(32))
    if passed <= BUSY_SECONDS:
        return count
    if passed <= 2 * BUSY_SECONDS:
        return (now << np.uint64(32)) | ((count & np.uint64(0xFFFF)) << np.uint64(16))
    return now << np.uint64(32)


@njit(cache=True)
def _recognise(  # type: ignore[no-untyped-def]
    battles, voters, pairs, tstamp, keys, older, checks, older_checks, kept, first, sort,
):  # fmt: skip
    """Mark the rows of known draws and those that start one; returns the number of draws in the newer generation."""
    for row in range(len(pairs)):
        by_battle = len(battles) > 0 and battles[row] != 0
        if not by_battle and (len(voters) == 0 or voters[row] == 0):
            continue
        sort[row] = BY_BATTLE if by_battle else BY_VOTER
        now, busy = np.uint64(np.int64(tstamp[row]) & 0xFFFFFFFF), False
        if by_battle:
            key, check = battles[row], pairs[row] >> np.uint64(32)
        else:
            key, check = mix(voters[row], pairs[row]), now
            voter = mix(voters[row], np.uint64(0))
            count = _count(keys, older, checks, older_checks, voter, now)
            busy = max(count >> np.uint64(16) & np.uint64(0xFFFF), count & np.uint64(0xFFFF)) >= BUSY
        for attempt in range(2):
            slot, known = _find(keys, key), checks
            if keys[slot] == 0:
                slot, known = _find(older, key), older_checks
                if older[slot] == 0:
                    break
            if not by_battle:
                passed = abs(np.int64(check) - np.int64(known[slot]))
                first[row] = busy or passed > VOTER_SECONDS
                break
            if known[slot] == check:
                first[row] = False
                break
            if attempt == 0:  # the battle had other models before
                key = mix(key, pairs[row])
        if not first[row]:
            continue
        if by_battle and key != battles[row]:
            sort[row] = MIXED
        kept = _keep(keys, older, checks, older_checks, kept, key, check)
        if not by_battle:
            more = count & np.uint64(0xFFFF) < np.uint64(0xFFFF)
            kept = _keep(keys, older, checks, older_checks, kept, voter, count + np.uint64(more))
    return kept
