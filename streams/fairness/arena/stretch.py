"""A stretch of many ticks, counted at once: one `bincount` over (tick, subject), so that a tick costs little more than
its update. It holds exposures only; repeated votes on a draw were left out before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.vote import NONE
from streams.fairness.arena.context import Scene
from streams.fairness.arena.declared_pairs import PairTally, compare_pairs
from streams.fairness.arena.past_policies import IN_FORCE, LateCounts
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.statistics.expected_share import Vector

TICKS = 128
"""Ticks in a stretch, at most: detectors run those of a calm stretch at once, and share the cost of being called."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Exposures:
    """n exposures.

    Attributes
    ----------
    a, b
        int64[n], subject numbers of the two models, -1 for names that are not followed.
    winner
        uint8[n], of the first vote of the draw.
    clock
        float64[n], clock of the votes.
    policy
        int64[n], number of the policy that judges each, or None when all are judged by the one in force; see
        `PastPolicies.of`.
    weight
        float64[n], how much evidence each is, or None when all weigh 1; see `Draws`.
    p_pair
        float64[n], declared probability of the pair, NaN where absent, or None.
    single
        bool[n], whether each is known to be a draw of its own, or None when all are; see `RowDraws`.
    """

    a: Numbers
    b: Numbers
    winner: NDArray[np.uint8]
    clock: Vector
    policy: Numbers | None
    weight: Vector | None
    p_pair: Vector | None
    single: NDArray[np.bool_] | None = None

    def take(self, chosen: slice | NDArray[np.bool_] | Numbers) -> Exposures:
        """Return the chosen exposures."""
        return Exposures(
            a=self.a[chosen],
            b=self.b[chosen],
            winner=self.winner[chosen],
            clock=self.clock[chosen],
            policy=None if self.policy is None else self.policy[chosen],
            weight=None if self.weight is None else self.weight[chosen],
            p_pair=None if self.p_pair is None else self.p_pair[chosen],
            single=None if self.single is None else self.single[chosen],
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Counts of T ticks, of which the last may be partial; S subjects.

    Attributes
    ----------
    ends
        int64[T], exposures from the beginning of the stretch to the end of each tick.
    hits
        float64[T, 3, S], appearances in all battles, among declared models, among models in play; the latter two count
        those that the policy in force judges, by their weight.
    battles
        float64[T, 3], battles of the same three kinds.
    votes
        int64[T], exposures with a vote.
    clock
        float64[T], at the end of each tick.
    full
        Ticks that are full.
    late
        Counts of each tick of the exposures that a past policy judges, by its number: ascending.
    pairs
        What came of comparing `p_pair` in each tick, where any exposure had one.
    """

    ends: Numbers
    hits: Vector
    battles: Vector
    votes: Numbers
    clock: Vector
    full: int
    late: dict[int, list[LateCounts]] = field(default_factory=dict)
    pairs: dict[int, PairTally] = field(default_factory=dict)

    @classmethod
    def of(cls, scene: Scene, exposures: Exposures) -> Stretch:
        """Count the exposures of one stretch: at most `TICKS` ticks, and not past the next review."""
        settings, rows = scene.settings, scene.facts.rows
        size, behind = settings.tick_battles, rows % settings.tick_battles
        most = min(TICKS * size - behind, settings.review_battles - rows % settings.review_battles)
        part = exposures.take(slice(0, most))
        n = part.a.size
        number = (behind + np.arange(n)) // size
        ticks = int(number[-1]) + 1
        ends = np.minimum((np.arange(ticks) + 1) * size - behind, n)

        play = scene.play
        everyone = _appearances(play, part.a, part.b, number, ticks)
        all_battles = np.bincount(number, minlength=ticks).astype(np.float64)
        sorts, counted = [everyone], [all_battles]
        judged = None if part.policy is None else part.policy == IN_FORCE
        for mask in (play.declared, play.in_play):
            within = mask[part.a] & mask[part.b]
            if judged is not None:
                within &= judged
            if part.weight is None and within.all():
                sorts.append(everyone)
                counted.append(all_battles)
            else:
                hits, battles = _weighed(play, part, number, ticks, within)
                sorts.append(hits)
                counted.append(battles)
        return cls(
            ends=ends,
            hits=np.stack(sorts, axis=1),
            battles=np.stack(counted, axis=1),
            votes=np.bincount(number[part.winner != NONE], minlength=ticks),
            clock=part.clock[ends - 1],
            full=(behind + n) // size,
            late={} if part.policy is None else _late(scene, part, part.policy, number, ticks),
            pairs=compare_pairs(scene.policy, part.a, part.b, part.p_pair, part.policy, number),
        )


def _late(scene: Scene, part: Exposures, policy: Numbers, number: Numbers, ticks: int) -> dict[int, list[LateCounts]]:
    """Count the exposures that past policies judge."""
    counts = {}
    for past in np.unique(policy[policy > IN_FORCE]).tolist():
        play, chosen = scene.policy(past), policy == past
        sorts = [
            _weighed(play, part, number, ticks, chosen & mask[part.a] & mask[part.b])
            for mask in (play.declared, play.in_play)
        ]
        hits, battles = np.stack([each[0] for each in sorts], axis=1), np.stack([each[1] for each in sorts], axis=1)
        counts[past] = [LateCounts(hits[tick], battles[tick]) for tick in range(ticks)]
    return counts


def _weighed(
    play: Play, part: Exposures, number: Numbers, ticks: int, within: NDArray[np.bool_]
) -> tuple[Vector, Vector]:
    """Appearances float64[T, S] and battles float64[T] of some exposures, by weight."""
    weight = None if part.weight is None else part.weight[within]
    hits = _appearances(play, part.a[within], part.b[within], number[within], ticks, weight)
    return hits, np.bincount(number[within], weight, minlength=ticks).astype(np.float64)


def _appearances(
    play: Play, a: Numbers, b: Numbers, number: Numbers, ticks: int, weight: Vector | None = None
) -> Vector:
    """Battles with each subject, per tick: float64[T, S]; a group with both models in a battle counts it once."""
    counts = np.zeros((ticks, play.pi.size))
    _count(a, b, number, play.provider, play.license, np.ones(a.size) if weight is None else weight, counts)
    return counts


@njit(cache=True)
def _count(a, b, number, provider, license_, weight, counts):  # type: ignore[no-untyped-def]
    for battle in range(len(a)):
        i, j, of_tick, amount = a[battle], b[battle], counts[number[battle]], weight[battle]
        for first, second in ((i, j), (provider[i], provider[j]), (license_[i], license_[j])):
            if first >= 0:
                of_tick[first] += amount
            if second >= 0 and second != first:
                of_tick[second] += amount
