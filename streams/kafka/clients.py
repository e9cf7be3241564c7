"""The stages' Kafka clients, made in one place: they read committed records, keep order and create no topics.

Producers of `votes` may use transactions. So every consumer reads only committed records, except Faust's, which counts
dead letters. Take positions from the consumer, not from records: a transaction's marker takes an offset, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.contracts.connect import aiokafka_options, close_in_time
from streams.contracts.kafka_record import PartitionName
from streams.contracts.setting_groups import KafkaSettings

STOP_SECONDS = 5.0
MAX_REQUEST_BYTES = 8 * 1024 * 1024
MAX_PACKED_BYTES = 1024 * 1024 * 1024
"""Largest record before compression; the topic's own limit applies to the compressed size."""

KNOWN_THERE_MS = 300
SESSION_MS = 6_000
"""Session timeout of a group member, Kafka's default minimum. The embedded broker makes a group wait for half of it at
every join."""


def make_member(settings: KafkaSettings, group: str) -> AIOKafkaConsumer:
    """Make a member of a group (named without the prefix) that never commits or skips records by itself.

    Without a reset policy an offset that is no longer in the log is an error, not a silent jump over deleted records.
    """
    return AIOKafkaConsumer(
        **_options(settings, f"isonomy-{group}"),
        group_id=settings.group(group),
        auto_offset_reset="none",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=1_000,
    )


def make_reader(settings: KafkaSettings, client: str) -> AIOKafkaConsumer:
    """Make a consumer outside any group, for records that are known to exist.

    Its fetch wait is longer than for new votes: the embedded broker needs more time the more batches it holds, and
    returns nothing before it is done.
    """
    wait = max(settings.fetch_wait_ms, KNOWN_THERE_MS)
    options = _options(settings, f"isonomy-{client}") | {"fetch_max_wait_ms": wait}
    return AIOKafkaConsumer(**options, group_id=None, auto_offset_reset="earliest")


def _options(settings: KafkaSettings, client: str) -> dict[str, object]:
    return {
        **aiokafka_options(settings),
        "client_id": client,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "fetch_max_wait_ms": settings.fetch_wait_ms,
        "metadata_max_age_ms": 10_000,
    }


def make_producer(settings: KafkaSettings, client: str, *, packed: bool = False) -> AIOKafkaProducer:
    """Make a producer that keeps order within a partition and waits until all in-sync replicas have a record.

    `packed`: compress, with the one codec that needs no library.

    Not idempotent on purpose: the embedded broker does not support it, and aiokafka keeps one batch in flight per
    partition, so order holds; the readers' watermark drops a batch that was sent twice.
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
    """Stop a client; ignore errors."""
    await close_in_time(client.stop, STOP_SECONDS)


def stable_end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
    """Return the last stable offset, up to which a partition can be read, from the last fetch; 0 before the first one.

    A transaction that is still open may follow it. The high watermark would promise records that no consumer gets yet.
    """
    stable = consumer.last_stable_offset(partition)
    end: int | None = consumer.highwater(partition) if stable is None or stable < 0 else stable
    return end or 0


def mark_of(partition: PartitionName, offset: int) -> str:
    """Metadata that marks our own commit at an offset; `partition` is either client's TopicPartition.

    It names partition and offset, because some tools that reset a group's offsets keep the metadata of the commit that
    they replace (kafka-python 3.0's `reset_group_offsets` does).
    """
    return f"isonomy 1 {partition.topic}/{partition.partition} {offset}"


async def read_commits(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, tuple[int, str]]:
    """Return committed offset and metadata of each partition that has a commit of the consumer's group.

    aiokafka's public `committed` drops the metadata, which shows who made the commit.
    """
    found = await consumer._coordinator.fetch_committed_offsets(list(partitions))
    return {at: (known.offset, known.metadata) for at, known in found.items() if known.offset >= 0}
