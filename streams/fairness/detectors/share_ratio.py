"""Each model's share of late, as a ratio to its declared share: what other kinds explain is left out of the bets.

A model that is drawn less than declared, or whose battles people finish less often, meets everybody less often, and is
less frequent in every language. Both are `share_drift`'s to report. Detectors of pairings and strata therefore bet
against the declared share times this ratio, which is known before the battles that it is used for.

The ratio of a model is a product. *Groups* (licence classes, providers, the half of the stronger models) are large, so
their share is known within `FAST_TICKS` ticks or two: a whole class that is cut does not make a case against each of
its members' opponents first. What is left of a model's own deviation comes from the last reviews.

A stalled feed moves every share, so nothing is learned from it: detectors do not look while it lasts, and `pass_over`
it when it is over.

A ratio within `BEYOND` standard errors of 1 counts as 1, so where shares are as declared the null is the declared
policy itself, and chance in the estimate adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.arena.arrays import pad
from streams.fairness.arena.context import Scene
from streams.fairness.statistics.cell_evidence import Ends
from streams.fairness.statistics.expected_share import Vector

FAST_TICKS = 10
"""Ticks between two looks at the groups."""
KEPT = 0.5
"""Weight of an older look, or review, against the next one."""
BEYOND = 4.0
"""Standard errors within which a ratio counts as 1."""
LEAST, MOST = 0.1, 10.0
Groups = NDArray[np.int64]


@dataclass(slots=True)
class Shares:
    """Appearances and expected appearances of late, discounted, and the ledger's counts at the last turn; float64[S].

    Arrays may be shorter than the number of subjects: new ones have no counts.
    """

    seen: Vector = field(default_factory=lambda: np.zeros(0))
    due: Vector = field(default_factory=lambda: np.zeros(0))
    all_seen: Vector = field(default_factory=lambda: np.zeros(0))
    all_due: Vector = field(default_factory=lambda: np.zeros(0))

    def turn(self, seen: Vector, due: Vector) -> None:
        """Close a period: `seen` and `due` are the ledger's counts so far, float64[S]."""
        size = seen.size
        self.seen = KEPT * pad(self.seen, size) + (seen - pad(self.all_seen, size))
        self.due = KEPT * pad(self.due, size) + (due - pad(self.all_due, size))
        self.pass_over(seen, due)

    def pass_over(self, seen: Vector, due: Vector) -> None:
        """Begin a period: what came since the last turn is not counted."""
        self.all_seen, self.all_due = seen.copy(), due.copy()


@dataclass(slots=True)
class ShareRatio:
    """State: shares of the last looks, of the last reviews, and the ratio in force, float64[S]."""

    fast: Shares = field(default_factory=Shares)
    slow: Shares = field(default_factory=Shares)
    ratio: Vector = field(default_factory=lambda: np.ones(0))

    def of(self, subjects: int) -> Vector:
        """float64[subjects], the ratios; 1 for new subjects."""
        return np.concatenate([self.ratio, np.ones(max(0, subjects - self.ratio.size))])

    def look(self, seen: Vector, due: Vector, groupings: Groups, *, review: bool) -> bool:
        """Close a look at the groups, or a review, and compute the ratios; return whether they changed.

        Parameters
        ----------
        seen, due
            float64[S], the ledger's appearances and expected appearances so far.
        groupings
            int64[G, S], the groups of every model in play; -1 for the other subjects.
        review
            Whether a review ends here, too.

        Examples
        --------
        >>> ratio, groups = ShareRatio(), np.array([[0, 0, 1]])
        >>> ratio.look(np.array([60.0, 66.0, 95.0]), np.array([100.0, 100.0, 100.0]), groups, review=False)
        True
        >>> ratio.of(4).tolist()
        [0.63, 0.63, 1.0, 1.0]
        """
        (self.slow if review else self.fast).turn(seen, due)
        size = groupings.shape[1]
        counts = [pad(each, size)[:size] for each in (self.fast.seen, self.fast.due, self.slow.seen, self.slow.due)]
        made = np.empty(size)
        changed = _ratios(counts[0], counts[1], counts[2], counts[3], groupings, self.ratio, made)
        self.ratio = made
        return bool(changed)

    def pass_over(self, seen: Vector, due: Vector) -> None:
        """Learn nothing from a stalled feed that ends here; `seen` and `due`: the ledger's counts so far, float64[S].

        The looks are forgotten: the last of them may have counted battles from before the stall was seen. In a review
        these are few.
        """
        self.fast = Shares()
        self.fast.pass_over(seen, due)
        self.slow.pass_over(seen, due)


@njit(cache=True)
def _beyond(seen, due):  # type: ignore[no-untyped-def]
    """Observed over expected counts, float64[n], where they differ beyond chance, else 1."""
    found = np.ones(len(seen))
    for at in range(len(seen)):
        if due[at] > 0.0 and abs(seen[at] - due[at]) > BEYOND * np.sqrt(max(due[at], 1.0)):
            found[at] = seen[at] / due[at]
    return found


@njit(cache=True)
def _times_groups(seen, due, groups, ratio):  # type: ignore[no-untyped-def]
    """Multiply the ratio of each subject by that of its group."""
    number = 0
    for group in groups:
        number = max(number, group + 1)
    observed, expected = np.zeros(number), np.zeros(number)
    for subject in range(len(groups)):
        if groups[subject] >= 0:
            observed[groups[subject]] += seen[subject]
            expected[groups[subject]] += due[subject] * ratio[subject]
    found = _beyond(observed, expected)
    for subject in range(len(groups)):
        if groups[subject] >= 0:
            ratio[subject] *= found[groups[subject]]


@njit(cache=True)
def _ratios(fast_seen, fast_due, slow_seen, slow_due, groupings, before, made):  # type: ignore[no-untyped-def]
    """The ratios of all subjects, to `made`; returns whether they differ from those before, which are 1 beyond."""
    of_groups, expected = np.ones(len(made)), np.ones(len(made))
    for groups in groupings:
        _times_groups(fast_seen, fast_due, groups, of_groups)
        _times_groups(slow_seen, slow_due, groups, expected)
    own, changed = _beyond(slow_seen, slow_due * expected), len(before) > len(made)
    for subject in range(len(made)):
        ratio = 1.0
        if groupings[0, subject] >= 0:
            ratio = min(max(of_groups[subject] * own[subject], LEAST), MOST)
        made[subject] = ratio
        changed = changed or ratio != (before[subject] if subject < len(before) else 1.0)
    return changed


def is_due(scene: Scene) -> bool:
    """Whether the tick that closes here ends with a look at the groups."""
    return scene.facts.rows // scene.settings.tick_battles % FAST_TICKS == 0


def spans(ends: Ends) -> list[tuple[int, int, bool]]:
    """Ticks from one look to the next: the first, the one after the last, and whether they end with a look."""
    looks = (ends.row // int(ends.size)) % FAST_TICKS == 0
    found, first = [], 0
    for until in [*(np.flatnonzero(looks) + 1).tolist(), len(looks)]:
        if until > first:
            found.append((first, until, bool(looks[until - 1])))
        first = until
    return found
