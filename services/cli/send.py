"""Send votes to Kafka as whole record batches, each id to the partition that every other writer would choose."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.cli.errors import UserError
from streams.contracts.connect import aiokafka_options
from streams.contracts.partitioner import partitions_of
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import VOTES

if TYPE_CHECKING:
    from aiokafka.producer.message_accumulator import BatchBuilder
    from aiokafka.structs import RecordMetadata

BATCH_BYTES = 256 * 1024
IN_FLIGHT = 32
"""Maximum batches in flight: enough to keep the broker busy, few enough to keep memory flat."""


class VoteSender:
    """Sends votes in order; leaving the context waits until all of them are acknowledged.

    Raises `UserError` when Kafka is away, lacks the topic, or does not acknowledge.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.topic(VOTES.name)
        self._batches: dict[int, BatchBuilder] = {}
        self._sent: deque[tuple[asyncio.Future[RecordMetadata], int]] = deque()
        self._count = 0
        self._producer: AIOKafkaProducer
        self.last: dict[int, int] = {}
        """Offset of the last acknowledged vote, by partition."""
        self.written: dict[int, list[range]] = {}
        """Offsets of the acknowledged votes, by partition, one range per batch."""

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **aiokafka_options(self._settings),
            client_id="isonomy-replay",
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=4 * BATCH_BYTES,
        )
        try:
            await self._producer.start()
            # List all topics: a metadata request for one name may create that topic, with the wrong settings.
            topics = await self._producer.client.fetch_all_metadata()
        except KafkaError as error:
            await self._producer.stop()
            raise UserError(f"Kafka at {self._settings.bootstrap} cannot be reached: {error}") from None
        self._count = len(topics.partitions_for_topic(self._topic) or ())
        if not self._count:
            await self._producer.stop()
            raise UserError(f"topic {self._topic} does not exist: `isonomy topics` creates it")
        await self._producer.partitions_for(self._topic)
        return self

    async def send(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Send votes; waits while too many batches are in flight."""
        for key, value, partition in zip(keys, values, partitions_of(keys, self._count), strict=True):
            batch = self._batches.get(partition)
            if batch is None:
                batch = self._batches[partition] = self._producer.create_batch()
            if batch.append(key=key, value=value, timestamp=None) is None:
                await self._dispatch(partition)
                batch = self._batches[partition] = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)

    async def flush(self) -> None:
        """Send the partial batches and wait until everything is acknowledged."""
        for partition in list(self._batches):
            await self._dispatch(partition)
        while self._sent:
            await self._settle()

    async def _dispatch(self, partition: int) -> None:
        batch = self._batches.pop(partition)
        if not (count := batch.record_count()):
            return
        while len(self._sent) >= IN_FLIGHT:
            await self._settle()
        self._sent.append((await self._producer.send_batch(batch, self._topic, partition=partition), count))

    async def _settle(self) -> None:
        acknowledged, count = self._sent.popleft()
        try:
            written = await acknowledged
        except KafkaError as error:
            raise UserError(f"Kafka did not acknowledge: {error!r}; send again, duplicates are dropped") from None
        self.written.setdefault(written.partition, []).append(range(written.offset, written.offset + count))
        self.last[written.partition] = written.offset + count - 1  # aiokafka returns the first offset

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.flush()
        finally:
            await self._producer.stop()
