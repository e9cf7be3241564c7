"""How far the ledger goes beside how far the boards in Redis count it, and what follows from that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.contracts.partitioner import partitions_of


@dataclass(slots=True)
class Ledger:
    """What is known of the ledger.

    `ends` is where each partition ends, empty while Kafka has not said; `shown` is the offset up to which the boards
    in Redis count everything, by the ratings fold's own word. A Redis that is empty holds no such word either, so a
    partition without one counts as shown up to its beginning.

    >>> ledger = Ledger(ends={0: 10}, shown={0: 7})
    >>> ledger.is_withdrawn("text", 7), ledger.is_withdrawn("text", 8), Ledger().is_withdrawn("text", 0)
    (True, False, False)
    """

    ends: Mapping[int, int] = field(default_factory=dict)
    shown: Mapping[int, int] = field(default_factory=dict)

    def is_withdrawn(self, arena: str, position: int) -> bool:
        """Whether the ledger holds an arena, or a board, no longer that Redis does not list.

        `position` is up to where what is held of it counts. Once the fold shows as much, or all that there is, and
        still does not list it, the ledger does not hold it. Before that Redis may just have lost it.
        """
        partition = self._partition(arena)
        return partition is not None and self.shown.get(partition, 0) >= min(position, self.ends[partition])

    def may_hold(self, arena: str) -> bool:
        """Whether there may be records of an arena of which nothing is on a board yet."""
        partition = self._partition(arena)
        return partition is not None and self.shown.get(partition, 0) == 0 < self.ends[partition]

    @property
    def may_hold_more(self) -> bool:
        """Whether there may be any arena of which nothing is on a board yet; yes while Kafka has not said."""
        return not self.ends or any(end > 0 == self.shown.get(at, 0) for at, end in self.ends.items())

    def _partition(self, arena: str) -> int | None:
        return partitions_of([arena.encode()], len(self.ends))[0] if self.ends else None
