"""Counts of strange names: names in battles that are neither declared nor known from before the current review.

The number of different names is estimated from the bits that their hashes set (linear counting [1]_): within 1 % up to
20,000 names, the most that a review of 10,000 battles can have. The voters with most such battles are counted by Misra
and Gries with `VOTERS` counters. So the state takes 66 kB, however many names come; none is taken before the first.

References
----------
.. [1] K.-Y. Whang, B. T. Vander-Zanden, H. M. Taylor, "A linear-time probabilistic counting algorithm for database
   applications", ACM Transactions on Database Systems 15 (1990).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.hashing import hash_words
from streams.fairness.arena.registry import Roster
from streams.fairness.crowd import Crowd
from streams.ledger.rows import Rows

BITS = 65_536
VOTERS = 64
NAMED = 5


@dataclass(slots=True)
class Strangers:
    """Strange names of the last full review: their number, the battles with one, and the voters with most of those."""

    names: int = 0
    battles: int = 0
    voters: list[str] = field(default_factory=list)
    voters_battles: int = 0


@dataclass(slots=True)
class NameCounts:
    """State.

    Attributes
    ----------
    known
        Subjects at the beginning of the current review: a higher number was given to a name in it.
    bits
        bool[BITS], set by the hashes of the strange names of the current review.
    battles
        Rows with a strange name in it.
    voters
        Their most frequent voters.
    last
        The last full review.
    """

    known: int = 0
    bits: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    battles: int = 0
    voters: Crowd = field(default_factory=Crowd)
    last: Strangers = field(default_factory=Strangers)

    def add(self, roster: Roster, rows: Rows, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
        """Count rows; `a` and `b`, int64[n], are subject numbers, -1 for names without one."""
        new = [(side < 0) | (side >= self.known) for side in (a, b)]
        codes = np.concatenate([rows.model_a[new[0]], rows.model_b[new[1]]])
        strange = np.zeros(len(rows.models), np.bool_)
        words = [word for word in np.unique(codes).tolist() if rows.models[word] not in roster.known]
        if not words:
            return
        strange[words] = True
        if not self.bits.size:
            self.bits = np.zeros(BITS, np.bool_)
        hashes = hash_words([rows.models[word] for word in words])
        self.bits[(hashes >> np.uint64(40)) % np.uint64(BITS)] = True
        chosen = (new[0] & strange[rows.model_a]) | (new[1] & strange[rows.model_b])
        self.battles += int(np.count_nonzero(chosen))
        if rows.voter is not None:
            voters = rows.voter[chosen]
            self.voters.add([rows.voters[code] for code in voters[voters > 0].tolist()], VOTERS)

    def turn(self, subjects: int) -> None:
        """Close a review; `subjects` is their number now."""
        self.last = Strangers()
        if self.battles:
            free = max(BITS - int(np.count_nonzero(self.bits)), 1)
            most = sorted(self.voters.counts.items(), key=lambda each: (-each[1], each[0]))[:NAMED]
            self.last = Strangers(
                names=round(-BITS * math.log(free / BITS)),
                battles=self.battles,
                voters=[name for name, _ in most],
                voters_battles=sum(count for _, count in most),
            )
            self.bits[:] = False
        self.known, self.battles, self.voters = subjects, 0, Crowd()
