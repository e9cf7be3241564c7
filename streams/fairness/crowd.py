"""The crowd: names in battles that have no number of their own, because too many others came before them.

An arena may have any number of names, and only so many are followed. Of the others this counts who is in many
battles: counts are too small by at most the review's appearances over the seats, whatever else is in it, so a flood of
names that are in one battle each hides nobody. Counts are never too large, so nobody is accused of more than there
was.

References
----------
.. [1] J. Misra, D. Gries, "Finding repeated elements", Science of Computer Programming 2 (1982).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


def seats(review_battles: int, undeclared_battles: int) -> int:
    """Names to count at once: enough that a count is too small by less than two thirds of the bound of the rule.

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
        Appearances in the review under way, of at most as many names as there are seats.
    watched
        The same, exact, of names that an alert is about.
    last
        What the last full review came to.
    """

    counts: dict[str, int] = field(default_factory=dict)
    watched: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, names: Iterable[str], seats: int) -> None:
        """Count appearances, in order, in so many seats."""
        counts = self.counts
        for name in names:
            if name in self.watched:
                self.watched[name] += 1
            elif name in counts:
                counts[name] += 1
            elif len(counts) < seats:
                counts[name] = 1
            else:  # one off for everybody: each such step was paid for by as many appearances
                self.counts = counts = {each: count - 1 for each, count in counts.items() if count > 1}

    def turn(self) -> None:
        """Close the review under way."""
        self.last = self.counts | {name: count for name, count in self.watched.items() if count}
        self.counts, self.watched = {}, {}

    def watch(self, names: Iterable[str]) -> None:
        """Count these exactly from here on; right after `turn`."""
        self.watched = dict.fromkeys(names, 0)
