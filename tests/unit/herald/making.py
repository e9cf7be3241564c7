"""The rules of the herald without I/O: the topics as lists, the notifier on them, and crashes where a test wants one.

And what stands in for Kafka where a part of the rim is looked at by itself.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
from aiokafka.errors import MessageSizeTooLargeError

from services.herald.rules.backoff import Backoff
from services.herald.rules.delivery_state import Book, keyed
from services.herald.rules.grouping import Gathering, seal
from services.herald.rules.notify import Notifier
from services.herald.rules.outcome import settle
from services.herald.rules.retry_queue import messages_of
from streams.contracts.alert import Alert, Severity, Status
from streams.contracts.delivery import (
    Answer,
    Delivery,
    Disabled,
    Outcome,
    Record,
    State,
    decode_record,
    delivery_id,
    encode_record,
)
from streams.contracts.subscription import Subscription
from tests.support.herald import make_alert

BACKOFF = Backoff((5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0))
GROUP_SECONDS = 1.0


class PaperHerald:
    """One herald after the other on the same topics; time is a number that tests move."""

    def __init__(self, *subscriptions: Subscription) -> None:
        self.now = 1_000_000.0
        self.alerts: list[tuple[float, Alert]] = []
        self.subscriptions: list[Subscription] = []
        self.log: list[tuple[str, bytes | None]] = []
        self.sent: list[tuple[float, str, str, list[tuple[str, str]]]] = []
        """Acknowledged: when, subscription, message, alerts with their status."""
        self.start()
        for subscription in subscriptions:
            self.subscribe(subscription)

    def start(self) -> None:
        """Begin a term, as after a crash: from the topics alone."""
        book = Book()
        for subscription in self.subscriptions:
            book.take_subscription(subscription.id, subscription)
        for offset, (key, value) in enumerate(self.log):
            book.take(key, None if value is None else decode_record(value), offset)
        self.notifier = Notifier(book, Gathering(GROUP_SECONDS, 50))
        written: list[Delivery] = []
        for at, alert in self.alerts:
            written += self.notifier.alert(alert, at, self.now, since=0.0)[1]
        for name in book.subscriptions:
            self.notifier.subscription(name, self.now, self.now)
        self.write(*written, *self.notifier.recover(self.now, self.now), *self.notifier.replays(self.now, self.now))

    @property
    def book(self) -> Book:
        return self.notifier.book

    def subscribe(self, subscription: Subscription) -> None:
        subscription = msgspec.structs.replace(subscription, created_at=self.now, updated_at=self.now)
        self.subscriptions.append(subscription)
        self.book.take_subscription(subscription.id, subscription)
        self.notifier.subscription(subscription.id, self.now, self.now)

    def tell(self, alert: Alert) -> None:
        self.alerts.append((self.now, alert))
        self.write(*self.notifier.alert(alert, self.now, self.now)[1])

    def write(self, *records: Record) -> None:
        for key, record in keyed(list(records)):
            self.log.append((key, None if record is None else encode_record(record)))
            self.book.take(key, record, len(self.log) - 1)

    def close(self) -> None:
        """Write down the messages that are due to be closed."""
        for members in self.notifier.gathering.close(self.now):
            self.write(*seal(members, self.now))

    def due(self) -> list[list[Delivery]]:
        return [
            members
            for members in messages_of(list(self.book.deliveries.values()))
            if (members[0].next_at or 0.0) <= self.now and self.book.is_active(members[0].subscription)
        ]

    def attempt(self, members: list[Delivery], outcome: Outcome, *, crash_before_record: bool = False) -> None:
        answer = Answer(outcome, at=self.now, seconds=0.0)
        if outcome is Outcome.DELIVERED:
            told = [(each.alert, each.status.value) for each in members]
            self.sent.append((self.now, members[0].subscription, members[0].message or "", told))
        if crash_before_record:
            self.start()
            return
        after = settle(members, answer, BACKOFF)
        if outcome is Outcome.GONE:
            name = members[0].subscription
            revision = self.book.subscriptions[name].revision
            self.write(Disabled(subscription=name, revision=revision, reason="410", at=self.now))
        self.write(*after)
        if after[0].state is not State.PENDING:
            self.write(*self.notifier.settled(after, self.now, self.now))

    def run(self, outcome: Outcome = Outcome.DELIVERED, seconds: float = 3.0) -> None:
        """Let time pass, in small steps, with endpoints that answer all alike."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self.close()
            for members in self.due():
                self.attempt(members, outcome)

    def told(self, subscription: str = "s") -> list[list[tuple[str, str]]]:
        return [alerts for _, name, _, alerts in self.sent if name == subscription]


class Producer:
    """Acknowledges at once what it is given, and refuses at once what is larger than `most` bytes."""

    def __init__(self, most: int | None = None) -> None:
        self.records: list[Any] = []
        self.most = most

    async def send(self, topic: str, value: bytes | None, key: bytes) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        if value is not None and self.most is not None and len(value) > self.most:
            future.set_exception(MessageSizeTooLargeError())
            return future
        self.records.append(None if value is None else decode_record(value))
        future.set_result(SimpleNamespace(offset=len(self.records) - 1))
        return future


def make_pending(subscription: Subscription) -> Delivery:
    """A delivery of the first alert, in no message yet."""
    alert = make_alert()
    return Delivery(
        id=delivery_id(subscription.id, alert.id, Status.FIRING, Severity.CRITICAL),
        subscription=subscription.id,
        channel=subscription.channel.type,
        alert=alert.id,
        arena=alert.arena,
        kind=alert.kind,
        severity=alert.severity,
        status=alert.status,
        state=State.PENDING,
        created_at=1.0,
        changed_at=1.0,
        body=alert,
    )


def large(delivery: Delivery) -> Delivery:
    """The same of an alert that fills a record."""
    assert delivery.body is not None
    body = msgspec.structs.replace(delivery.body, evidence={"prompts": ["x" * 100] * 20})
    return msgspec.structs.replace(delivery, body=body)
