"""What is owed: the deliveries that alerts and subscriptions come to. Pure.

Firing is owed to every active subscription that matches, once for an alert and once more when it becomes worse.
Resolved is owed to whom the firing was owed, and goes out when that has been delivered.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from services.herald.rules.delivery_state import Book
from services.herald.rules.matching import at_least, matches
from streams.contracts.alert import Alert, Severity, Status
from streams.contracts.delivery import SETTLED, Delivery, State, delivery_id
from streams.contracts.subscription import SEVERITIES, Subscription

Gathered = Mapping[str, Delivery]
"""Owed and not written yet, by id."""


def owe_firing(book: Book, gathered: Gathered, subscription: Subscription, alert: Alert, at: float) -> Delivery | None:
    """Delivery of an alert that fires, unless it is owed already or not asked for. `at` is since when it is owed."""
    if not matches(subscription.match, alert):
        return None
    for severity in at_least(alert.severity):
        name = delivery_id(subscription.id, alert.id, Status.FIRING, severity)
        if name in book.deliveries or name in gathered:
            return None
    return _new(subscription, alert, State.PENDING, at)


def owe_resolved(
    book: Book, gathered: Gathered, subscription: Subscription, alert: Alert, at: float
) -> Delivery | None:
    """Delivery of the end of an alert, for whom the beginning was owed; it waits for that."""
    name = delivery_id(subscription.id, alert.id, Status.RESOLVED, alert.severity)
    if name in book.deliveries or name in gathered:
        return None
    if not _firings(book, gathered, subscription.id, alert.id):
        return None
    return _new(subscription, alert, State.WAITING, at)


def settle_waiting(book: Book, gathered: Gathered, waiting: Delivery, now: float) -> Delivery:
    """Say what becomes of a resolved notice that waits: on its way, skipped, or the same when it waits on."""
    firings = _firings(book, gathered, waiting.subscription, waiting.alert)
    if any(firing.state not in SETTLED for firing in firings):
        return waiting
    told = any(firing.state is State.DELIVERED for firing in firings)
    return msgspec.structs.replace(waiting, state=State.PENDING if told else State.SKIPPED, changed_at=now)


def replayed(delivery: Delivery, now: float) -> Delivery:
    """A delivery that failed, in its next round: a message of its own, with all its attempts before it."""
    state = State.WAITING if delivery.status is Status.RESOLVED else State.PENDING
    return msgspec.structs.replace(
        delivery, state=state, round=delivery.round + 1, attempt=0, message=None, next_at=None, changed_at=now
    )


def waiting_for(book: Book, firing: Delivery) -> Delivery | None:
    """The resolved notice of the same alert and subscription, when it waits."""
    name = delivery_id(firing.subscription, firing.alert, Status.RESOLVED, firing.severity)
    found = book.deliveries.get(name)
    return found if found is not None and found.state is State.WAITING else None


def got_firing(book: Book, subscription: str, alert: str) -> bool:
    """Whether the beginning of an alert has been delivered."""
    return any(firing.state is State.DELIVERED for firing in _firings(book, {}, subscription, alert))


def _firings(book: Book, gathered: Gathered, subscription: str, alert: str) -> list[Delivery]:
    names = [delivery_id(subscription, alert, Status.FIRING, severity) for severity in SEVERITIES]
    found = [gathered.get(name) or book.deliveries.get(name) for name in names]
    return [delivery for delivery in found if delivery is not None]


def _new(subscription: Subscription, alert: Alert, state: State, at: float) -> Delivery:
    return Delivery(
        id=delivery_id(subscription.id, alert.id, alert.status, Severity(alert.severity)),
        subscription=subscription.id,
        channel=subscription.channel.type,
        alert=alert.id,
        arena=alert.arena,
        kind=alert.kind,
        severity=alert.severity,
        status=alert.status,
        state=state,
        created_at=at,
        changed_at=at,
        body=alert,
    )
