"""The notifier: turns alerts, subscriptions, replays and settled deliveries into new deliveries. Pure.

A delivery to send goes into the gathering, and from there, as part of a message, into the log. A delivery that must
only be logged is returned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.herald.rules.dedup import AlertDedup, News
from services.herald.rules.deliveries import owe_firing, owe_resolved, replayed, settle_waiting, waiting_for
from services.herald.rules.delivery_state import Book
from services.herald.rules.grouping import Gathering
from streams.contracts.alert import Alert, Status
from streams.contracts.delivery import Delivery, State
from streams.contracts.subscription import Subscription


@dataclass(slots=True)
class Notifier:
    """The state that one herald decides on."""

    book: Book
    gathering: Gathering
    known: AlertDedup = field(default_factory=AlertDedup)

    def alert(self, alert: Alert, at: float, mono: float, since: float | None = None) -> tuple[News, list[Delivery]]:
        """Apply a record of an alert.

        Parameters
        ----------
        alert
            As read.
        at
            Time of its record, epoch seconds.
        mono
            Monotonic time.
        since
            At a take-over: older records update what is known but create no deliveries, because the log may have
            forgotten theirs. Nor do records from before a subscription began, for that subscription.

        Returns
        -------
        How the record relates to what is known, and the deliveries to log.
        """
        news = self.known.tell(alert)
        written: list[Delivery] = []
        if news in (News.NEW, News.WORSE):
            for name, subscription in self.book.subscriptions.items():
                concerned = since is None or (since <= at and subscription.began <= at)
                if concerned and self.book.is_active(name):
                    self._owe_firing(subscription, alert, at, mono)
        elif news is News.RESOLVED:
            for subscription in self.book.subscriptions.values():
                waiting = owe_resolved(self.book, self.gathering.by_id, subscription, alert, at)
                if waiting is not None:
                    written += self._on(waiting, at, mono)
        return news, written

    def subscription(self, name: str, now: float, mono: float) -> None:
        """Create deliveries of firing alerts that a subscription lacks: after a start, a change or a take-over."""
        subscription = self.book.subscription(name)
        if subscription is not None and self.book.is_active(name):
            for alert in self.known.firing():
                self._owe_firing(subscription, alert, now, mono)

    def settled(self, deliveries: list[Delivery], now: float, mono: float) -> list[Delivery]:
        """Continue the resolved notices that waited for these deliveries; returns the deliveries to log."""
        written: list[Delivery] = []
        for delivery in deliveries:
            waiting = waiting_for(self.book, delivery) if delivery.status is Status.FIRING else None
            if waiting is not None:
                written += self._on(waiting, now, mono, already_written=True)
        return written

    def written(self, deliveries: list[Delivery], now: float, mono: float) -> list[Delivery]:
        """Continue notices just logged as waiting: their firing may have been settled during the write.

        Returns
        -------
        The deliveries to log.
        """
        waiting = [delivery for delivery in deliveries if delivery.state is State.WAITING]
        return [each for delivery in waiting for each in self._on(delivery, now, mono, already_written=True)]

    def replays(self, now: float, mono: float) -> list[Delivery]:
        """Carry out the requested replays; returns the deliveries to log."""
        asked = [delivery for delivery in self.book.asked_again() if delivery.id not in self.gathering.by_id]
        written: list[Delivery] = []
        for delivery in sorted(asked, key=lambda each: (each.status is Status.RESOLVED, each.created_at)):
            again = replayed(delivery, now)
            if again.state is State.PENDING:
                self.gathering.add(again, mono)
            else:
                written += self._on(again, now, mono)
        return written

    def recover(self, now: float, mono: float) -> list[Delivery]:
        """Continue the waiting notices of the log at a take-over; returns the deliveries to log."""
        waiting = [delivery for delivery in self.book.deliveries.values() if delivery.state is State.WAITING]
        return [each for delivery in waiting for each in self._on(delivery, now, mono, already_written=True)]

    def _owe_firing(self, subscription: Subscription, alert: Alert, at: float, mono: float) -> None:
        owed = owe_firing(self.book, self.gathering.by_id, subscription, alert, at)
        if owed is not None:
            self.gathering.add(owed, mono)

    def _on(self, waiting: Delivery, now: float, mono: float, *, already_written: bool = False) -> list[Delivery]:
        after = settle_waiting(self.book, self.gathering.by_id, waiting, now)
        if after.state is State.PENDING:
            self.gathering.add(after, mono)
            return []
        return [] if already_written and after.state is State.WAITING else [after]
