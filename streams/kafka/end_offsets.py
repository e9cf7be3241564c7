"""Offsets by kafka-python: first, committed, and end offsets, which not every broker reports correctly."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from kafka import KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    CorruptRecordError,
    KafkaError,
    NotCoordinatorError,
    UnsupportedCodecError,
)

TIMEOUT_MS = 10_000
TRIES = 20
COORDINATOR_SECONDS = 30.0
"""A new Kafka creates its offsets topic at the first request for a group; until then no coordinator answers."""


class EndsUnknown(RuntimeError):  # noqa: N818 -- what it is
    """A partition did not answer in time."""


def ask_ends(consumer: KafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offset up to which each partition can be read; assigns the consumer to them.

    That is the last stable offset: no consumer gets the records after an open transaction yet. The embedded broker
    answers `ListOffsets` with the second record of its last batch; the position after a fetch from there is right for
    every broker.

    Parameters
    ----------
    consumer
        A kafka-python consumer outside any group, with `isolation_level="read_committed"`.
    partitions
        kafka-python's TopicPartitions.

    Raises
    ------
    EndsUnknown
        When there is no answer, or a fetch of the last batch returns nothing.
    """
    ends = _ask(consumer.end_offsets, partitions)
    first = ask_firsts(consumer, partitions)
    for partition, end in ends.items():
        if end > first[partition]:
            ends[partition] = _follow(consumer, partition, end)
    return ends


def _follow(consumer: KafkaConsumer, partition: TopicPartition, end: int) -> int:
    consumer.assign([partition])
    consumer.seek(partition, end - 1)
    try:
        for _ in range(TRIES):
            consumer.poll(timeout_ms=250, max_records=1)
            if consumer.position(partition) >= end:
                break
        else:
            raise EndsUnknown(f"{partition.topic}/{partition.partition} does not report its end")
        known = consumer.highwater(partition) or 0
        # Records that the first answer left out, or that have arrived since.
        while consumer.position(partition) < known and consumer.poll(timeout_ms=0, max_records=500):
            pass
    except EndsUnknown:
        raise
    except Exception as error:
        # The last batch cannot be read, because a codec is missing or it is broken; it still counts.
        if isinstance(error, KafkaError) and not isinstance(error, (CorruptRecordError, UnsupportedCodecError)):
            raise
        end = max(end, consumer.highwater(partition) or 0)
        # The client keeps that batch, and the next poll for it would hang: seek past it and poll once.
        consumer.seek(partition, end)
        consumer.poll(timeout_ms=0)
        return end
    return int(consumer.position(partition))


def _ask(
    question: Callable[..., Mapping[TopicPartition, int]], partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    for _ in range(TRIES):
        try:
            return dict(question(list(partitions), timeout_ms=TIMEOUT_MS))
        except KeyError:  # kafka-python 3.0 omits some partitions right after a metadata change
            continue
    raise EndsUnknown("Kafka does not report the offsets of all partitions")


def ask_firsts(consumer: KafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the first offset in each partition; raises `EndsUnknown` when there is no answer."""
    return _ask(consumer.beginning_offsets, partitions)


def ask_commits(
    admin: KafkaAdminClient, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Return a group's commits as kafka-python's OffsetAndMetadata; partitions without a commit are left out.

    Retries for up to half a minute while the coordinator is moving or loading.
    """
    give_up = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            found = admin.list_group_offsets({group: list(partitions)}).get(group, {})
            return {at: known for at, known in found.items() if getattr(known, "offset", -1) >= 0}
        except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
            if time.monotonic() >= give_up:
                raise
            time.sleep(0.2)


def partitions_of_topic(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """List a topic's partitions; empty when there is no such topic."""
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
