"""Bunches: how many votes a draw gets, estimated where votes carry neither the id of their draw nor a voter.

Votes of one draw have the same two models and are near each other. With e repeats per row beyond chance, of the pair of
an earlier row, the evidence of a row is divided by v = 1 + 2e, the design effect E[V²]/E[V] of V votes per draw.
Repeats are counted in four spans of distances up to 4,096 rows. A span is judged in one of two ways:

- *Usual*: chance makes at most `USUAL` repeats per row. Chance is as frequent a little further away, whatever the
  policy, so it is counted there.
- *Crowded*: in an arena of few models chance makes many, and a change of the policy that nobody declared would look
  like votes of one draw. Here two estimates must agree, and the smaller one counts. One is that of the usual spans. The
  other counts repeats with the same order of the two sides and takes away those with the reversed order: votes of one
  draw have the same order, another battle of the pair has either. What sides that are no fair coin add is as frequent
  further away and is taken away with it. An undeclared change of the policy moves only the first, a change of the sides
  only the second; to move both, an arena has to repeat its battles, and that is what bunches are. With two models all
  battles repeat the pair, so only the order counts.

In crowded spans evidence is divided by the upper bound, at most that of three votes per draw until bunches are
significant, and 1 once it is `NEARLY` that. To become certain they have a memory of `1 / (1 - FADE)` windows.

Only earlier rows are used. Before the first estimate, and while crowded spans were not compared, v is at least that of
`SUPPOSED`, because three votes a draw, each taken for a draw of its own, page within a hundred rows. Detectors of
single battles bet on such a row once `WINDOW` of them were compared, and while v is at most that of `SINGLE`.

It is an estimate, and votes of one draw more than 4,096 rows apart are not seen: docs/design/0019-promise.md.

**Memory.** 150 kB, and 80 kB more from the first crowded span on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.arena.hashing import Hashes

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

EDGES = np.array([0, 32, 256, 1_024, 4_096])
"""Distances in rows: repeats are counted between each two, and, as chance, in an equally wide span after each."""
NEAR = len(EDGES) - 1
WIDTHS = np.diff(EDGES).astype(np.float64)
SPANS = np.concatenate(
    [np.stack([EDGES[:-1], EDGES[1:]], axis=1), np.stack([EDGES[1:], 2 * EDGES[1:] - EDGES[:-1]], axis=1)]
)
USUAL = 4.0
"""Most chance repeats per row in a span that is judged by pairs alone."""
RING, BUCKETS, WINDOW = 8_192, 8_192, 10_000
PAIR, TURNED = BUCKETS - 1, 1 << 15
"""Bits of a row in the ring: the bucket of its pair, and the order of its sides."""
FADE = 31 / 32
"""What stays of the memory of crowded spans with each window."""
LOOK = 500
"""Rows with neither battle nor voter between two estimates of v."""
SCALE = 1_024
"""Weights by an estimate are whole multiples of 1/SCALE, so that sums of them are exact and do not depend on how rows
are cut. Weights by what is only possible are odd multiples of half of that: exact, too, and told apart by it."""
SUPPOSED = 683 / 2_048
"""Weight of a row before the first estimate: three votes per draw."""
SUPPOSED_REPEATS = 1.0
"""e of three votes per draw."""
SIGNIFICANT = 6.0
"""Standard deviations of the repeats beyond chance from which they count as votes of one draw."""
BOTH_SIGNIFICANT = 4.5
"""The same for each of two independent estimates."""
BOUND = 2.0
"""Standard deviations that are added to an estimate."""
NEARLY, SINGLE = 0.8, 2 / 3
"""Weights from which a row weighs 1, and counts as a draw of its own, when no bunches are found."""
UNINFORMED = 0.05
"""Least chance that a battle has another pair than an earlier one, for pairs to show anything."""
CHANGED, HALF = 4.5, 0.5
"""Standard deviations between a window and the memory from which the memory is forgotten: all of it at once when there
are more repeats, half of it at the end of the window when there are fewer. It may be chance where votes per draw are
many, and then half of the memory is enough."""


@dataclass(slots=True)
class Bunches:
    """State. K is the number of `SPANS`, half of them near and half further away.

    Attributes
    ----------
    ring
        uint16[RING], buckets of the pairs of the last rows with neither, and the order of their sides.
    rows, began
        Number of such rows, and their number when the policy came into force.
    counts
        uint16[K, BUCKETS], the ring's rows under the policy in each of `SPANS`, by bucket.
    repeats, before
        float64[K / 2, K], repeats in each span in the current `WINDOW` of such rows, and in the one before it. Rows
        are counted by the widest span that could be compared under their policy, so that chance is that of the policy.
    looked, looked_before
        float64[K / 2], rows by that span, in both windows.
    balance, balanced
        int16[K / 2 + 1, BUCKETS], in the near spans and the last one, the rows with one order less those with the
        other, by bucket; those since `balanced` rows, which is -1 before the first crowded span.
    excess
        float64[K / 2 + 2], repeats with the same order less those with the reversed one in these spans, and the rows
        that were compared, in the current window.
    old_repeats, old_looked, old_excess
        Sums of `repeats`, `looked` and `excess` of earlier windows, the less the older.
    weight
        Evidence of the next row: 1/v, a multiple of 1/SCALE if bunches were found or excluded.
    sure
        Whether `WINDOW` rows were compared before the next one.
    """

    ring: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    rows: int = 0
    began: int = 0
    counts: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((2 * NEAR, 0), np.uint16))
    repeats: Matrix = field(default_factory=lambda: np.zeros((NEAR, 2 * NEAR)))
    before: Matrix = field(default_factory=lambda: np.zeros((NEAR, 2 * NEAR)))
    looked: Vector = field(default_factory=lambda: np.zeros(NEAR))
    looked_before: Vector = field(default_factory=lambda: np.zeros(NEAR))
    balance: NDArray[np.int16] = field(default_factory=lambda: np.zeros((NEAR + 1, 0), np.int16))
    balanced: int = -1
    excess: Vector = field(default_factory=lambda: np.zeros(NEAR + 2))
    old_repeats: Matrix = field(default_factory=lambda: np.zeros((NEAR, 2 * NEAR)))
    old_looked: Vector = field(default_factory=lambda: np.zeros(NEAR))
    old_excess: Vector = field(default_factory=lambda: np.zeros(NEAR + 2))
    weight: float = SUPPOSED
    sure: bool = False

    def weigh(self, pairs: Hashes, turned: NDArray[np.bool_]) -> tuple[Vector, NDArray[np.bool_]]:
        """Weights of n rows with neither, and whether each is taken for a draw of its own, by the rows before it.

        Parameters
        ----------
        pairs
            uint64[n], hashes of the unordered pairs.
        turned
            bool[n], the order of the sides.
        """
        if not self.ring.size:
            self.ring, self.counts = np.zeros(RING, np.uint16), np.zeros((2 * NEAR, BUCKETS), np.uint16)
        buckets = ((pairs >> np.uint64(32)) % np.uint64(BUCKETS)).astype(np.uint16)
        buckets[turned] |= np.uint16(TURNED)
        weights, singles = np.empty(pairs.size), np.empty(pairs.size, np.bool_)
        at = 0
        while at < pairs.size:
            end = min(pairs.size, at + LOOK - (self.rows - self.began) % LOOK)
            weights[at:end], singles[at:end] = self.weight, self.sure and _single(self.weight)
            self._add(buckets[at:end])
            at = end
            if (self.rows - self.began) % LOOK == 0:
                self._look()
        return weights, singles

    def restart(self) -> None:
        """Begin a policy: pairs drawn under the one before do not repeat as often."""
        self.began = self.rows
        self.counts[:] = 0

    def _add(self, buckets: NDArray[np.uint16]) -> None:
        # At most `LOOK` rows, so what is left of the ring reaches back farther than the farthest span.
        self.ring[np.arange(self.rows, self.rows + buckets.size) % RING] = buckets
        _repeat(self.ring, self.rows, buckets.size, self.began, self.counts, self.repeats, self.looked)
        if self.balanced >= 0:
            _balance(self.ring, self.rows, buckets.size, self.balanced, self.balance, self.excess)
        self.rows += buckets.size

    def _look(self) -> None:
        """Estimate v; begin a window when this one is full."""
        change = _change(self.repeats, self.looked, self.excess, self.old_repeats, self.old_looked, self.old_excess)
        if change > CHANGED:  # bunches began
            for old in (self.old_repeats, self.old_looked, self.old_excess):
                old.fill(0.0)
        extra, possible, found, crowded = _estimate(
            self.repeats + self.before,
            self.looked + self.looked_before,
            self.repeats + self.old_repeats,
            self.looked + self.old_looked,
            self.excess + self.old_excess,
        )
        if crowded and self.balanced < 0:
            self.balance, self.balanced = np.zeros((NEAR + 1, BUCKETS), np.int16), self.rows
        multiple = max(np.floor(SCALE / (1.0 + 2.0 * (extra + possible))), 1.0)
        if found:
            self.weight = float(multiple) / SCALE
        elif multiple >= NEARLY * SCALE:
            self.weight = 1.0
        else:
            self.weight = float(multiple + 0.5) / SCALE
        self.sure = self.sure or bool(self.looked.sum() >= WINDOW)
        if self.looked.sum() >= WINDOW:
            self._turn(HALF if change < -CHANGED else FADE)

    def _turn(self, kept: float) -> None:
        """Begin a window; `kept` of the memory stays."""
        self.old_repeats = kept * self.old_repeats + self.repeats
        self.old_looked = kept * self.old_looked + self.looked
        self.old_excess = kept * self.old_excess + self.excess
        self.before, self.looked_before = self.repeats, self.looked
        self.repeats, self.looked = np.zeros((NEAR, 2 * NEAR)), np.zeros(NEAR)
        self.excess = np.zeros(NEAR + 2)


def is_supposed(weight: float) -> bool:
    """Whether a weight is that of what is possible: bunches are neither found nor excluded.

    >>> is_supposed(SUPPOSED), is_supposed(1.0), is_supposed(0.5)
    (True, False, False)
    """
    return not float(weight * SCALE).is_integer()


def _single(weight: float) -> bool:
    return weight == 1.0 or (weight >= SINGLE and is_supposed(weight))


@njit(cache=True)
def _repeat(ring, rows, more, began, counts, repeats, looked):  # type: ignore[no-untyped-def]
    """Count in each span how many earlier rows under the policy have the pair of each of the `more` last rows."""
    for row in range(rows, rows + more):
        bucket, passed = ring[row % RING] & PAIR, row - began
        for span in range(2 * NEAR):
            start, end = SPANS[span]
            if passed > start:
                counts[span, ring[(row - start - 1) % RING] & PAIR] += 1
            if passed > end:
                counts[span, ring[(row - end - 1) % RING] & PAIR] -= 1
        widest = -1
        while widest + 1 < NEAR and passed >= SPANS[widest + 1 + NEAR, 1]:  # both are full
            widest += 1
        if widest >= 0:
            for span in range(widest + 1):
                repeats[widest, span] += counts[span, bucket]
                repeats[widest, span + NEAR] += counts[span + NEAR, bucket]
            looked[widest] += 1


@njit(cache=True)
def _balance(ring, rows, more, began, balance, excess):  # type: ignore[no-untyped-def]
    """Count by the order of the sides, whatever the policy, in the near spans and the last one."""
    for row in range(rows, rows + more):
        here, passed = ring[row % RING], row - began
        full, sign = passed >= SPANS[2 * NEAR - 1, 1], 1 if here & TURNED else -1
        for place in range(NEAR + 1):
            start, end = SPANS[place if place < NEAR else 2 * NEAR - 1]
            if passed > start:
                met = ring[(row - start - 1) % RING]
                balance[place, met & PAIR] += 1 if met & TURNED else -1
            if passed > end:
                left = ring[(row - end - 1) % RING]
                balance[place, left & PAIR] -= 1 if left & TURNED else -1
            if full:
                excess[place] += sign * balance[place, here & PAIR]
        excess[NEAR + 1] += full


@njit(cache=True)
def _estimate(recent, recent_rows, repeats, rows, excess):  # type: ignore[no-untyped-def]
    """Estimate e, from two windows for usual spans and from the whole memory for crowded ones.

    Returns e in usual spans, its upper bound in crowded ones, whether bunches are significant in either, and whether
    any span is crowded.
    """
    usual = 0
    while (
        usual < NEAR
        and recent_rows[usual:].sum() > 0
        and recent[usual:, NEAR + usual].sum() <= USUAL * recent_rows[usual:].sum()
    ):
        usual += 1
    extra, first = _in_usual(recent, recent_rows, usual), usual
    if usual < NEAR and recent_rows[usual:].sum() == 0:  # not compared yet: chance is as in the widest that was
        first = NEAR
        chance = _chance(recent, recent_rows)
        while first > usual and chance * WIDTHS[first - 1] > USUAL:
            first -= 1
    if first == NEAR:
        return extra, 0.0, extra > 0.0, False
    chance, compared = _chance(repeats, rows), rows[NEAR - 1] + excess[NEAR + 1] > 0.0
    pairs, pairs_noise = _by_pairs(repeats, rows, first, chance)
    sides, sides_noise = _by_sides(excess, first, chance)
    if rows[NEAR - 1] == 0.0 and excess[NEAR + 1] > 0.0:
        pairs_noise = np.inf  # notices are so frequent that the widest span is never compared under one policy
    both = np.isfinite(pairs_noise) and np.isfinite(sides_noise)
    level = _level(BOTH_SIGNIFICANT if both else SIGNIFICANT, chance, first, max(rows[NEAR - 1], excess[NEAR + 1]))
    significant = (
        min(pairs_noise, sides_noise) < np.inf
        and (np.isinf(pairs_noise) or pairs > level * pairs_noise)
        and (np.isinf(sides_noise) or sides > level * sides_noise)
    )
    bound = min(_bound(pairs, pairs_noise, extra), _bound(sides, sides_noise, extra))
    bound = min(bound, 2.0 * max(pairs, sides) if significant else SUPPOSED_REPEATS)  # at most twice what was found
    if not compared:
        bound = max(bound, SUPPOSED_REPEATS)
    return extra, bound, extra > 0.0 or significant, True


@njit(cache=True)
def _in_usual(seen, rows, usual):  # type: ignore[no-untyped-def]
    """Estimate e in the first spans, as many as are usual: what is significant, and somewhat more."""
    extra = 0.0
    for span in range(usual):
        total, near, chance, spread = max(rows[span:].sum(), 1.0), seen[span:, span].sum(), 0.0, 0.0
        for group in range(span, NEAR):
            # Chance as in the widest span that is used: the votes of one draw are rarest there.
            widest = min(group, usual - 1)
            part = WIDTHS[span] / WIDTHS[widest]
            chance += seen[group, NEAR + widest] * part
            spread += seen[group, NEAR + widest] * part * part
        beyond = (near - chance) / total
        noise = np.sqrt(near + spread + 1.0) / total
        if beyond > SIGNIFICANT * noise:
            extra += beyond + BOUND * noise
    return extra


@njit(cache=True)
def _chance(repeats, rows):  # type: ignore[no-untyped-def]
    """Chance that two rows have one pair, as in the widest span that was compared; 0 before the first."""
    span = NEAR - 1
    while span > 0 and rows[span:].sum() == 0:
        span -= 1
    return repeats[span:, NEAR + span].sum() / (max(rows[span:].sum(), 1.0) * WIDTHS[span])


@njit(cache=True)
def _by_pairs(repeats, rows, first, chance):  # type: ignore[no-untyped-def]
    """Return e in the compared spans from `first` on, and its standard deviation where there are no bunches."""
    beyond, near_variance, far_noise = 0.0, 0.0, 0.0
    for span in range(first, NEAR):
        total = rows[span:].sum()
        if total == 0:
            continue
        near, far, spread = repeats[span:, span].sum(), 0.0, 0.0
        for group in range(span, NEAR):
            part = WIDTHS[span] / WIDTHS[group]
            far += repeats[group, NEAR + group] * part
            spread += repeats[group, NEAR + group] * part * part
        beyond += (near - far) / total
        near_variance += (near + 1.0) / total**2
        far_noise += np.sqrt(spread) / total  # one count for all spans
    other = 1.0 - chance  # a vote of the same draw takes the place of a battle that may have had the pair, too
    if near_variance == 0.0 or other < UNINFORMED:
        return 0.0, np.inf
    return beyond / other, np.sqrt((near_variance + far_noise**2) / other)


@njit(cache=True)
def _by_sides(excess, first, chance):  # type: ignore[no-untyped-def]
    """The same by the order of sides."""
    total, width = excess[NEAR + 1], WIDTHS[first:].sum()
    if total == 0:
        return 0.0, np.inf
    part = width / WIDTHS[NEAR - 1]
    beyond = (excess[first:NEAR].sum() - excess[NEAR] * part) / total
    return beyond, np.sqrt(chance * (width + WIDTHS[NEAR - 1] * part**2) * total + 1.0) / total


@njit(cache=True)
def _level(deviations, chance, first, rows):  # type: ignore[no-untyped-def]
    """Standard deviations that are as rare by chance as `deviations` of a normal law.

    Repeats within a span are products of counts, as many as there are pairs and spans; sums of few products have longer
    tails, exp(−t² / 2(1 + b t)) as in Bernstein's inequality, b² = 1/number.
    """
    half = 0.5 * deviations * np.sqrt(chance * min(1.0, WIDTHS[first:].sum() / max(rows, 1.0)))
    return deviations * (half + np.sqrt(1.0 + half * half))


@njit(cache=True)
def _bound(beyond, noise, extra):  # type: ignore[no-untyped-def]
    """Upper bound of e. The repeats of bunches come in bunches, so their number varies v times as much."""
    if np.isinf(noise):
        return np.inf
    beyond = max(beyond, 0.0)
    return beyond + BOUND * noise * (1.0 + 2.0 * (beyond + extra))


@njit(cache=True)
def _change(repeats, rows, excess, old_repeats, old_rows, old_excess):  # type: ignore[no-untyped-def]
    """How far e of this window is from that of the memory by pairs and by sides, in standard deviations: the less."""
    chance = _chance(repeats, rows)
    usual = _level(CHANGED, chance, 0, excess[NEAR + 1]) / CHANGED
    by_pairs = _apart(_by_pairs(repeats, rows, 0, chance), _by_pairs(old_repeats, old_rows, 0, chance))
    by_sides = _apart(_by_sides(excess, 0, chance), _by_sides(old_excess, 0, chance))
    if np.isnan(by_sides):
        return 0.0
    if np.isnan(by_pairs):
        by_pairs = by_sides
    if by_pairs * by_sides <= 0.0:
        return 0.0
    return min(abs(by_sides), abs(by_pairs)) * np.sign(by_sides) / usual


@njit(cache=True)
def _apart(new, old):  # type: ignore[no-untyped-def]
    """Standard deviations between two estimates."""
    (now, noise), (then, old_noise) = new, old
    if np.isinf(noise) or np.isinf(old_noise):
        return np.nan
    return (now - then) / (np.sqrt(noise**2 + old_noise**2) * (1.0 + 2.0 * max(min(now, then), 0.0)))
