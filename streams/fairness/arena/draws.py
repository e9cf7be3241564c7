"""Draws: which rows start a new exposure, and how much evidence a row is when that is not known.

A draw is one choice of two models by the arena; it is an *exposure* of both. Several votes may belong to one draw, and
counting each of them as a draw of its own would make a healthy arena look unfair: with three votes a
draw the evidence is cubed.

- Rows of one `battle` between the same two models are one exposure, the first of them. A row that repeats an id with
  other models is an exposure of its own, and is counted as `mixed`.
- Without `battle`, rows of one voter with the same two models are one exposure until 30 minutes after its first row.
  This does not hold for a *busy* voter, with `BUSY` exposures in these or the last six hours: a bot that votes wherever
  one model plays meets its pairs again by chance, and if those draws were lost, the model would look drawn less.
- With neither, every row counts as an exposure. How often a row repeats the pair of an earlier row shows how many votes
  a draw gets: votes of one draw are near each other, so their repeats are frequent at short distances, while chance
  repeats are as frequent a little further away, whatever the policy. With e repeats per row beyond chance, the evidence
  of a row is divided by v = 1 + 2e, the design effect E[V²]/E[V] of V votes per draw. Only earlier rows are used. It is
  an estimate, and votes of one draw that are thousands of rows apart, or hundreds in an arena of few models, are not
  seen by it. So the promise about false pages holds for known draws, not for these. Before the first estimate v is
  `SUPPOSED`, because three votes a draw, each taken for a draw of its own, page within a hundred rows. Detectors of
  single battles do not bet on such a row before `WINDOW` of them were compared and no bunches were found: few votes per
  draw that the first estimates cannot see are seen then.

**Memory.** Known draws are kept in two generations of `GENERATION` each: a vote is recognised if it comes at most that
many exposures after the first vote of its draw (voters take places, too: half as many, if each votes once), and at
most twice as many are kept. A later one counts as an exposure.
Both generations together take 2.1 MB, the rows with neither 150 kB; nothing is taken before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.arena.hashing import BlockHashes, Hashes, mix, pair_hashes
from streams.ledger.rows import Rows

GENERATION = 32_768
SLOTS = 2 * GENERATION
VOTER_SECONDS = 1_800
BUSY, BUSY_SECONDS = 60, 21_600
"""Exposures of a voter in six hours from which each of its votes is one. People who go from battle to battle have a
dozen or two at a time, with several votes on each: a lower number would count these votes as exposures."""
EDGES = np.array([0, 32, 256, 1_024, 4_096])
"""Distances in rows: repeats are counted between each two, and, as chance, in an equally wide span after each."""
SPANS = np.concatenate(
    [np.stack([EDGES[:-1], EDGES[1:]], axis=1), np.stack([EDGES[1:], 2 * EDGES[1:] - EDGES[:-1]], axis=1)]
)
USUAL = 4.0
"""Most chance repeats per row in a span that is used, but for the first: with more, a change of the policy that nobody
declared would look like votes of one draw."""
RING, BUCKETS, WINDOW = 8_192, 8_192, 10_000
LOOK = 500
"""Rows with neither battle nor voter between two estimates of v."""
BY_BATTLE, BY_VOTER, UNCLEAR, MIXED = 0, 1, 2, 3
"""How the draw of a row is known. `MIXED`: by battle, but the battle had other models before."""
SCALE = 1_024
"""Weights are whole multiples of 1/SCALE, so that sums of them are exact and do not depend on how rows are cut."""
SUPPOSED = 683 / 2_048
"""Weight of a row before the first estimate: three votes per draw. Sums of it are exact, too, and it is no multiple of
1/SCALE, so no estimate equals it."""
SIGNIFICANT = 6.0
"""Standard deviations of the repeats beyond chance from which they count as votes of one draw."""


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
        bool[n], whether the row is known to be a draw of its own, or None when all are: detectors of single battles bet
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
    ring
        uint16[RING], buckets of the pairs of the last rows with neither; `rows` counts such rows since the policy came
        into force.
    counts
        uint16[K, BUCKETS], the ring's rows in each of `SPANS`, by bucket.
    repeats, before
        float64[K / 2, K], repeats in each span in the current `WINDOW` of such rows, and in the one before it. Rows
        are counted by the widest span that could be compared under their policy, so that chance is that of the policy.
    looked, looked_before
        int64[K / 2], rows by that span, in both windows.
    weight, counted_weight
        Evidence of the next row with neither, and of the last one that was counted: 1/v, a multiple of 1/SCALE, or
        `SUPPOSED`.
    sure, counted_sure
        Whether `WINDOW` rows with neither were compared before the next one, and before the last one that was counted.
    sorts, last
        int64[5], rows of each sort, and exposures, in the current review and in the last full one.
    """

    keys: Hashes = field(default_factory=lambda: np.zeros((2, 0), np.uint64))
    checks: Hashes = field(default_factory=lambda: np.zeros((2, 0), np.uint64))
    kept: int = 0
    ring: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    rows: int = 0
    counts: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((len(SPANS), 0), np.uint16))
    repeats: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(SPANS) // 2, len(SPANS))))
    before: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(SPANS) // 2, len(SPANS))))
    looked: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(SPANS) // 2, np.int64))
    looked_before: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(SPANS) // 2, np.int64))
    weight: float = SUPPOSED
    counted_weight: float = 1.0
    sure: bool = False
    counted_sure: bool = False
    sorts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(5, np.int64))
    last: NDArray[np.int64] = field(default_factory=lambda: np.zeros(5, np.int64))

    @property
    def votes_per_draw(self) -> float:
        """Estimate of v for the rows with neither battle nor voter; 1 while they show no bunches."""
        return 1.0 if self.counted_weight == SUPPOSED else 1.0 / self.counted_weight

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
        return RowDraws(first, sort, *self._weigh(pairs[unclear], unclear, len(rows)))

    def _weigh(
        self, pairs: Hashes, places: NDArray[np.int64], rows: int
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_] | None]:
        """Weights of n rows, of which those at `places` have neither, and whether each is a draw of its own.

        Both follow from the rows before it.
        """
        if not places.size:
            return None, None
        if not self.ring.size:
            self.ring, self.counts = np.zeros(RING, np.uint16), np.zeros((len(SPANS), BUCKETS), np.uint16)
        buckets = ((pairs >> np.uint64(32)) % np.uint64(BUCKETS)).astype(np.uint16)
        weights, singles = np.empty(places.size), np.empty(places.size, np.bool_)
        windows = self.repeats, self.before, self.looked, self.looked_before
        kept = self.ring, self.counts, windows
        self.rows, self.weight, self.sure = _weigh(buckets, self.rows, self.weight, self.sure, kept, weights, singles)
        weight, single = np.ones(rows), np.ones(rows, np.bool_)
        weight[places], single[places] = weights, singles
        return None if (weights == 1.0).all() else weight, None if singles.all() else single

    def restart(self) -> None:
        """Begin a policy: pairs drawn under the one before do not repeat as often."""
        self.rows = 0
        self.counts[:] = 0

    def count(self, draws: RowDraws) -> None:
        """Count rows of the current review."""
        unclear = np.flatnonzero(draws.sort == UNCLEAR)
        if unclear.size:
            last = unclear[-1]
            self.counted_weight = 1.0 if draws.weight is None else float(draws.weight[last])
            self.counted_sure = draws.single is None or bool(draws.single[last])
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


@njit(cache=True)
def _repeat(buckets, rows, ring, counts, repeats, looked, spans):  # type: ignore[no-untyped-def]
    """Add rows to the ring, and count in each span how many earlier rows have the pair of each."""
    half = len(spans) // 2
    for index in range(len(buckets)):
        row, bucket = rows + index, buckets[index]
        for span in range(len(spans)):
            start, end = spans[span]
            if row > start:
                counts[span, ring[(row - start - 1) % RING]] += 1
            if row > end:
                counts[span, ring[(row - end - 1) % RING]] -= 1
        widest = -1
        while widest + 1 < half and row >= spans[widest + 1 + half, 1]:  # both are full
            widest += 1
        if widest >= 0:
            for span in range(widest + 1):
                repeats[widest, span] += counts[span, bucket]
                repeats[widest, span + half] += counts[span + half, bucket]
            looked[widest] += 1
        ring[row % RING] = bucket


@njit(cache=True)
def _estimate(repeats, before, looked, looked_before):  # type: ignore[no-untyped-def]
    """Return 1/v from the repeats in this window and the one before it; begin a window when this one is full."""
    half = len(looked)
    rows, seen = looked + looked_before, repeats + before
    used = 0
    while used < half and rows[used:].sum() > 0 and seen[used:, half + used].sum() <= USUAL * rows[used:].sum():
        used += 1
    used = max(used, 1)
    extra = 0.0
    for span in range(used):
        total, near, chance, spread = max(rows[span:].sum(), 1), seen[span:, span].sum(), 0.0, 0.0
        for group in range(span, half):
            # Chance as in the widest span that is used: the votes of one draw are rarest there.
            widest = min(group, used - 1)
            part = (EDGES[span + 1] - EDGES[span]) / (EDGES[widest + 1] - EDGES[widest])
            chance += seen[group, half + widest] * part
            spread += seen[group, half + widest] * part * part
        beyond = (near - chance) / total
        noise = np.sqrt(near + spread + 1.0) / total
        if beyond > SIGNIFICANT * noise:
            extra += beyond + 2.0 * noise
    if looked.sum() >= WINDOW:
        before[:], looked_before[:] = repeats, looked
        repeats[:], looked[:] = 0.0, 0
    return max(np.floor(SCALE / (1.0 + 2.0 * extra)), 1.0) / SCALE


@njit(cache=True)
def _weigh(buckets, rows, weight, sure, kept, weights, singles):  # type: ignore[no-untyped-def]
    """Set the weights of rows with neither battle nor voter, and whether each is a draw of its own.

    Returns their number so far, and the next one's weight and whether `WINDOW` rows were compared before it.
    """
    ring, counts, (repeats, before, looked, looked_before) = kept
    at = 0
    while at < len(buckets):
        end = min(len(buckets), at + LOOK - rows % LOOK)
        weights[at:end] = weight
        singles[at:end] = sure and weight == 1.0
        _repeat(buckets[at:end], rows, ring, counts, repeats, looked, SPANS)
        rows += end - at
        at = end
        if rows % LOOK == 0:
            sure = sure or looked.sum() >= WINDOW
            weight = _estimate(repeats, before, looked, looked_before)
    return rows, weight, sure
