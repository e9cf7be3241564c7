"""Compare the `p_pair` that votes give with the probability of the pair that the declared weights imply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.past_policies import IN_FORCE, NOT_JUDGED
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.statistics.expected_share import Vector

TOLERANCE = 0.01
"""Largest relative difference that counts as rounding: three significant digits are off by at most half of this."""
Numbers = NDArray[np.int64]


@dataclass(slots=True)
class PairTally:
    """Battles whose `p_pair` was compared, those that differ, and the one that differs most.

    Attributes
    ----------
    compared, wrong
        Battles.
    worst
        |ln(given / implied)| of the battle that differs most; 0 if none does.
    pair, given, implied
        Its two subjects, the probability that the vote gives, and the one that the declared weights imply.
    """

    compared: int = 0
    wrong: int = 0
    worst: float = 0.0
    pair: tuple[int, int] = (-1, -1)
    given: float = 0.0
    implied: float = 0.0

    def add(self, other: PairTally) -> None:
        """Add the battles of another tally; of equal differences the earlier is kept."""
        self.compared += other.compared
        self.wrong += other.wrong
        if other.worst > self.worst:
            self.worst, self.pair, self.given, self.implied = other.worst, other.pair, other.given, other.implied


def compare_pairs(
    play_of: Callable[[int], Play],
    a: Numbers,
    b: Numbers,
    p_pair: Vector | None,
    policy: Numbers | None,
    number: Numbers,
) -> dict[int, PairTally]:
    """Compare n battles, each with the policy that judges it; returns the tally of each tick with anything to compare.

    Parameters
    ----------
    play_of
        The policy of a number.
    a, b
        int64[n], subject numbers. Battles with a model of declared weight 0 have no probability to compare with.
    p_pair
        float64[n], NaN where absent, or None.
    policy
        int64[n], see `PastPolicies.of`, or None.
    number
        int64[n], the tick of each battle.
    """
    if p_pair is None:
        return {}
    given = np.isfinite(p_pair) if policy is None else np.isfinite(p_pair) & (policy != NOT_JUDGED)
    tallies: dict[int, PairTally] = {}
    for each in (IN_FORCE,) if policy is None else np.unique(policy[given]).tolist():
        play = play_of(each)
        chosen = given & play.declared[a] & play.declared[b]
        places = np.flatnonzero(chosen if policy is None else chosen & (policy == each))
        if not places.size:
            continue
        implied = play.pair_probability(a[places], b[places])
        ratio = p_pair[places] / implied
        off = np.where(np.abs(ratio - 1.0) > TOLERANCE, np.abs(np.log(ratio)), 0.0)
        for tick in np.unique(number[places]).tolist():
            within = np.flatnonzero(number[places] == tick)
            worst = int(within[np.argmax(off[within])])
            at = places[worst]
            tallies.setdefault(tick, PairTally()).add(
                PairTally(
                    compared=within.size,
                    wrong=int(np.count_nonzero(off[within])),
                    worst=float(off[worst]),
                    pair=(int(a[at]), int(b[at])),
                    given=float(p_pair[at]),
                    implied=float(implied[worst]),
                )
            )
    return tallies
