"""Where partitions end, asked with kafka-python: told by a fetch, for not every broker answers the question right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition

TIMEOUT_MS = 10_000
TRIES = 20


class EndsUnknown(RuntimeError):  # noqa: N818 -- what it is
    """A partition did not answer in time."""


def ask_ends(consumer: Any, partitions: Sequence[Any]) -> dict[Any, int]:
    """Ask for the offset after the last record of each partition; assigns the consumer to them.

    The embedded broker answers `ListOffsets` with the second record of its last batch; the high watermark that comes
    with a fetch is right everywhere.

    Parameters
    ----------
    consumer
        A kafka-python consumer outside any group.
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
        if end <= first[partition]:
            continue
        consumer.assign([partition])
        consumer.seek(partition, end - 1)
        for _ in range(TRIES):
            consumer.poll(timeout_ms=250, max_records=1)
            if (consumer.highwater(partition) or 0) >= end:
                break
        else:
            raise EndsUnknown(f"{partition.topic}/{partition.partition} does not tell its end")
        ends[partition] = consumer.highwater(partition)
    return ends


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
