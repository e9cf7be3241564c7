"""A herald without its rim: the topics as lists, the desk on them, and crashes wherever a test wants one."""

from __future__ import annotations

import msgspec

from services.herald.rules.book import Book, keyed
from services.herald.rules.desk import Desk
from services.herald.rules.grouping import Gathering, seal
from services.herald.rules.outbox import messages_of
from services.herald.rules.schedule import Schedule
from services.herald.rules.settle import settle
from streams.contracts.alert import Alert
from streams.contracts.delivery import Answer, Delivery, Disabled, Outcome, Record, State, decode_record, encode_record
from streams.contracts.subscription import Subscription

SCHEDULE = Schedule((5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0))
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
        for key, value in self.log:
            book.take(key, None if value is None else decode_record(value))
        self.desk = Desk(book, Gathering(GROUP_SECONDS, 50))
        written: list[Delivery] = []
        for at, alert in self.alerts:
            written += self.desk.alert(alert, at, self.now, since=0.0)[1]
        for name in book.subscriptions:
            self.desk.subscription(name, self.now, self.now)
        self.write(*written, *self.desk.recover(self.now, self.now), *self.desk.replays(self.now, self.now))

    @property
    def book(self) -> Book:
        return self.desk.book

    def subscribe(self, subscription: Subscription) -> None:
        subscription = msgspec.structs.replace(subscription, created_at=self.now, updated_at=self.now)
        self.subscriptions.append(subscription)
        self.book.take_subscription(subscription.id, subscription)
        self.desk.subscription(subscription.id, self.now, self.now)

    def tell(self, alert: Alert) -> None:
        self.alerts.append((self.now, alert))
        self.write(*self.desk.alert(alert, self.now, self.now)[1])

    def write(self, *records: Record) -> None:
        for key, record in keyed(list(records)):
            self.log.append((key, None if record is None else encode_record(record)))
            self.book.take(key, record)

    def close(self) -> None:
        """Write down the messages that are due to be closed."""
        for members in self.desk.gathering.close(self.now):
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
        after = settle(members, answer, SCHEDULE)
        if outcome is Outcome.GONE:
            name = members[0].subscription
            revision = self.book.subscriptions[name].revision
            self.write(Disabled(subscription=name, revision=revision, reason="410", at=self.now))
        self.write(*after)
        if after[0].state is not State.PENDING:
            self.write(*self.desk.settled(after, self.now, self.now))

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
