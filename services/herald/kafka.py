"""The Kafka clients of the herald and of the subscription routes, made in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.contracts.connect import aiokafka_options
from streams.contracts.settings import Settings

log = logging.getLogger(__name__)

SESSION_MS = 6_000
"""A herald that is silent for so long is replaced: Kafka's default minimum."""
STOP_SECONDS = 5.0
ENOUGH = 2_000


def make_reader(settings: Settings) -> AIOKafkaConsumer:
    """Make a consumer outside any group."""
    return AIOKafkaConsumer(
        **aiokafka_options(settings),
        client_id="isonomy-herald-reader",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.fetch_wait_ms,
        metadata_max_age_ms=10_000,
    )


def make_member(settings: Settings, group: str) -> AIOKafkaConsumer:
    """Make a member of the group that decides which herald delivers."""
    return AIOKafkaConsumer(
        **aiokafka_options(settings),
        client_id="isonomy-herald",
        group_id=settings.group(group),
        enable_auto_commit=False,
        auto_offset_reset="latest",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=1_000,
        metadata_max_age_ms=10_000,
    )


def make_producer(settings: Settings, client: str = "isonomy-herald") -> AIOKafkaProducer:
    """Make a producer that keeps order and acknowledges what all in-sync replicas have."""
    return AIOKafkaProducer(
        **aiokafka_options(settings),
        client_id=client,
        acks="all",
        linger_ms=0,
        request_timeout_ms=10_000,
        metadata_max_age_ms=10_000,
    )


class Follower:
    """Reads whole topics from their beginning, and then what comes.

    Parameters
    ----------
    consumer
        Started, outside any group.
    topics
        Full names.
    """

    def __init__(self, consumer: AIOKafkaConsumer, topics: Sequence[str]) -> None:
        self._consumer = consumer
        self._topics = list(topics)
        self.position: dict[TopicPartition, int] = {}
        """Offset after the last record that `fetch` returned, of each partition."""

    async def start(self) -> None:
        """Assign all partitions; raises `LookupError` when a topic is not there."""
        # Of all topics: naming one would create it on some brokers. `topics()` keeps nothing of what it is told.
        await self._consumer._client.force_metadata_update()
        found = []
        for topic in self._topics:
            partitions = self._consumer.partitions_for_topic(topic)
            if not partitions:
                raise LookupError(f"topic {topic} does not exist: `isonomy topics` creates it")
            found += [TopicPartition(topic, number) for number in sorted(partitions)]
        self._consumer.assign(found)
        await self._consumer.seek_to_beginning(*found)
        for partition in found:
            self.position[partition] = await self._consumer.position(partition)

    async def fetch(self, wait_ms: int, *topics: str) -> list[Any]:
        """Records that are there, of these topics or of all; empty after so long without any."""
        chosen = [partition for partition in self.position if not topics or partition.topic in topics]
        batch = await self._consumer.getmany(*chosen, timeout_ms=wait_ms, max_records=ENOUGH)
        for partition, records in batch.items():
            if records:
                self.position[partition] = records[-1].offset + 1
        return [record for records in batch.values() for record in records]

    async def at_end(self, *topics: str) -> bool:
        """Whether all that is there has been returned, by the high watermark that comes with every fetch."""
        for partition in self.position:
            if topics and partition.topic not in topics:
                continue
            high = self._consumer.highwater(partition)
            # A compacted topic may end in a gap; the consumer's own position steps over it.
            if high is None or await self._consumer.position(partition) < high:
                return False
        return True

    async def end(self, partition: TopicPartition) -> int:
        """Ask the broker for a partition's end: one round trip."""
        found: dict[TopicPartition, int] = await self._consumer.end_offsets([partition])
        return found[partition]


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, whatever comes of it: with the broker away it may wait for ever."""
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait([stopping], timeout=STOP_SECONDS)
    if not stopping.done():
        stopping.cancel()
        log.warning("%s did not stop within %.0f s", type(client).__name__, STOP_SECONDS)
    elif stopping.cancelled() or stopping.exception() is not None:
        log.warning("%s did not stop cleanly", type(client).__name__)
