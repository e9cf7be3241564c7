"""Reads the three topics during one term: first their history, then new records; and watches for other claims."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from services.herald.lease import CONFIRM_SECONDS, HeraldFenced, Lease, lease_time
from services.herald.rules.delivery_state import Book
from services.kafka.reader import KafkaReader
from streams.contracts.alert import Alert, decode_alert
from streams.contracts.delivery import SETTLED, Claim, Delivery, State, decode_record
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.subscription import decode_subscription
from streams.contracts.topics import ALERTS, DELIVERIES, SUBSCRIPTIONS

log = logging.getLogger(__name__)

WAIT_MS = 20
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding may raise. For text that is not UTF-8, and for deep nesting, msgspec raises errors of Python's own."""


@dataclass(slots=True)
class Unprocessed:
    """Input that was read and that the dispatcher has not handled yet."""

    records: list[ConsumerRecord] = field(default_factory=list)
    """Records of alerts and subscriptions."""
    overtaken: list[str] = field(default_factory=list)
    """Deliveries overwritten by a stale write of the previous leader: append the true state again, because compaction
    keeps the last record."""
    settled: list[Delivery] = field(default_factory=list)
    """Deliveries that another herald's record settled: a resolved notice may wait for them."""
    late: set[str | None] = field(default_factory=set)
    """Messages that another herald's record left pending: none of our send queues has them yet."""
    replays: bool = False
    """Whether an owner has asked for a replay."""
    toggled: list[str] = field(default_factory=list)
    """Subscriptions that the operator has disabled or allowed again."""


class Inbox:
    """Applies the records of the three topics to the state, and collects what the dispatcher must handle.

    Parameters
    ----------
    settings
        Names of the topics.
    consumer
        Started, outside any group.
    book, lease
        Updated by the records that are read.
    by
        Name of this herald.
    wake
        Set when the dispatcher has something to handle.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        consumer: AIOKafkaConsumer,
        book: Book,
        lease: Lease,
        by: str,
        wake: asyncio.Event,
    ) -> None:
        self.alerts, self.subscriptions, self.deliveries = (
            settings.topic(topic.name) for topic in (ALERTS, SUBSCRIPTIONS, DELIVERIES)
        )
        self._log = TopicPartition(self.deliveries, 0)
        self._follower = KafkaReader(consumer, [self.alerts, self.subscriptions, self.deliveries])
        self._book, self._lease, self._by, self._wake = book, lease, by, wake
        self._claimed = -1
        self._progress = asyncio.Event()
        self.arrived = Unprocessed()

    def take(self) -> Unprocessed:
        """Hand over what has arrived since the last call."""
        arrived, self.arrived = self.arrived, Unprocessed()
        return arrived

    async def start(self) -> None:
        """Start reading; raises `LookupError` if a topic does not exist."""
        await self._follower.start()

    async def visible(self, claimed: int) -> float:
        """Wait until readers can see our claim; returns a `lease_time` at which they could.

        An open transaction on `deliveries` hides every record behind it, including our claim. Until it ends, the
        previous leader rightly goes on renewing its lease. Once the claim is visible, every later end offset includes
        it, and what was confirmed before holds for at most `LEASE` more seconds. So our wait counts from this moment,
        and not from when the claim was written.
        """
        said = False
        while await self._follower.end(self._log) <= claimed:
            if not said:
                log.warning("a transaction is open on %s: the take-over waits until it ends", self.deliveries)
                said = True
            await asyncio.sleep(CONFIRM_SECONDS)  # between two questions
        return lease_time()

    async def up_to(self, claimed: int) -> Claim | None:
        """Read `subscriptions` to its end and `deliveries` up to our claim; returns the claim before ours."""
        self._claimed = claimed
        previous: Claim | None = None
        while self._follower.position[self._log] <= claimed or not await self._follower.at_end(self.subscriptions):
            for record in await self._follower.fetch(WAIT_MS, self.deliveries, self.subscriptions):
                if record.topic == self.subscriptions:
                    take_subscription(self._book, record)
                    continue
                if record.offset == claimed:
                    previous = self._book.claim
                self._delivery(record)
        return previous

    async def all_alerts(self) -> list[ConsumerRecord]:
        """All records of `alerts` up to its end."""
        found: list[ConsumerRecord] = []
        while not await self._follower.at_end(self.alerts):
            found += await self._follower.fetch(WAIT_MS, self.alerts)
        return found

    async def read(self) -> None:
        """Read new records for ever. A task of its own, because writers wait for the lease and the lease waits for it.

        Raises
        ------
        HeraldFenced
            If another herald has taken over.
        """
        while True:
            records = await self._follower.fetch(WAIT_MS)
            for record in records:  # no await in this loop: the position counts fetched records as read
                if record.topic != self.deliveries:
                    self.arrived.records.append(record)
                    self._wake.set()
                    continue
                self._delivery(record)
                kind, _, name = (record.key or b"").decode("utf-8", "replace").partition("/")
                if kind == "replay":
                    self.arrived.replays = True
                    self._wake.set()
                elif kind == "blocked":
                    self.arrived.toggled.append(name)
                    self._wake.set()
            self._progress.set()

    async def confirm(self) -> None:
        """Renew the lease for ever: ask Kafka whether another herald has taken over."""
        while True:
            asked_at = lease_time()
            try:
                end = await self._follower.end(self._log)
            except KafkaError as error:
                log.warning("cannot renew the lease: Kafka did not return the end of the topic: %r", error)
            else:
                while self._follower.position[self._log] < end:
                    self._progress.clear()
                    await self._progress.wait()
                self._lease.confirm(asked_at)
            await asyncio.sleep(CONFIRM_SECONDS)  # between two questions

    def _delivery(self, record: ConsumerRecord) -> None:
        overtaken = take_delivery(self._book, record)
        key, arrived = (record.key or b"").decode("utf-8", "replace"), self.arrived
        known = self._book.deliveries.get(key)
        from_another = known is not None and known.by != self._by
        if overtaken is not None:
            arrived.overtaken.append(overtaken)
        if known is not None and from_another and known.state in SETTLED:
            arrived.settled.append(known)
        if known is not None and from_another and known.state is State.PENDING:
            arrived.late.add(known.message)
        if overtaken is not None or from_another:
            self._wake.set()
        claim = self._book.claim
        if claim is not None and claim.by != self._by and record.offset > self._claimed:
            log.warning("%s has taken over", claim.by)
            self._lease.fence()
            raise HeraldFenced


def read_alert(record: ConsumerRecord) -> Alert | None:
    """Decode an alert; None for a tombstone or a record that cannot be decoded."""
    if record.value is None:
        return None
    try:
        return decode_alert(record.value)
    except UNREADABLE as error:
        log.warning("alerts, offset %d: skipped: %s", record.offset, error)
        return None


def recorded(record: ConsumerRecord, alert: Alert) -> float:
    """Record time of an alert in epoch seconds; its detection time if the record has none (the oldest format)."""
    return alert.detected_at if record.timestamp is None or record.timestamp < 0 else float(record.timestamp / 1000)


def take_subscription(book: Book, record: ConsumerRecord) -> str | None:
    """Apply a record of `subscriptions`; returns the id of the subscription, or None for an unreadable record."""
    key = _key(record)
    if key is None:
        return None
    try:
        book.take_subscription(key, None if record.value is None else decode_subscription(record.value))
    except UNREADABLE as error:
        log.warning("subscriptions, offset %d: skipped: %s", record.offset, error)
        return None
    return key


def take_delivery(book: Book, record: ConsumerRecord) -> str | None:
    """Apply a record of `deliveries`; returns the id of the delivery that it overwrites, if it is stale."""
    key = _key(record)
    if key is None:
        return None
    try:
        found = None if record.value is None else decode_record(record.value)
        return found.id if book.take(key, found, record.offset) and isinstance(found, Delivery) else None
    except UNREADABLE as error:
        log.warning("deliveries, offset %d: skipped: %s", record.offset, error)
        return None


def _key(record: ConsumerRecord) -> str | None:
    try:
        return str((record.key or b"").decode()) or None
    except UnicodeDecodeError:
        log.warning("%s, offset %d: skipped: its key is not UTF-8", record.topic, record.offset)
        return None
