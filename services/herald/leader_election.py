"""Leader election: the herald joins the consumer group, and runs a term while the group has elected it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from services.herald.channels.dispatch import Channels
from services.herald.dispatcher import GRACE_SECONDS, Dispatcher
from services.herald.gauges import prepare
from services.herald.lease import HeraldFenced
from services.herald.rules.backoff import Backoff
from services.herald.rules.matching import may_receive
from services.http.api_keys import KeyRing
from services.kafka.reader import SESSION_MS, make_member, make_producer, make_reader, stop
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.subscription import Subscription
from streams.contracts.topics import DELIVERIES, HERALD_GROUP

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
POLL_MS = 200
STAGE = "herald"


class Herald(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Runs a term whenever the group elects this process.

    Raises
    ------
    InvalidSetting
        If the waits between attempts, the SMTP server's URL or the file of keys is invalid.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        Backoff.read(settings.herald.retry_seconds)
        self._settings, self._metrics = settings, metrics
        self._channels = Channels(settings)
        self._keys = KeyRing(settings.subscriptions.keys_file) if settings.subscriptions.keys_file else None
        self._topic = settings.kafka.topic(DELIVERIES.name)
        self._by = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._chosen = asyncio.Event()
        self._assigned = False
        """Whether the group has elected us now; false during a rebalance."""
        self._term: Dispatcher | None = None
        self._term_over = asyncio.Event()
        self._term_over.set()
        self._away: str | None = "not connected to Kafka yet"
        prepare(metrics)
        metrics.ready.labels(STAGE).set(0)

    def _is_allowed(self, subscription: Subscription) -> bool:
        """Whether a key of the owner allows the subscription. Without a file of keys, every subscription is allowed."""
        keys = None if self._keys is None else self._keys.named(subscription.owner, time.monotonic())
        return keys is None or any(may_receive(key, subscription) for key in keys)

    def fault(self) -> str | None:
        """Why this herald could not deliver if it were elected; `None` if it could."""
        return self._away

    async def run(self) -> None:
        """Deliver or stand by until cancelled. An error ends the process."""
        async with self._channels, contextlib.AsyncExitStack() as stack:
            producer = await self._connected(make_producer(self._settings.kafka))
            stack.push_async_callback(stop, producer)
            member = make_member(self._settings.kafka, HERALD_GROUP)
            member.subscribe([self._topic], listener=self)
            await self._connected(member)
            stack.push_async_callback(stop, member)
            self._away = None
            self._metrics.ready.labels(STAGE).set(1)
            await self._terms(member, producer)

    async def _terms(self, member: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        polling = asyncio.create_task(self._poll(member))
        try:
            while True:
                chosen = asyncio.create_task(self._chosen.wait())
                await asyncio.wait({chosen, polling}, return_when=asyncio.FIRST_COMPLETED)
                chosen.cancel()
                if polling.done():
                    polling.result()
                self._chosen.clear()
                if not self._assigned:  # the group revoked the partition before this task ran
                    continue
                await self._one_term(producer, polling)
                self._choose_again()
        finally:
            polling.cancel()
            await asyncio.wait({polling})

    def _choose_again(self) -> None:
        """Start a new term a session later if we are still elected: the herald that took over must be gone."""

        def look() -> None:
            # Do not use the consumer's assignment: it stays until the next one arrives. During a rebalance, a herald
            # that wakes up would claim, and fence the one that delivers.
            if self._term is None and self._assigned:
                self._chosen.set()

        asyncio.get_running_loop().call_later(SESSION_MS / 1000, look)

    async def _one_term(self, producer: AIOKafkaProducer, polling: asyncio.Task[None]) -> None:
        reader = make_reader(self._settings.kafka)
        self._term = term = Dispatcher(
            self._settings, self._metrics, self._by, reader, producer, self._channels, self._is_allowed
        )
        self._term_over.clear()
        running = asyncio.create_task(self._run_term(term, reader))
        try:
            await asyncio.wait({running, polling}, return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                polling.result()
            await running
        except HeraldFenced:
            self._metrics.herald_fenced.inc()
            log.warning("standing by")
        except asyncio.CancelledError:
            term.stop()  # clean stop: attempts under way finish and are logged
            await asyncio.wait({running}, timeout=2 * GRACE_SECONDS)
            raise
        finally:
            running.cancel()
            await asyncio.wait({running})
            self._term = None
            self._term_over.set()

    @staticmethod
    async def _run_term(term: Dispatcher, reader: AIOKafkaConsumer) -> None:
        try:
            await reader.start()
            await term.run()
        finally:
            await stop(reader)

    async def _poll(self, member: AIOKafkaConsumer) -> None:
        """Poll to stay in the group. This consumer fetches nothing."""
        while True:
            member.pause(*member.assignment())
            await member.getmany(timeout_ms=POLL_MS)

    async def _connected(self, client: AIOKafkaConsumer | AIOKafkaProducer) -> AIOKafkaConsumer | AIOKafkaProducer:
        """Start a client; retry for as long as Kafka is away."""
        while True:
            try:
                await client.start()
                return client
            except KafkaError as error:
                self._away = f"Kafka is away: {error}"
                log.error("%s", self._away)  # noqa: TRY400 -- a traceback adds nothing
                await asyncio.sleep(AGAIN_SECONDS)  # between two tries

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """End the term before the group elects another herald."""
        self._chosen.clear()
        self._assigned = False
        if self._term is not None:
            self._term.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * GRACE_SECONDS):
                    await self._term_over.wait()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Start a term if we own partition 0 of `deliveries`: its owner is the leader."""
        self._assigned = TopicPartition(self._topic, 0) in assigned
        if self._assigned:
            self._chosen.set()
