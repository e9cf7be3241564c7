"""Each model's share of late, as a ratio to its declared share: what other kinds explain is left out of the bets.

A model that is drawn less than declared, or whose battles people finish less often, meets everybody less often, and is
less frequent in every language. Both are `share_drift`'s to report. Detectors of pairings and strata therefore bet
against the declared share times this ratio: appearances over expected appearances in the last reviews, an older
review counting half of the next one. It is known before the battles that it is used for.

A ratio within 4 standard errors of 1 counts as 1, so where shares are as declared the null is the declared policy
itself, and chance in the estimate adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streams.fairness.arena.arrays import pad
from streams.fairness.statistics.expected_share import Vector

KEPT = 0.5
"""Weight of an older review against the next one."""
BEYOND = 4.0
"""Standard errors within which a ratio counts as 1."""
LEAST, MOST = 0.1, 10.0


@dataclass(slots=True)
class ShareRatio:
    """State; all float64[S], shorter where subjects are new.

    Attributes
    ----------
    seen, due
        Appearances and expected appearances of the last reviews, discounted.
    all_seen, all_due
        The ledger's counts at the last review.
    """

    seen: Vector = field(default_factory=lambda: np.zeros(0))
    due: Vector = field(default_factory=lambda: np.zeros(0))
    all_seen: Vector = field(default_factory=lambda: np.zeros(0))
    all_due: Vector = field(default_factory=lambda: np.zeros(0))

    def turn(self, seen: Vector, due: Vector) -> None:
        """Close a review: `seen` and `due` are the ledger's counts so far, float64[S]."""
        size = seen.size
        self.seen = KEPT * pad(self.seen, size) + (seen - pad(self.all_seen, size))
        self.due = KEPT * pad(self.due, size) + (due - pad(self.all_due, size))
        self.all_seen, self.all_due = seen.copy(), due.copy()

    def of(self, subjects: int) -> Vector:
        """float64[subjects], the ratios.

        >>> ratio = ShareRatio()
        >>> ratio.turn(np.array([60.0, 95.0]), np.array([100.0, 100.0]))
        >>> ratio.of(3).tolist()
        [0.6, 1.0, 1.0]
        """
        seen, due = pad(self.seen, subjects), pad(self.due, subjects)
        beyond = np.abs(seen - due) > BEYOND * np.sqrt(np.maximum(due, 1.0))
        ratio = np.divide(seen, due, out=np.ones(subjects), where=beyond & (due > 0))
        return np.asarray(np.clip(ratio, LEAST, MOST))
