"""The parts of records and partitions that this program reads, because the Kafka clients ship no types."""

from __future__ import annotations

from typing import Protocol


class ConsumerRecord(Protocol):
    """A record as either client returns it."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int | None:
        """Epoch milliseconds; None in the oldest message format."""

    @property
    def key(self) -> bytes | None:
        """The key as stored."""

    @property
    def value(self) -> bytes | None:
        """The value as stored."""


class PartitionName(Protocol):
    """Either client's `TopicPartition`."""

    @property
    def topic(self) -> str:
        """Name of the topic, prefix included."""

    @property
    def partition(self) -> int:
        """Number of the partition."""

    def __hash__(self) -> int:
        """Hash topic and number."""
