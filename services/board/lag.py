"""How far the stream is behind, in seconds. Pure; the times are arguments."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

REMEMBERED = 3_600
"""Looks that are remembered; one that is further behind is as old as the oldest of them."""


@dataclass(slots=True)
class Lag:
    """Where `votes` ended at each look, for as long as intake has not got there.

    A stream under load always has some records in flight, so their number says little. Seconds do: how long ago did
    the topic end where intake is now?

    >>> lag = Lag()
    >>> lag.look(0.0, ends={0: 10}, committed={0: 10}), lag.look(1.0, {0: 12}, {0: 10}), lag.look(4.0, {0: 20}, {0: 11})
    (0.0, 0.0, 3.0)
    >>> lag.look(5.0, ends={0: 20}, committed={0: 19}), lag.look(6.0, {0: 21}, {0: 21})
    (1.0, 0.0)
    """

    looks: deque[tuple[float, Mapping[int, int]]] = field(default_factory=deque)

    def look(self, now: float, ends: Mapping[int, int], committed: Mapping[int, int]) -> float:
        """Seconds for which intake has had something to do that it has not done."""
        self.looks.append((now, ends))
        while self.looks and all(committed.get(at, 0) >= end for at, end in self.looks[0][1].items()):
            self.looks.popleft()
        while len(self.looks) > REMEMBERED:
            del self.looks[1]  # the oldest says since when, the newer ones when it is over
        return now - self.looks[0][0] if self.looks else 0.0
