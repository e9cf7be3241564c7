"""Makes the Kafka clients of the herald and the subscription routes; reads whole topics for them and for the board."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError

from streams.contracts.connect import aiokafka_options, close_in_time
from streams.contracts.gaps import Gaps
from streams.contracts.setting_groups import KafkaSettings

SESSION_MS = 6_000
"""A herald without a heartbeat for this long is replaced; 6 s is Kafka's default minimum."""
MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""Leaves the limit to the topic: a delivery holds its alert, and an alert may be as large as its topic allows."""
STOP_SECONDS = 5.0
ENOUGH = 2_000
LOOK_MS = 1_000
"""Longest wait for a batch that was available a moment ago."""


class Unreadable(RuntimeError):  # noqa: N818 -- what it is
    """A batch that aiokafka cannot read; the message says where it is and why."""


def make_reader(settings: KafkaSettings) -> AIOKafkaConsumer:
    """Make a consumer outside any group."""
    return AIOKafkaConsumer(
        **aiokafka_options(settings),
        client_id="isonomy-herald-reader",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=settings.fetch_wait_ms,
        metadata_max_age_ms=10_000,
    )


def make_member(settings: KafkaSettings, group: str) -> AIOKafkaConsumer:
    """Make a member of the group that decides which herald delivers."""
    return AIOKafkaConsumer(
        **aiokafka_options(settings),
        client_id="isonomy-herald",
        group_id=settings.group(group),
        enable_auto_commit=False,
        auto_offset_reset="latest",
        isolation_level="read_committed",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=1_000,
        metadata_max_age_ms=10_000,
    )


def make_producer(settings: KafkaSettings, client: str = "isonomy-herald") -> AIOKafkaProducer:
    """Make a producer that keeps the order and waits for the acknowledgement of all in-sync replicas."""
    return AIOKafkaProducer(
        **aiokafka_options(settings),
        client_id=client,
        acks="all",
        linger_ms=0,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=10_000,
        metadata_max_age_ms=10_000,
    )


_NO_BATCHS = (KafkaError, MemoryError, OSError, ImportError)
"""Errors of Kafka, or of a missing resource in this process, that are not caused by a batch."""


class KafkaReader:
    """Reads whole topics from their beginning and then follows them: committed records only.

    Positions are the consumer's own, not the offset after the last record: the marker that ends a transaction takes an
    offset, an aborted record too, and a compacted topic may end in a gap.

    Parameters
    ----------
    consumer
        Started, outside any group, with isolation level `read_committed`.
    topics
        Full names.
    """

    def __init__(self, consumer: AIOKafkaConsumer, topics: Sequence[str]) -> None:
        self._consumer = consumer
        self._topics = list(topics)
        self.position: dict[TopicPartition, int] = {}
        """Offset of each partition up to which `fetch` has returned everything."""
        self._gaps = Gaps()

    async def start(self) -> None:
        """Assign all partitions; raises `LookupError` when a topic does not exist."""
        # Metadata of all topics: naming one would create it on some brokers. `topics()` does not store its answer.
        await self._consumer._client.force_metadata_update()
        found = []
        for topic in self._topics:
            partitions = self._consumer.partitions_for_topic(topic)
            if not partitions:
                raise LookupError(f"topic {topic} does not exist: `isonomy topics` creates it")
            found += [TopicPartition(topic, number) for number in sorted(partitions)]
        self._consumer.assign(found)
        await self._consumer.seek_to_beginning(*found)
        self.position = {partition: await self._consumer.position(partition) for partition in found}

    async def fetch(self, wait_ms: int, *topics: str) -> list[ConsumerRecord]:
        """Fetch available records of these topics, or of all; empty after `wait_ms` without any.

        Raises
        ------
        Unreadable
            When a batch cannot be read. No position has moved then, so nothing that was fetched with it is lost.
        """
        chosen = [partition for partition in self.position if not topics or partition.topic in topics]
        try:
            batch = await self._consumer.getmany(*chosen, timeout_ms=wait_ms, max_records=ENOUGH)
        except Exception as error:
            if isinstance(error, _NO_BATCHS) and not isinstance(error, (CorruptRecordException, UnsupportedCodecError)):
                raise
            raise await self._unreadable(chosen, error) from error
        batch = await self._gaps.leave_out(self._consumer, batch, self.position)
        moved = {partition: await self._consumer.position(partition) for partition in chosen}
        # No await from here to the caller: a task that compares a position must find its records taken.
        self.position |= moved
        return [record for records in batch.values() for record in records]

    async def at_end(self, *topics: str) -> bool:
        """Whether all committed records have been returned, by the offsets that come with every fetch."""
        for partition in self.position:
            if topics and partition.topic not in topics:
                continue
            end = self._end(partition)
            if end is None or await self._consumer.position(partition) < end:
                return False
        return True

    async def end(self, partition: TopicPartition) -> int:
        """Ask the broker for the end of a partition's committed records: one round trip."""
        found: dict[TopicPartition, int] = await self._consumer.end_offsets([partition])
        return found[partition]

    def _end(self, partition: TopicPartition) -> int | None:
        """The last stable offset, at which an open transaction begins; the high watermark, on brokers without one."""
        stable: int | None = self._consumer.last_stable_offset(partition)
        high: int | None = self._consumer.highwater(partition)
        return high if stable is None or stable < 0 else stable

    async def _unreadable(self, chosen: Sequence[TopicPartition], error: Exception) -> Unreadable:
        """Find the batch, and seek back to where the last good fetch ended.

        aiokafka does not report where it failed, and drops what it had read before in the same call.
        """
        said = f"{chosen[0].topic}: a batch cannot be read: {_cause(error)}"
        for partition in chosen:
            self._consumer.seek(partition, self.position[partition])
        for partition in chosen:
            try:
                # One record at a time: the position then is that of the first record that fails.
                while await self._consumer.getmany(partition, timeout_ms=LOOK_MS, max_records=1):
                    pass
            except Exception as again:  # noqa: BLE001 -- whatever a codec raises
                at = await self._consumer.position(partition)
                place = f"{partition.topic}/{partition.partition}, offset {at}"
                said = f"{place}: the batch cannot be read: {_cause(again)}"
                break
        for partition in chosen:
            self._consumer.seek(partition, self.position[partition])
        return Unreadable(said)


def _cause(error: Exception) -> str:
    if isinstance(error, KafkaError):  # says its own name
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client; a failure or a timeout is only logged."""
    await close_in_time(client.stop, STOP_SECONDS)
