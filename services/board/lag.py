"""How far the stream is behind, in seconds. Pure; the times are arguments."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.contracts.partitioner import partitions_of
from streams.contracts.shown import Shown

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


@dataclass(slots=True)
class FoldLag:
    """Where each ledger partition ended at each look, for as long as some arena of it has not got there.

    An arena waits for its own boards alone: a slow one keeps nobody else behind.

    >>> lag = FoldLag()
    >>> lag.look(0.0, {0: 10}, {0: Shown(10, {"slow": 4})})
    >>> lag.look(9.0, {0: 12}, {0: Shown(12, {"slow": 4})})
    >>> lag.of("slow", 9.0), lag.of("quick", 9.0)
    (9.0, 0.0)
    """

    looks: dict[int, tuple[list[float], list[int]]] = field(default_factory=dict)
    """Times and ends of each partition, oldest first."""
    shown: Mapping[int, Shown] = field(default_factory=dict)
    _partitions: dict[tuple[str, int], int] = field(default_factory=dict)

    def look(self, now: float, ends: Mapping[int, int], shown: Mapping[int, Shown]) -> None:
        """Take down where the partitions end, and up to where they are on the boards."""
        self.shown = shown
        self.looks = {at: self.looks.get(at, ([], [])) for at in ends}
        for at, end in ends.items():
            times, seen = self.looks[at]
            times.append(now)
            seen.append(max(end, seen[-1] if seen else end))
            gone = bisect_right(seen, shown[at].whole if at in shown else 0)
            if gone:
                del times[:gone], seen[:gone]
            if len(seen) > REMEMBERED:
                del times[1], seen[1]  # the oldest says since when, the newer ones when it is over

    def of(self, arena: str, now: float) -> float:
        """Seconds for which the ledger has had something that is not on an arena's boards."""
        if not self.looks:
            return 0.0
        at = self._partition(arena)
        times, seen = self.looks.get(at, ([], []))
        first = bisect_right(seen, self.shown[at].of(arena) if at in self.shown else 0)
        return now - times[first] if first < len(times) else 0.0

    def _partition(self, arena: str) -> int:
        place = arena, len(self.looks)
        if place not in self._partitions:
            self._partitions[place] = partitions_of([arena.encode()], len(self.looks))[0]
        return self._partitions[place]
