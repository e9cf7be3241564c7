"""The dispatcher: one term of one herald, from its election until another herald takes over.

It starts from Kafka alone, because the three topics hold the whole state:

claim → read everything → follow: match → group → log → send queue: attempt → log
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from services.herald.channels.dispatch import Channels
from services.herald.delivery_log import DeliveryLog
from services.herald.gauges import show
from services.herald.inbox import Inbox, read_alert, recorded, take_subscription
from services.herald.lease import LEASE, Lease, lease_time
from services.herald.rules.delivery_state import Book, keyed
from services.herald.rules.grouping import Gathering, seal
from services.herald.rules.notify import Notifier
from services.herald.rules.outcome import forgettable
from services.herald.rules.retry_queue import messages_of
from services.herald.sender import Sender
from streams.contracts.delivery import CLAIM_KEY, Claim, Delivery, encode_record
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.subscription import Subscription
from streams.contracts.topics import DELIVERIES

log = logging.getLogger(__name__)

DAY = 86_400.0
SHOW_SECONDS = 1.0
CHECK_SECONDS = 1.0
FORGET_SECONDS = 60.0
FORGET_AT_ONCE = 1_000
GRACE_SECONDS = 4.0
"""How long attempts under way may take after a stop. Shorter than the session timeout of the group."""


class Stalled(RuntimeError):  # noqa: N818 -- what it is
    """Kafka has not answered for too long. The process ends, because a new one may reach Kafka again."""


class Dispatcher:
    """Runs one term: takes over, then delivers until it stops.

    Parameters
    ----------
    settings, metrics
        Of this process.
    by
        Name of this herald, unique for each process.
    consumer, producer
        Started; the consumer outside any group.
    channels
        Open.
    is_allowed
        Whether the key of a subscription's owner still allows it. Checked every `CHECK_SECONDS`, since keys change.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        by: str,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        channels: Channels,
        is_allowed: Callable[[Subscription], bool],
    ) -> None:
        self._settings, self._metrics, self._by, self._producer = settings, metrics, by, producer
        self._deliveries = settings.kafka.topic(DELIVERIES.name)
        self._is_allowed = is_allowed
        self._disallowed: set[str] = set()
        """Subscriptions whose owner's key is gone, or no longer allows them."""
        self._book = Book(is_allowed=lambda subscription: subscription.id not in self._disallowed)
        self._lease = Lease()
        self._wake = asyncio.Event()
        """Set when there is something to handle: a record has arrived, or an attempt has ended."""
        self._inbox = Inbox(settings.kafka, consumer, self._book, self._lease, by, self._wake)
        self._notifier = Notifier(self._book, Gathering(settings.herald.group_seconds, settings.herald.group_size))
        self._delivery_log = DeliveryLog(producer, self._deliveries, self._book, self._lease, by)
        self._sender = Sender(
            settings.herald, metrics, self._notifier, self._delivery_log, self._lease, channels, self._wake
        )
        self._stop = asyncio.Event()
        self._not_before = math.inf
        """Earliest `lease_time` of the first attempt."""
        self._next: dict[str, float] = {}

    def stop(self) -> None:
        """Start no further attempt, finish those under way, release the claim."""
        self._stop.set()

    async def run(self) -> None:
        """Deliver until stopped or cancelled.

        Raises
        ------
        HeraldFenced
            If another herald has taken over.
        Stalled
            If Kafka does not answer for `watchdog_seconds`.
        """
        tasks: set[asyncio.Task[object]] = set()
        released = False
        try:
            stopping, taking = asyncio.create_task(self._stop.wait()), asyncio.create_task(self._take_over())
            tasks |= {stopping, taking}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                # No attempt is under way, and the group removes a member that delays its rebalance.
                return
            tasks |= {asyncio.create_task(each) for each in (self._inbox.read(), self._inbox.confirm())}
            tasks.add(asyncio.create_task(self._follow(taking.result())))
            tasks.remove(taking)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            released = await self._sender.stop(GRACE_SECONDS)  # reader and lease run on: results are logged
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            await self._sender.stop(0)
            self._metrics.herald_owner.set(0)
            self._metrics.herald_confirmed_age.set(0)
        # Release only after our own wait: until then the previous leader may still hold a valid lease.
        if released and not self._lease.fenced and lease_time() >= self._not_before:
            await self._claim(released=True)

    async def _claim(self, *, released: bool) -> int:
        record = Claim(by=self._by, at=time.time(), released=released)
        sent = await self._producer.send_and_wait(
            self._deliveries, encode_record(record), key=CLAIM_KEY.encode(), partition=0
        )
        offset: int = sent.offset
        return offset

    async def _take_over(self) -> list[Delivery]:
        """Write a claim and read everything before it; returns the deliveries to write."""
        await self._inbox.start()
        claimed = await self._claim(released=False)
        seen_at = await self._inbox.visible(claimed)
        previous = await self._inbox.up_to(claimed)
        since = time.time() - self._settings.herald.history_days / 2 * DAY
        self._recheck_keys()
        owed = [each for record in await self._inbox.all_alerts() for each in self._alert(record, since)]
        now, mono = time.time(), time.monotonic()
        for name in self._book.subscriptions:
            self._notifier.subscription(name, now, mono)
        owed += self._notifier.recover(now, mono) + self._notifier.replays(now, mono)
        log.info(
            "took over: %d subscriptions, %d deliveries, %d alerts fire",
            len(self._book.subscriptions), len(self._book.deliveries), len(self._notifier.known.firing()),
        )  # fmt: skip
        # An unreleased claim makes us wait, even one of our own: the leader before it may still hold a valid lease.
        free = previous is None or previous.released
        self._not_before = 0.0 if free else seen_at + LEASE
        return owed

    async def _follow(self, owed: list[Delivery]) -> None:
        """Handle new input and send what is due, until cancelled."""
        await asyncio.sleep(max(0.0, self._not_before - lease_time()))  # the previous lease expires by time alone
        for deliveries in messages_of(list(self._book.deliveries.values())):
            self._sender.put(deliveries)
        self._metrics.herald_owner.set(1)
        self._inbox.arrived.late = set()
        while True:
            self._wake.clear()  # before the turn: input that arrives during it starts another turn
            owed = await self._turn(owed)
            if owed or self._delivery_log.given_up:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._idle_seconds()):
                    await self._wake.wait()

    async def _turn(self, owed: list[Delivery]) -> list[Delivery]:
        """Handle everything that has arrived or is due; returns the deliveries that the next turn must write first."""
        arrived = self._inbox.take()
        for record in arrived.records:
            if record.topic == self._inbox.alerts:
                owed += self._alert(record, None)
            else:
                await self._subscription(take_subscription(self._book, record))
        for name in (*arrived.toggled, *(self._recheck_keys() if self._due("keys", CHECK_SECONDS) else ())):
            if name in self._book.subscriptions:
                await self._subscription(name)
        if arrived.replays:
            owed += self._notifier.replays(time.time(), time.monotonic())
        owed += self._notifier.settled(arrived.settled + self._given_up(), time.time(), time.monotonic())
        for deliveries in messages_of(list(self._book.deliveries.values())) if arrived.late else ():
            if deliveries[0].message in arrived.late:
                self._sender.put(deliveries)
        # Write the current state: an attempt may have settled a delivery meanwhile. (If the record of that attempt is
        # still on its way, ours lands behind it; we read that, and the delivery counts as overtaken once more.)
        known = self._book.deliveries
        again = [known[name] for name in dict.fromkeys(arrived.overtaken) if name in known]
        await self._delivery_log.write(keyed([*owed, *again]))
        owed = self._notifier.written(owed, time.time(), time.monotonic())
        await self._send_due()
        await self._now_and_then()
        return owed

    def _idle_seconds(self) -> float:
        """Seconds until the next timed job is due; at most `SHOW_SECONDS`."""
        monotonic = min(self._notifier.gathering.next_close(), *self._next.values())
        return max(0.0, min(monotonic - time.monotonic(), self._sender.next_due() - time.time()))

    def _recheck_keys(self) -> list[str]:
        """Check every owner's key again; returns the subscriptions that are allowed again."""
        before, book = self._disallowed, self._book
        self._disallowed = {
            name for name, subscription in book.subscriptions.items() if not self._is_allowed(subscription)
        }
        for name in sorted(self._disallowed - before):
            owner = book.subscriptions[name].owner
            log.warning("%s receives nothing: the key of %s was removed or does not allow it", name, owner)
        return sorted(before - self._disallowed)

    def _given_up(self) -> list[Delivery]:
        """Take the deliveries that were too large to log with their alert, and count them. They are dead."""
        given_up, self._delivery_log.given_up = self._delivery_log.given_up, []
        for delivery in given_up:
            self._metrics.herald_deliveries.labels(delivery.channel.value, delivery.state.value).inc()
        return given_up

    def _alert(self, record: ConsumerRecord, since: float | None) -> list[Delivery]:
        alert = read_alert(record)
        if alert is None:
            self._metrics.herald_alerts.labels("invalid").inc()
            return []
        news, written = self._notifier.alert(alert, recorded(record, alert), time.monotonic(), since)
        self._metrics.herald_alerts.labels(news.value).inc()
        return written

    async def _subscription(self, name: str | None) -> None:
        """Handle a subscription that was created, changed or deleted."""
        if name is None:
            return
        subscription = self._book.subscriptions.get(name)
        if subscription is None or self._is_allowed(subscription):
            self._disallowed.discard(name)
        else:  # no key allows it: it receives nothing from the start
            self._disallowed.add(name)
        if subscription is None:
            self._notifier.gathering.drop(name)
            await self._delivery_log.write([(each.id, None) for each in self._book.deliveries_of(name)])
            return
        self._notifier.subscription(name, time.time(), time.monotonic())
        for deliveries in messages_of(self._book.deliveries_of(name)):
            self._sender.put(deliveries)

    async def _send_due(self) -> None:
        """Close the groups that are due into messages, log these, and only then queue them for sending."""
        closed = [seal(members, time.time()) for members in self._notifier.gathering.close(time.monotonic())]
        if closed:
            await self._delivery_log.write(keyed([delivery for members in closed for delivery in members]))
            for members in closed:
                self._sender.put(members)
        self._sender.hand_out(time.time())

    async def _now_and_then(self) -> None:
        if self._sender.failure is not None:
            raise self._sender.failure
        now = time.time()
        if self._due("show", SHOW_SECONDS):
            show(self._metrics, self._book, self._notifier.gathering, now)
            self._metrics.herald_confirmed_age.set(self._lease.age)
            if self._lease.silence > self._settings.worker.watchdog_seconds:
                raise Stalled(f"Kafka has not renewed the lease for {self._lease.silence:.0f} s")
        if self._due("resend", self._settings.herald.resend_seconds):
            self._sender.resend()
        if self._due("forget", FORGET_SECONDS):
            seconds = self._settings.herald.history_days * DAY
            keys = forgettable(self._book, self._notifier.known, now, seconds, FORGET_AT_ONCE)
            await self._delivery_log.write([(key, None) for key in keys])

    def _due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every
        return True
