"""The state behind the routes: follows subscriptions and deliveries in the background, and writes with acks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from aiokafka.errors import KafkaError

from services.herald.inbox import take_delivery, take_subscription
from services.herald.rules.delivery_state import Book
from services.http.errors import Refusal, Refused, retry_after
from services.kafka.reader import KafkaReader, Unreadable, make_producer, make_reader, stop
from services.kafka.writer import KafkaLog, Unavailable
from streams.contracts.delivery import Asked, Blocked, Replay, encode_record, record_key
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.subscription import Subscription, encode_subscription
from streams.contracts.topics import DELIVERIES, SUBSCRIPTIONS

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
RETRY_SECONDS = 2.0
SEEN_SECONDS = 2.0
"""How long a writer waits to read its own record. The record is acknowledged in any case."""
WAIT_MS = 100


class SubscriptionStore:
    """Subscriptions and deliveries from Kafka; use `run` as an async context manager."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = [settings.topic(SUBSCRIPTIONS.name), settings.topic(DELIVERIES.name)]
        self._log = KafkaLog(settings, self._topics, lambda each: make_producer(each, "isonomy-subscriptions"))
        self._book = Book()
        self._complete = False
        self._unreadable: str | None = None
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Follow the topics inside the context. Entering it does not wait for Kafka."""
        async with self._log.run():
            task = asyncio.create_task(self._stay())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait([task])

    def book(self) -> Book:
        """The current state; raises `Refused` until the topics are read to their end, or if they cannot be read."""
        if not self._complete or self._unreadable is not None:
            detail = self._unreadable or self._log.fault() or "the subscriptions are being read"
            raise Refused(Refusal.UNAVAILABLE, detail, retry_after(RETRY_SECONDS))
        return self._book

    def writable(self) -> None:
        """Check that records can be written now; raises `Refused` otherwise."""
        if (fault := self._log.fault()) is not None:
            raise Refused(Refusal.UNAVAILABLE, fault, retry_after(RETRY_SECONDS))

    async def write(self, subscription: Subscription) -> None:
        """Write a subscription; returns once it is acknowledged and read back. Raises `Refused`."""
        await self._send(self._topics[0], [(subscription.id, encode_subscription(subscription))])
        await self._see(lambda: self._revision(subscription.id) >= subscription.revision)

    async def delete(self, name: str) -> None:
        """Delete a subscription; returns once that is acknowledged and read back. Raises `Refused`."""
        await self._send(self._topics[0], [(name, None)])
        await self._see(lambda: self._revision(name) == 0)

    async def block(self, name: str, blocked: Blocked | None) -> None:
        """Disable a subscription against any change by its owner, or (None) allow it again. Raises `Refused`."""
        key = f"blocked/{name}"
        await self._send(self._topics[1], [(key, None if blocked is None else encode_record(blocked))])
        await self._see(lambda: self._book.blocked.get(name) == blocked)

    async def replay(self, replays: list[Replay]) -> None:
        """Ask the herald to send failed deliveries again. Raises `Refused`."""
        await self._send(self._topics[1], [(record_key(each), encode_record(each)) for each in replays])

    async def ask(self, asked: Asked) -> None:
        """Write a confirmation request; returns once it is acknowledged and read back. Raises `Refused`.

        A request that is not read back may lie behind others that use up the limit, so it must not be sent.
        """
        await self._send(self._topics[1], [(record_key(asked), encode_record(asked))])
        await self._see(lambda: asked.id in self._book.asked)
        if asked.id not in self._book.asked:
            raise Refused(Refusal.UNAVAILABLE, "Kafka is slow; nothing was sent", retry_after(RETRY_SECONDS))

    def _revision(self, name: str) -> int:
        found = self._book.subscriptions.get(name)
        return 0 if found is None else found.revision

    async def _send(self, topic: str, records: list[tuple[str, bytes | None]]) -> None:
        try:
            await self._log.send(topic, [(key.encode(), value) for key, value in records])
        except Unavailable as error:
            reason = Refusal.UNCONFIRMED if error.written else Refusal.UNAVAILABLE
            raise Refused(reason, error.detail, retry_after(RETRY_SECONDS)) from None

    async def _see(self, seen: Callable[[], bool]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEEN_SECONDS):
                while not seen():
                    self._changed.clear()
                    await self._changed.wait()

    async def _stay(self) -> None:
        while True:
            reader = make_reader(self._settings)
            try:
                await reader.start()
                await self._follow(KafkaReader(reader, self._topics))
            except (KafkaError, LookupError, OSError) as error:
                log.warning("cannot read the subscriptions, retrying: %s", error)
            except Unreadable as error:
                if self._unreadable is None:  # log once: the loop retries every second
                    log.error("the subscriptions stay unknown until this is repaired: %s", error)  # noqa: TRY400 -- a traceback adds nothing
                self._unreadable = str(error)
            finally:
                await stop(reader)
            await asyncio.sleep(AGAIN_SECONDS)  # between two tries

    async def _follow(self, follower: KafkaReader) -> None:
        await follower.start()
        book, complete = Book(), False
        while True:
            for record in await follower.fetch(WAIT_MS):
                if record.topic == self._topics[0]:
                    take_subscription(book, record)
                else:
                    take_delivery(book, record)
            if not complete and await follower.at_end():
                self._book, self._complete, complete = book, True, True
                self._unreadable = None
            self._changed.set()
