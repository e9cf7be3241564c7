"""Up to where partitions can be read, asked with kafka-python: told by a fetch, not every broker answers it right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

TIMEOUT_MS = 10_000
TRIES = 20


class EndsUnknown(RuntimeError):  # noqa: N818 -- what it is
    """A partition did not answer in time."""


def ask_ends(consumer: Any, partitions: Sequence[Any]) -> dict[Any, int]:
    """Ask for the offset up to which each partition can be read; assigns the consumer to them.

    That is the last stable offset: what lies behind a transaction that is still open nobody gets yet. The embedded
    broker answers `ListOffsets` with the second record of its last batch; where a fetch from there comes to is right
    everywhere.

    Parameters
    ----------
    consumer
        A kafka-python consumer outside any group, with `isolation_level="read_committed"`.
    partitions
        kafka-python's TopicPartitions.

    Raises
    ------
    EndsUnknown
        When there is no answer, or a fetch of the last batch brings nothing.
    """
    ends = _ask(consumer.end_offsets, partitions)
    first = _ask(consumer.beginning_offsets, partitions)
    for partition, end in ends.items():
        if end > first[partition]:
            ends[partition] = _follow(consumer, partition, end)
    return ends


def _follow(consumer: Any, partition: Any, end: int) -> int:
    consumer.assign([partition])
    consumer.seek(partition, end - 1)
    try:
        for _ in range(TRIES):
            consumer.poll(timeout_ms=250, max_records=1)
            if consumer.position(partition) >= end:
                break
        else:
            raise EndsUnknown(f"{partition.topic}/{partition.partition} does not tell its end")
        known = consumer.highwater(partition) or 0
        # Records that the first answer left out, or that have come since.
        while consumer.position(partition) < known and consumer.poll(timeout_ms=0, max_records=500):
            pass
    except EndsUnknown:
        raise
    except Exception as error:
        # The last batch cannot be read, for want of a codec or because it is broken: it is there all the same.
        if isinstance(error, KafkaError) and not isinstance(error, (CorruptRecordError, UnsupportedCodecError)):
            raise
        return max(end, consumer.highwater(partition) or 0)
    return int(consumer.position(partition))


def _ask(question: Callable[..., dict[Any, int]], partitions: Sequence[Any]) -> dict[Any, int]:
    for _ in range(TRIES):
        try:
            return dict(question(list(partitions), timeout_ms=TIMEOUT_MS))
        except KeyError:  # kafka-python 3.0 answers for some only, when its metadata has just changed
            continue
    raise EndsUnknown("Kafka does not tell the offsets of all partitions")


def partitions_of_topic(consumer: KafkaConsumer, topic: str) -> list[Any]:
    """List a topic's partitions; empty when there is no such topic."""
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
