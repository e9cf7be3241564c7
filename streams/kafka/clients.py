"""The Kafka clients of the stages, made in one place: what is committed is read, order is kept, no topic is made.

Whoever writes to `votes` may use transactions. So every consumer reads committed records only, but for Faust's, which
counts dead letters. Positions are the consumer's own: a transaction's marker takes an offset that no record has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.contracts.connect import aiokafka_options, close_in_time
from streams.contracts.settings import Settings

STOP_SECONDS = 5.0
MAX_REQUEST_BYTES = 8 * 1024 * 1024
MAX_PACKED_BYTES = 1024 * 1024 * 1024
"""Largest record before compression: the topic's own limit is on what is left of it after."""

KNOWN_THERE_MS = 300
SESSION_MS = 6_000
"""A member that is silent for so long is replaced: Kafka's default minimum. The embedded broker lets a group wait for
half of it at every join."""


def make_member(settings: Settings, group: str) -> AIOKafkaConsumer:
    """Make a member of a group (named without the prefix) that commits nothing by itself and never skips on its own.

    Without a reset policy an offset that is no longer in the log is an error, not a silent jump over what is gone.
    """
    return AIOKafkaConsumer(
        **_options(settings, f"isonomy-{group}"),
        group_id=settings.group(group),
        auto_offset_reset="none",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=1_000,
    )


def make_reader(settings: Settings, client: str) -> AIOKafkaConsumer:
    """Make a consumer outside any group, for what is known to be there.

    The broker is let look for longer than when votes are waited for: the embedded one needs the longer the more batches
    it holds, and brings nothing until then.
    """
    wait = max(settings.fetch_wait_ms, KNOWN_THERE_MS)
    options = _options(settings, f"isonomy-{client}") | {"fetch_max_wait_ms": wait}
    return AIOKafkaConsumer(**options, group_id=None, auto_offset_reset="earliest")


def _options(settings: Settings, client: str) -> dict[str, Any]:
    return {
        **aiokafka_options(settings),
        "client_id": client,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "fetch_max_wait_ms": settings.fetch_wait_ms,
        "metadata_max_age_ms": 10_000,
    }


def make_producer(settings: Settings, client: str, *, packed: bool = False) -> AIOKafkaProducer:
    """Make a producer that keeps order within a partition and acknowledges only what every replica has.

    `packed`: it compresses, with the one codec that needs no library.

    Not idempotent on purpose: the embedded broker has no such producer, and aiokafka keeps one batch in flight per
    partition, so order holds; a batch that was sent twice is dropped by the readers' watermark.
    """
    return AIOKafkaProducer(
        **aiokafka_options(settings),
        client_id=f"isonomy-{client}",
        acks="all",
        linger_ms=0,
        max_batch_size=1024 * 1024,
        max_request_size=MAX_PACKED_BYTES if packed else MAX_REQUEST_BYTES,
        compression_type="gzip" if packed else None,
        request_timeout_ms=30_000,
        metadata_max_age_ms=10_000,
    )


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, whatever comes of it."""
    await close_in_time(client.stop, STOP_SECONDS)


def stable_end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
    """Offset up to which a partition can be read, as the last fetch told; 0 before the first one.

    The last stable offset: behind it lies a transaction that is still open. The high watermark would promise records
    that nobody gets yet.
    """
    stable = consumer.last_stable_offset(partition)
    end: int | None = consumer.highwater(partition) if stable is None or stable < 0 else stable
    return end or 0


def mark_of(partition: Any, offset: int) -> str:
    """Metadata of a commit of ours at an offset of a TopicPartition, of either client.

    It names the place, for some tools that reset a group's offsets keep the metadata of the commit that they replace
    (kafka-python 3.0's `reset_group_offsets` does).
    """
    return f"isonomy 1 {partition.topic}/{partition.partition} {offset}"


async def read_commits(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Any]:
    """Committed offset and metadata of each partition that has any, as the consumer's group knows them.

    aiokafka's public `committed` leaves the metadata away, and that is where we see whose commit it is.
    """
    found = await consumer._coordinator.fetch_committed_offsets(list(partitions))
    return {at: (known.offset, known.metadata) for at, known in found.items() if known.offset >= 0}
