"""The network between processes and brokers: a request may be late, lost, or performed with its answer lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from aiokafka.errors import KafkaConnectionError, KafkaError

from tests.simulation.broker import HEARTBEAT_SECONDS, Broker, Partition, Record
from tests.simulation.loop import PROCESS, Process, VirtualLoop

T = TypeVar("T")
BACKOFF_SECONDS = 0.1
HIDDEN_SECONDS = 1.0
GIVE_UP_SECONDS = (0.2, 3.0)
"""Shortest and longest time until a client notices a dead connection."""


@dataclass(slots=True)
class Chances:
    """Probabilities of faults."""

    slow: float = 0.0
    lost: float = 0.0
    """That a request is lost before it arrives."""
    answer_lost: float = 0.0
    twice_late: float = 0.0
    """That the first try of a write is stored long after the second."""
    skipped: float = 0.0
    """That the embedded broker shows a record later than the records after it."""
    stale: float = 0.1
    """That a fetch does not return a partition's new records yet."""


def reachable(process: Process) -> bool:
    """Whether a process can reach the brokers now."""
    return process.alive and not process.frozen and not process.cut


class Network:
    """Transports requests.

    Parameters
    ----------
    loop, broker
        Loop and broker of the world.
    random
        Decides delays and losses.
    """

    def __init__(self, loop: VirtualLoop, broker: Broker, random: Random, note: Callable[..., None]) -> None:
        self.loop, self.broker, self.random, self.note = loop, broker, random, note
        self.chances = Chances()
        self.faults: dict[str, int] = {}
        self.consumers: list[Any] = []
        self.conns: dict[int, Any] = {}
        """Connections of every client, with the API versions that the stages read."""
        self.hidden: dict[tuple[str, int, int], float] = {}
        """Topic, partition and offset to the time until which a record is hidden, unless it is the last one."""
        broker.stored.append(self._hide)
        self.late = 0
        """Number of writes that will be stored late."""
        loop.later(HEARTBEAT_SECONDS, self._heartbeats)

    def _heartbeats(self) -> None:
        """Send a heartbeat of every member that can reach the brokers."""
        self.loop.later(HEARTBEAT_SECONDS, self._heartbeats)
        if not self.broker.down:
            for consumer in self.consumers:
                if reachable(consumer.process):
                    consumer.heartbeat()

    def _hide(self, log: Partition, base: int) -> None:
        if self.chances.skipped:
            for offset in range(base, log.end):
                if self.random.random() < self.chances.skipped:
                    self.hidden[log.topic, log.number, offset] = (
                        self.loop.time() + HIDDEN_SECONDS * self.random.random()
                    )

    def shown(self, records: list[Record], end: int) -> list[Record]:
        """Leave out the records that the embedded broker does not show yet, in a partition with this end."""
        now = self.loop.time()
        found = [
            each
            for each in records
            if each.offset == end - 1 or self.hidden.get((each.topic, each.partition, each.offset), 0.0) <= now
        ]
        if len(found) < len(records):
            self.count("record skipped")
        return found

    def count(self, kind: str) -> None:
        """Count a fault."""
        self.faults[kind] = self.faults.get(kind, 0) + 1

    def delay(self) -> float:
        """Draw the seconds until a request arrives."""
        if self.chances.slow and self.random.random() < self.chances.slow:
            self.count("slow request")
            return 0.05 + 0.8 * self.random.random()
        return 0.0005 + 0.004 * self.random.random()

    def give_up(self) -> float:
        """Draw the seconds until a client notices that there will be no answer."""
        shortest, longest = GIVE_UP_SECONDS
        return shortest + (longest - shortest) * self.random.random()

    def fate(self) -> str:
        """Draw the fate of a request: `done`, `lost`, or `answer lost`."""
        chance, drawn = self.chances, self.random.random()
        if drawn < chance.lost:
            self.count("request lost")
            return "lost"
        if drawn < chance.lost + chance.answer_lost:
            self.count("answer lost")
            return "answer lost"
        return "done"

    async def once(self, perform: Callable[[], T]) -> T:
        """Send one request; raises a Kafka error, or a connection error if the outcome is unknown."""
        process = PROCESS.get()
        answer: asyncio.Future[Any] = self.loop.create_future()
        fate = self.fate()

        def fail() -> None:
            if not answer.done():
                answer.set_exception(KafkaConnectionError("the connection is gone"))

        def arrive() -> None:
            if process.cut or self.broker.down or fate == "lost":
                self.loop.later(self.give_up(), fail)
                return
            try:
                result = perform()
            except KafkaError as error:
                if not answer.done():
                    answer.set_exception(error)
                return
            if fate == "answer lost":
                self.loop.later(self.give_up(), fail)
            elif not answer.done():
                answer.set_result(result)

        self.loop.later(self.delay(), arrive)
        result: T = await answer
        return result

    async def until_answered(self, perform: Callable[[], T]) -> T:
        """Resend a request until it is answered."""
        while True:
            try:
                return await self.once(perform)
            except KafkaConnectionError:
                await asyncio.sleep(BACKOFF_SECONDS)
