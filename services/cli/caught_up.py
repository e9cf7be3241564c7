"""Whether everything in the votes topic is on the boards: asked of Kafka's offsets, with kafka-python."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, OffsetSpec

from streams.contracts.connect import kafka_python_options
from streams.contracts.partitioner import partitions_of
from streams.contracts.settings import Settings
from streams.contracts.topics import INTAKE_GROUP, LEDGER, VOTES
from streams.ends import ask_ends, partitions_of_topic


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
        committed = self._admin.list_group_offsets({self._group: list(self._target)}).get(self._group, {})
        return sum(
            min(end, max(0, getattr(committed.get(partition), "offset", 0))) for partition, end in self._target.items()
        )

    def folded(self, arena: str, position: int | None) -> bool:
        """Whether no ledger record of the arena lies at or beyond a board's position."""
        if position is None:
            return False
        partitions = partitions_of_topic(self._consumer, self._settings.topic(LEDGER.name))
        partition = partitions[partitions_of([arena.encode()], len(partitions))[0]]
        end = ask_ends(self._consumer, [partition])[partition]
        # Records of other arenas may follow: look.
        self._consumer.assign([partition])
        self._consumer.seek(partition, position)
        while self._consumer.position(partition) < end:
            for records in self._consumer.poll(timeout_ms=500).values():
                if any(record.key == arena.encode() for record in records):
                    return False
        return True

    def _ends(self, topic: str) -> dict[Any, int]:
        return ask_ends(self._consumer, partitions_of_topic(self._consumer, self._settings.topic(topic)))
