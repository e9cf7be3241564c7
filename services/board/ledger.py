"""Compares the end of the ledger with how far the boards in Redis count it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.contracts.partitioner import partitions_of


@dataclass(slots=True)
class Ledger:
    """What is known of the ledger.

    `ends` is the end offset of each partition, empty until Kafka has answered; `shown` is the offset up to which the
    boards in Redis count everything, as the ratings fold reports it. An empty Redis has no such report either, so a
    partition without one counts as shown up to its beginning.

    >>> ledger = Ledger(ends={0: 10}, shown={0: 7})
    >>> ledger.is_withdrawn("text", 7), ledger.is_withdrawn("text", 8), Ledger().is_withdrawn("text", 0)
    (True, False, False)
    """

    ends: Mapping[int, int] = field(default_factory=dict)
    shown: Mapping[int, int] = field(default_factory=dict)

    def is_withdrawn(self, arena: str, position: int) -> bool:
        """Whether the ledger no longer holds an arena or board that Redis does not list.

        `position` is the offset up to which the held copy counts. Once the fold has reached that offset, or the end of
        the ledger, and still does not list it, the ledger does not hold it. Before that Redis may just have lost it.
        """
        partition = self._partition(arena)
        return partition is not None and self.shown.get(partition, 0) >= min(position, self.ends[partition])

    def may_hold(self, arena: str) -> bool:
        """Whether the ledger may hold records of an arena that has no board yet."""
        partition = self._partition(arena)
        return partition is not None and self.shown.get(partition, 0) == 0 < self.ends[partition]

    @property
    def may_hold_more(self) -> bool:
        """Whether the ledger may hold any arena that has no board yet; true until Kafka has answered."""
        return not self.ends or any(end > 0 == self.shown.get(at, 0) for at, end in self.ends.items())

    def _partition(self, arena: str) -> int | None:
        return partitions_of([arena.encode()], len(self.ends))[0] if self.ends else None
