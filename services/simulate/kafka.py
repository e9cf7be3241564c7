"""Send votes (with the sender of `isonomy replay`) and model records to Kafka, and wait for intake."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError as AdminError

from streams.contracts.connect import aiokafka_options, kafka_python_options
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import INTAKE_GROUP, MODELS, VOTES

LOOK_SECONDS = 0.05
PATIENCE = 60.0
"""Seconds without progress of intake after which `settle` raises `SendError`."""


class SendError(Exception):
    """Sending failed; the message is one sentence for the user."""


class SentVotes(Protocol):
    """Interface of a vote sender; `last` is the offset of the last acknowledged vote by partition."""

    last: dict[int, int]

    async def send(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Send votes."""

    async def flush(self) -> None:
        """Wait until all votes are acknowledged."""


class KafkaStack:
    """Sends to the topics of the settings. Without `wait` it does not wait for intake: the ledger may be out of order.

    Raises `SendError` when Kafka does not acknowledge or intake stands still.
    """

    def __init__(self, settings: KafkaSettings, votes: SentVotes, *, wait: bool = True) -> None:
        self._settings, self._votes, self._wait = settings, votes, wait
        self._models: dict[int, int] = {}
        self._taken: dict[TopicPartition, int] = {}
        self._admin: KafkaAdminClient | None = None
        self._producer: AIOKafkaProducer

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(**aiokafka_options(self._settings), client_id="isonomy-simulate", acks="all")
        try:
            await self._producer.start()
            if not await self._exists(self._settings.topic(MODELS.name)):
                raise SendError(
                    f"topic {self._settings.topic(MODELS.name)} does not exist: `isonomy topics` creates it"
                )
            if self._wait:
                self._admin = await asyncio.to_thread(KafkaAdminClient, **kafka_python_options(self._settings))
        except (KafkaError, AdminError) as error:
            await self._producer.stop()
            raise SendError(f"Kafka at {self._settings.bootstrap} cannot be reached: {error}") from None
        except SendError:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()
        if self._admin is not None:
            await asyncio.to_thread(self._admin.close)

    async def send(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Send votes, in order."""
        await self._votes.send(keys, values)

    async def declare(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Send model records, in order, and wait for their acknowledgement."""
        try:
            futures = [await self._producer.send(self._settings.topic(MODELS.name), v, key=k) for k, v in records]
            written = await asyncio.gather(*futures)
        except KafkaError as error:
            raise SendError(f"Kafka did not acknowledge a model record: {error!r}") from None
        for record in written:
            self._models[record.partition] = max(record.offset, self._models.get(record.partition, -1))

    async def settle(self) -> None:
        """Wait until intake has committed everything sent; intake commits after the ledger has it."""
        await self._votes.flush()
        if self._admin is None:  # it does not wait for intake
            return
        votes, models = self._settings.topic(VOTES.name), self._settings.topic(MODELS.name)
        wanted = {TopicPartition(votes, number): offset + 1 for number, offset in self._votes.last.items()}
        wanted |= {TopicPartition(models, number): offset + 1 for number, offset in self._models.items()}
        progress = time.monotonic()
        while left := {each: offset for each, offset in wanted.items() if self._taken.get(each, 0) < offset}:
            before = dict(self._taken)
            self._taken |= await asyncio.to_thread(self._committed, self._admin, left)
            now = time.monotonic()
            progress = now if self._taken != before else progress
            if now - progress > PATIENCE:
                raise SendError(
                    f"intake has taken nothing for {PATIENCE:g} s: is a worker running,"
                    f" or is a transaction open on {votes}?"
                    " (--no-wait sends without waiting, and then the registry is not at its place among the votes)"
                )
            if self._taken == before:
                await asyncio.sleep(LOOK_SECONDS)

    def _committed(self, admin: KafkaAdminClient, wanted: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        group = self._settings.group(INTAKE_GROUP)
        try:
            found = admin.list_group_offsets({group: list(wanted)}).get(group, {})
        except AdminError:  # `settle` asks again until PATIENCE is over
            return {}
        return {each: max(0, getattr(found.get(each), "offset", 0)) for each in wanted}

    async def _exists(self, topic: str) -> bool:
        # List all topics: a metadata request for one name may create that topic, with the wrong settings.
        found = await self._producer.client.fetch_all_metadata()
        return bool(found.partitions_for_topic(topic))
