"""Past policies: the policy in force when a battle was drawn, which is the one that the row is judged by.

A vote comes minutes after its draw, so after a notice rows still arrive that were drawn under the policy before. Judged
by the new policy they look unfair: a model that just joined is missing from them.

- A row with `drawn_at` is judged by the policy in force then, if that is at most a day ago.
- A row without it is judged by the policy in force, but not within the settling time after a notice that changed the
  declared shares: `settle_seconds`, or longer where earlier votes were later (`lateness`). Which rows are skipped is
  known before they come, so the bound on false pages stands.

Rows that are not judged still count for shares, ratings and reviews.

**Clocks.** A notice takes effect at its record time, which the arena cannot date back. In a replay of old votes the
record time is that of the replay: there, when record time is more than a day ahead of the votes, the clock of the votes
at the notice is taken. Settling is measured on the clock of the votes too: live, it is within five minutes of record
time, and in a replay it passes as fast as the votes do. Rows drawn within `SKEW` seconds of a policy's first or last
moment are not judged, because the arena's clock and the broker's differ.

**Memory.** At most `KEPT` policies of the last day are kept, about 9 bytes a subject each; rows drawn under an earlier
one are not judged. A policy that was in force for less than a second, as when many models are declared at once, is not
kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.lateness import Lateness
from streams.fairness.arena.sampling_policy import Play

KEPT = 64
DAY = 86_400.0
SKEW = 2.0
BRIEF = 1.0
IN_FORCE, NOT_JUDGED = 0, -1
Vector = NDArray[np.float64]


@dataclass(slots=True)
class PastPolicy:
    """A policy that was in force from `since` until `until`, epoch seconds: weights float64[S] and active bool[S]."""

    number: int
    since: float
    until: float
    weights: Vector
    active: NDArray[np.bool_]


@dataclass(slots=True)
class LateCounts:
    """Exposures that a past policy judges: appearances float64[2, S] and battles float64[2], among declared models and
    among models in play.
    """

    hits: Vector
    battles: Vector

    @classmethod
    def none(cls, subjects: int) -> LateCounts:
        """Return counts of zero."""
        return cls(np.zeros((2, subjects)), np.zeros(2))

    def add(self, other: LateCounts) -> None:
        """Add other counts."""
        self.hits += other.hits
        self.battles += other.battles


@dataclass(slots=True)
class PastPolicies:
    """State.

    Attributes
    ----------
    kept
        Past policies, oldest first.
    changes
        Changes of policy so far; numbers of past policies count from 1.
    since
        When the policy in force began, on the arena's clock; −inf before the first battle.
    settled_at
        Clock of the votes from which rows without `drawn_at` are judged.
    settling
        Seconds from the last change to `settled_at`; 0 before the first change.
    lateness
        How late votes without `drawn_at` were.
    unjudged, judged, changed
        Exposures of the current review that are not judged, and that are, and changes of policy in it.
    last
        The same three of the last full review.
    """

    kept: list[PastPolicy] = field(default_factory=list)
    changes: int = 0
    since: float = float("-inf")
    settled_at: float = float("-inf")
    settling: float = 0.0
    lateness: Lateness = field(default_factory=Lateness)
    unjudged: int = 0
    judged: int = 0
    changed: int = 0
    last: tuple[int, int, int] = (0, 0, 0)

    def change(self, before: Play, after: Play, recorded: float, clock: float, settle: float, *, rows: int) -> None:
        """Replace the policy in force.

        Parameters
        ----------
        before, after
            The policy that ends here, and the one that begins.
        recorded, clock
            Record time of the notice and clock of the votes, epoch seconds.
        settle
            Seconds for which rows without `drawn_at` are not judged, at least.
        rows
            Battles so far: before the first one no row can be late.
        """
        if not rows:
            return
        now = recorded if recorded - clock <= DAY else clock
        self.changed += 1
        if before.declared_weights.any() and now - self.since >= BRIEF:
            self.changes += 1
            self.kept.append(PastPolicy(self.changes, self.since, now, before.declared_weights, before.active))
        self.kept = [each for each in self.kept if each.until >= now - DAY][-KEPT:]
        self.since = now
        self.settling = self.lateness.settling(settle)
        self.settled_at = max(clock, now) + self.settling
        self.lateness.change(before.declared_weights, after.declared_weights, max(clock, now))

    def of(self, drawn_at: Vector | None, clock: Vector, before: float) -> NDArray[np.int64] | None:
        """Return the policy that judges each row: its number, `IN_FORCE` or `NOT_JUDGED`; None when all are in force.

        Parameters
        ----------
        drawn_at
            float64[n], NaN where absent, or None.
        clock
            float64[n], clock of the votes at each row.
        before
            The same before the first row: whether a row is judged must be known before it.
        """
        policy = None
        if before < self.settled_at:
            earlier = np.append(before, clock)[:-1]
            policy = np.where(earlier < self.settled_at, NOT_JUDGED, IN_FORCE)
        if drawn_at is None:
            return policy
        known = ~np.isnan(drawn_at)
        judged = (drawn_at >= self.since + SKEW) & (clock - drawn_at <= DAY)
        if policy is None and (judged | ~known).all():
            return None
        policy = np.zeros(clock.size, np.int64) if policy is None else policy
        policy[known] = np.where(judged[known], IN_FORCE, NOT_JUDGED)
        late = np.flatnonzero(known & ~judged & (clock - drawn_at <= DAY))
        for each in self.kept if late.size else ():
            within = (drawn_at[late] >= each.since + SKEW) & (drawn_at[late] < each.until - SKEW)
            policy[late[within]] = each.number
        return policy

    def count(self, policy: NDArray[np.int64] | None, rows: int) -> None:
        """Count exposures that are judged and that are not."""
        unjudged = 0 if policy is None else int(np.count_nonzero(policy == NOT_JUDGED))
        self.unjudged += unjudged
        self.judged += rows - unjudged

    def turn(self) -> None:
        """Close a review."""
        self.last = self.unjudged, self.judged, self.changed
        self.unjudged = self.judged = self.changed = 0

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        for each in self.kept:
            missing = subjects - each.weights.size
            if missing > 0:
                each.weights = np.append(each.weights, np.zeros(missing))
                each.active = np.append(each.active, np.zeros(missing, np.bool_))
