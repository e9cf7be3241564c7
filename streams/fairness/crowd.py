"""The crowd: model names without a subject number, because `max_undeclared` other names came before them.

An arena may have any number of names, but the roster follows a limited number. This counts the frequent names among
the rest with the algorithm of Misra and Gries [1]_. A count is too small by at most the review's appearances divided
by the seats, so a flood of names in one battle each hides no frequent name. A count is never too large, so an alert
never overstates the battles.

References
----------
.. [1] J. Misra, D. Gries, "Finding repeated elements", Science of Computer Programming 2 (1982).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


def seats(review_battles: int, undeclared_battles: int) -> int:
    """Return how many names to count at once, so that a count is too small by at most 2/3 of `undeclared_battles`.

    >>> seats(10_000, 30)
    1000
    """
    return max(1, -(-3 * review_battles // undeclared_battles))


@dataclass(slots=True)
class Crowd:
    """State.

    Attributes
    ----------
    counts
        Appearances in the current review, of at most `seats` names.
    watched
        Exact appearances in the current review, of names with an open alert.
    last
        Counts of the last full review.
    """

    counts: dict[str, int] = field(default_factory=dict)
    watched: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, names: Iterable[str], seats: int) -> None:
        """Count appearances, in order, with at most `seats` counters."""
        counts = self.counts
        for name in names:
            if name in self.watched:
                self.watched[name] += 1
            elif name in counts:
                counts[name] += 1
            elif len(counts) < seats:
                counts[name] = 1
            else:  # no counter is free: decrement all, which earlier appearances of as many names have paid for
                self.counts = counts = {each: count - 1 for each, count in counts.items() if count > 1}

    def turn(self) -> None:
        """Close the current review."""
        self.last = self.counts | {name: count for name, count in self.watched.items() if count}
        self.counts, self.watched = {}, {}

    def watch(self, names: Iterable[str]) -> None:
        """Count these names exactly from here on; call it right after `turn`."""
        self.watched = dict.fromkeys(names, 0)
