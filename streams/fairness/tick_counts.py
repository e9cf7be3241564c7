"""A stretch: the rows of up to `TICKS` ticks under one policy, counted at once.

One `bincount` over (tick, subject) counts the whole stretch, so that a tick costs little more than its update.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Alert
from streams.contracts.vote import NONE
from streams.fairness import tick_update as tick
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.statistics.expected_share import Vector

TICKS = 32
"""Ticks in a stretch: enough to share the cost of counting, few enough for the counts to stay in the cache."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Counts of T ticks, of which the last may be partial; S subjects.

    Attributes
    ----------
    ends
        int64[T], rows from the beginning of the stretch to the end of each tick.
    hits
        float64[T, 3, S], appearances in all battles, among declared models, among models in play.
    battles
        float64[T, 3], battles of the same three kinds.
    votes
        int64[T].
    clock
        float64[T], at the end of each tick.
    full
        Ticks that are full.
    """

    ends: Numbers
    hits: Vector
    battles: Vector
    votes: Numbers
    clock: Vector
    full: int

    @classmethod
    def of(cls, scene: Scene, a: Numbers, b: Numbers, winner: NDArray[np.uint8], clock: Vector) -> Stretch:
        """Count the rows of one stretch: at most `TICKS` ticks, and not past the next review."""
        settings, rows = scene.settings, scene.facts.rows
        size, behind = settings.tick_battles, rows % settings.tick_battles
        most = min(TICKS * size - behind, settings.review_battles - rows % settings.review_battles)
        n = min(a.size, most)
        a, b = a[:n], b[:n]
        number = (behind + np.arange(n)) // size
        ticks = int(number[-1]) + 1
        ends = np.minimum((np.arange(ticks) + 1) * size - behind, n)

        play = scene.play
        everyone = _appearances(play, a, b, number, ticks)
        all_battles = np.bincount(number, minlength=ticks).astype(np.float64)
        sorts, counted = [everyone], [all_battles]
        for mask in (play.declared, play.in_play):
            within = mask[a] & mask[b]
            if within.all():
                sorts.append(everyone)
                counted.append(all_battles)
            else:
                sorts.append(_appearances(play, a[within], b[within], number[within], ticks))
                counted.append(np.bincount(number[within], minlength=ticks).astype(np.float64))
        return cls(
            ends=ends,
            hits=np.stack(sorts, axis=1),
            battles=np.stack(counted, axis=1),
            votes=np.bincount(number[winner[:n] != NONE], minlength=ticks),
            clock=clock[ends - 1],
            full=(behind + n) // size,
        )

    def play(self, state: ArenaFairness) -> tuple[int, list[Alert]]:
        """Run the ticks until the policy changes; return the number of rows used and the alerts to emit."""
        facts, policy = state.scene.facts, state.scene.play
        began, alerts = facts.rows, list[Alert]()
        for index, end in enumerate(self.ends.tolist()):
            facts.tick_hits += self.hits[index]
            facts.tick_battles += self.battles[index]
            votes = int(self.votes[index])
            facts.tick_votes += votes
            facts.votes += votes
            facts.rows, facts.clock = began + end, float(self.clock[index])
            if index < self.full:
                alerts += tick.close(state)
            if state.scene.play is not policy:
                return end, alerts
        return int(self.ends[-1]), alerts


def _appearances(play: Play, a: Numbers, b: Numbers, number: Numbers, ticks: int) -> Vector:
    """Battles with each subject, per tick: float64[T, S]; a group with both models in a battle counts it once."""
    size = play.pi.size
    subjects = [a, b]
    for groups in (play.provider, play.license):
        first, second = groups[a], groups[b]
        subjects += [first, np.where(second == first, -1, second)]
    # Subjects without a number go to an extra column, which is dropped.
    keys = np.stack(subjects)
    keys[keys < 0] = size
    keys += number * (size + 1)
    counts = np.bincount(keys.ravel(), minlength=ticks * (size + 1))
    return counts.reshape(ticks, size + 1)[:, :size].astype(np.float64)
