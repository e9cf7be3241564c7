"""Whether everything in the votes topic is on the boards: asked of Kafka's offsets, with kafka-python."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, OffsetSpec

from streams.contracts.connect import kafka_python_options
from streams.contracts.partitioner import partitions_of
from streams.contracts.settings import Settings
from streams.contracts.topics import INTAKE_GROUP, LEDGER, VOTES
from streams.kafka.end_offsets import EndsUnknown, ask_commits, ask_ends, partitions_of_topic

PATIENCE = 30.0
"""Seconds in which what was counted last must be read."""


class CaughtUp:
    """Answers one question, as often as it is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group = settings.group(INTAKE_GROUP)
        kafka = kafka_python_options(settings)
        # As intake reads: what stands behind an open transaction cannot be counted before that ends.
        self._consumer: Any = KafkaConsumer(
            **kafka, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
        )
        self._admin: Any = KafkaAdminClient(**kafka)
        self._target: dict[Any, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
        self._admin.close()

    def mark(self) -> int:
        """Remember up to where the votes topic can be read now as the target; returns the offsets before it, summed."""
        self._target = self._ends(VOTES.name)
        return sum(self._target.values())

    def hidden(self) -> int:
        """How many offsets lie behind the target: nobody gets those before a transaction that is open has ended."""
        last = self._admin.list_partition_offsets(dict.fromkeys(self._target, OffsetSpec.LATEST))
        return sum(max(0, last[partition].offset - end) for partition, end in self._target.items() if partition in last)

    def taken(self) -> int:
        """How many of the offsets before the target intake has taken and the ledger acknowledged."""
        committed = ask_commits(self._admin, self._group, list(self._target))
        return sum(min(end, committed[at].offset) for at, end in self._target.items() if at in committed)

    def folded(self, arena: str, position: int | None, shown: Callable[[int], int | None]) -> bool:
        """Whether the boards count the ledger's partition of the arena up to its end, or all of the arena in it.

        Not every record changes a board: one may be of rows that were counted before, or of a model that has none.

        Parameters
        ----------
        position
            Up to where the arena's board counts; None when there is no board.
        shown
            Up to where the boards of a partition lack nothing, as the ratings stage says; None when it does not.
        """
        partitions = partitions_of_topic(self._consumer, self._settings.topic(LEDGER.name))
        partition = partitions[partitions_of([arena.encode()], len(partitions))[0]]
        end = ask_ends(self._consumer, [partition])[partition]
        if (shown(partition.partition) or -1) >= end:
            return True
        if position is None:
            return False
        # Records of other arenas may follow: look.
        self._consumer.assign([partition])
        self._consumer.seek(partition, position)
        give_up = time.monotonic() + PATIENCE
        while self._consumer.position(partition) < end:
            if time.monotonic() > give_up:
                raise EndsUnknown(f"{partition.topic}/{partition.partition} cannot be read to its end")
            for records in self._consumer.poll(timeout_ms=500).values():
                if any(record.key == arena.encode() for record in records):
                    return False
        return True

    def _ends(self, topic: str) -> dict[Any, int]:
        return ask_ends(self._consumer, partitions_of_topic(self._consumer, self._settings.topic(topic)))
