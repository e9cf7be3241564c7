"""Replaces `AIOKafkaProducer` with acks=all: one batch in flight per partition, retried until it is too old.

A try may be lost, stored with its answer lost (so the batch is stored twice), or stored long after the next try.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from streams.contracts.partitioner import partitions_of
from tests.simulation.broker import Entry
from tests.simulation.loop import PROCESS
from tests.simulation.network import BACKOFF_SECONDS, Network

MOST_RECORDS = 8
"""Maximum number of records of one batch."""
EPOCH_MS = 1_700_000_000_000
"""Record time at the start of a world."""


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    answer: asyncio.Future[Any]
    born: float


class SimulatedProducer:
    """A producer of the simulated broker."""

    def __init__(self, network: Network, ttl: float) -> None:
        self._network, self._broker, self._loop = network, network.broker, network.loop
        self._process = PROCESS.get()
        self._ttl = ttl
        self._queues: dict[TopicPartition, deque[_Waiting]] = {}
        self._in_flight: set[TopicPartition] = set()
        self._turn = itertools.count()

    async def start(self) -> None:
        """Connect."""
        await self._network.until_answered(lambda: None)

    async def stop(self) -> None:
        """Wait for pending records."""
        waiting = [each.answer for queue in self._queues.values() for each in queue]
        if waiting:
            await asyncio.wait(waiting)

    async def send_and_wait(self, topic: str, value: bytes | None = None, **options: Any) -> Any:
        """Send a record and wait for the acknowledgement."""
        return await (await self.send(topic, value, **options))

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[Any]:
        """Append a record to the queue of its partition."""
        if partition is None:
            count = len(self._broker.topics[topic])
            partition = next(self._turn) % count if key is None else partitions_of([key], count)[0]
        at = TopicPartition(topic, partition)
        waiting = _Waiting((key, value, tuple(headers or ())), self._loop.create_future(), self._loop.time())
        self._queues.setdefault(at, deque()).append(waiting)
        if at not in self._in_flight:
            self._in_flight.add(at)
            self._loop.call_soon(self._launch, at, context=self._process.context)
        return waiting.answer

    def _launch(self, at: TopicPartition) -> None:
        queue = self._queues[at]
        if not queue:
            self._in_flight.discard(at)
            return
        count = min(len(queue), MOST_RECORDS)
        self._try(at, [queue.popleft() for _ in range(count)])

    def _try(self, at: TopicPartition, batch: list[_Waiting]) -> None:
        network, chances = self._network, self._network.chances
        if self._loop.time() - batch[0].born > self._ttl:
            network.count("write given up")
            network.note("given up", process=self._process.name, topic=at.topic)
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(KafkaTimeoutError())
            self._launch(at)
            return
        fate = network.fate()
        if fate == "done" and chances.twice_late and network.random.random() < chances.twice_late:
            # The first try is delayed on its way; the client considers it lost.
            network.count("stored late")
            network.late += 1
            self._loop.later(0.5 + 8 * network.random.random(), self._store_late, at, batch)
            fate = "lost"
        self._loop.later(network.delay(), self._arrive, at, batch, fate)

    def _arrive(self, at: TopicPartition, batch: list[_Waiting], fate: str) -> None:
        process = self._process
        if fate == "lost" or process.cut or self._broker.down:
            self._again(at, batch, self._network.give_up())
            return
        base = self._store(at, batch)
        if fate == "answer lost":
            self._again(at, batch, self._network.give_up())
            return
        self._loop.call_soon(self._done, at, batch, base, context=process.context)

    def _store(self, at: TopicPartition, batch: list[_Waiting]) -> int:
        now = EPOCH_MS + int(self._loop.time() * 1000)
        return self._broker.append(at, [each.entry for each in batch], now)

    def _store_late(self, at: TopicPartition, batch: list[_Waiting]) -> None:
        self._network.late -= 1
        self._network.note("stored late", topic=at.topic, process=self._process.name)
        self._store(at, batch)

    def _again(self, at: TopicPartition, batch: list[_Waiting], seconds: float) -> None:
        self._loop.call_later(seconds + BACKOFF_SECONDS, self._try, at, batch, context=self._process.context)

    def _done(self, at: TopicPartition, batch: list[_Waiting], base: int) -> None:
        for offset, each in enumerate(batch, base):
            if not each.answer.done():
                each.answer.set_result(SimpleNamespace(topic=at.topic, partition=at.partition, offset=offset))
        self._launch(at)
