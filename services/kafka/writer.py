"""Writes records to Kafka and reports whether they were acknowledged.

The connection is opened in the background, watched, and replaced when Kafka stays away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from aiokafka import AIOKafkaProducer

from services.kafka.partition_queue import BatchBuilder, Lane, Record
from streams.contracts.connect import aiokafka_options, close_in_time
from streams.contracts.partitioner import partitions_of
from streams.contracts.setting_groups import KafkaSettings

log = logging.getLogger(__name__)

BATCH_BYTES = 900_000
"""Below the topics' `max.message.bytes`, which applies to a whole record batch."""
WAITING_BYTES = 64 * 1024 * 1024
"""Bytes that may wait for Kafka at a time; further records are refused, so that memory stays bounded."""
RECORD_BYTES = 200
"""Memory of a record besides its key and value: two objects and a tuple."""
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


class Unavailable(Exception):  # noqa: N818 -- the caller retries
    """Kafka has not acknowledged the records.

    Parameters
    ----------
    detail
        One sentence for a person.
    written
        Whether some of the records may have been written nevertheless.
    """

    def __init__(self, detail: str, written: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.written = written


def new_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """Make aiokafka's producer: all in-sync replicas acknowledge, and a batch expires when its request does."""
    return AIOKafkaProducer(
        **aiokafka_options(settings),
        client_id="isonomy-gateway",
        acks="all",
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=max(1, int(settings.produce_timeout * 1000)),
    )


class KafkaLog:
    """Writes records to topics and waits for their acknowledgement.

    Parameters
    ----------
    settings
        Address of Kafka, and how long to wait.
    topics
        Full names of the topics that must exist to be ready.
    new_producer
        Makes a producer that is not started yet.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        new_producer: Callable[[KafkaSettings], AIOKafkaProducer] = new_producer,
    ) -> None:
        self._timeout = settings.produce_timeout
        self._link = Link(partial(new_producer, settings), topics, self._timeout)
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._waiting_bytes = 0

    def run(self) -> AbstractAsyncContextManager[None]:
        """Stay connected while the context is open; entering does not wait for Kafka."""
        return self._link.run()

    def fault(self) -> str | None:
        """Why records cannot be written now; `None` when they can."""
        return self._link.fault()

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Write records and return once all of them are acknowledged.

        Raises
        ------
        Unavailable
            When they are not acknowledged within `produce_timeout`.
        """
        if self._link.away is not None:
            raise Unavailable(self._link.away, written=False)
        count = self._link.partitions(topic)
        if not count:
            raise Unavailable(f"topic {topic} does not exist", written=False)
        size = sum(RECORD_BYTES + len(key) + len(value or b"") for key, value in records)
        if self._waiting_bytes + size > WAITING_BYTES:
            raise Unavailable("too many records wait for Kafka already", written=False)
        self._waiting_bytes += size
        try:
            await self._settle([self._lane(topic, at).put(part) for at, part in _shares(records, count)])
        finally:
            self._waiting_bytes -= size

    async def _settle(self, parts: list[asyncio.Future[None]]) -> None:
        failed: list[str] = []
        try:
            async with asyncio.timeout(self._timeout):
                for part in parts:
                    try:
                        await part
                    except Exception as error:  # noqa: BLE001 -- reported to the client; logged once per batch
                        failed.append(repr(error))
        except TimeoutError:
            failed.append(f"no acknowledgement within {self._timeout:g} s")
        finally:
            for part in parts:
                if part.done() and not part.cancelled():
                    part.exception()  # retrieve it, or asyncio logs that it never was
                part.cancel()  # records that are not in flight yet need not be sent
        if failed:
            self._link.doubt()  # if Kafka is away, the next request is refused at once
            raise Unavailable(f"Kafka did not acknowledge all records ({failed[0]})", written=True)

    def _lane(self, topic: str, partition: int) -> Lane:
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = Lane(self._new_builder, partial(self._send_batch, topic, partition))
            self._lanes[topic, partition] = lane
        return lane

    def _new_builder(self) -> BatchBuilder:
        builder: BatchBuilder = self._connected().create_batch()
        return builder

    async def _send_batch(self, topic: str, partition: int, builder: BatchBuilder) -> None:
        try:
            # aiokafka expires a batch by itself; this timeout frees the lane if it ever does not.
            async with asyncio.timeout(3 * self._timeout):
                await (await self._connected().send_batch(builder, topic, partition=partition))
        except Exception as error:
            log.warning("%d records for %s/%d not acknowledged: %r", builder.record_count(), topic, partition, error)
            raise

    def _connected(self) -> AIOKafkaProducer:
        if self._link.producer is None:
            raise Unavailable("not connected to Kafka", written=False)
        return self._link.producer


def _shares(records: Sequence[Record], count: int) -> list[tuple[int, list[Record]]]:
    """Records of each partition, in their order."""
    if len(records) == 1:
        return [(partitions_of([records[0][0]], count)[0], list(records))]
    shares: dict[int, list[Record]] = defaultdict(list)
    for record, partition in zip(records, partitions_of([key for key, _ in records], count), strict=True):
        shares[partition].append(record)
    return list(shares.items())
