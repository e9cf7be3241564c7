"""The connection to Kafka: opened in the background, watched, and replaced when Kafka stays away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from aiokafka import AIOKafkaProducer

from streams.contracts.connect import close_in_time

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often a healthy cluster is asked for its topics. aiokafka asks by itself when a send fails."""
LOOK_AGAIN_SECONDS = 0.5
"""The same while Kafka or a topic is missing."""
RENEW_SECONDS = 10.0
"""After this long without an answer the producer is replaced: all its brokers may have moved."""


class Link:
    """A started producer, or the reason why there is none.

    Topics are watched through the list of all topics: asking for one by name would create it, with the wrong
    partitions and settings, on a broker with automatic creation.

    Parameters
    ----------
    new_producer
        Makes a producer that is not started yet.
    topics
        Full names of the topics that must exist.
    timeout
        Seconds that Kafka may take to answer.
    """

    def __init__(self, new_producer: Callable[[], AIOKafkaProducer], topics: Sequence[str], timeout: float) -> None:
        self._new_producer = new_producer
        self._topics = topics
        self._timeout = timeout
        self._doubt = asyncio.Event()
        self.producer: AIOKafkaProducer | None = None
        self.away: str | None = "not connected to Kafka yet"

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Connect and stay connected, in the background: entering does not wait for Kafka."""
        task = asyncio.create_task(self._stay_connected())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def fault(self) -> str | None:
        """Why records cannot be written now; `None` when they can."""
        if self.away is not None:
            return self.away
        missing = [topic for topic in self._topics if not self.partitions(topic)]
        return f"topic {', '.join(missing)} does not exist" if missing else None

    def partitions(self, topic: str) -> int:
        """Number of partitions of a topic; 0 when it is not known to exist."""
        if self.producer is None:
            return 0
        return len(self.producer.client.cluster.partitions_for_topic(topic) or ())

    def doubt(self) -> None:
        """Check at once whether Kafka still answers, because a send failed."""
        self._doubt.set()

    async def _stay_connected(self) -> None:
        while True:
            try:
                producer = self._new_producer()
            except ValueError as error:  # a secret's file is gone or being written
                self._set_away(f"the connection to Kafka failed: {error}")
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                continue
            try:
                await producer.start()
                self.producer = producer
                await self._watch(producer)
            except Exception as error:  # noqa: BLE001 -- whatever the cause, the next try may succeed
                self._set_away(f"Kafka is away: {error}")
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # aiokafka awaited a task that it had cancelled itself: this task was not cancelled.
                self._set_away("Kafka is away: its client gave up")
            finally:
                self.producer = None
                if not await close_in_time(producer.stop, self._timeout):
                    await close_in_time(producer.client.close, self._timeout)  # without sending what is pending
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        """Keep `away` up to date; return when the producer should be replaced."""
        loop = asyncio.get_running_loop()
        answered_at = loop.time()
        while loop.time() - answered_at < RENEW_SECONDS:
            self._doubt.clear()
            if await _answers(producer, self._timeout):
                answered_at = loop.time()
                self._set_away(None)
            else:
                self._set_away("Kafka is away: it does not answer")
            if self.fault():
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._doubt.wait(), LOOK_SECONDS)

    def _set_away(self, away: str | None) -> None:
        if (away is None) != (self.away is None):
            log.log(logging.INFO if away is None else logging.ERROR, "%s", away or "Kafka answers")
        self.away = away


async def _answers(producer: AIOKafkaProducer, timeout: float) -> bool:  # noqa: ASYNC109 -- a bound, not a feature
    try:
        async with asyncio.timeout(timeout):
            return bool(await producer.client.force_metadata_update())
    except TimeoutError:
        return False
