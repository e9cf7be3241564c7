"""Which deliveries an alert and a subscription lead to. Pure.

A firing alert goes to every active subscription that matches, once, and once more each time its severity increases. The
resolved notice goes to each subscription that the firing alert went to, after that has been delivered.
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
"""Deliveries that are gathered and not in the log yet, by id."""


def owe_firing(book: Book, gathered: Gathered, subscription: Subscription, alert: Alert, at: float) -> Delivery | None:
    """Delivery of a firing alert; None if it does not match or exists already. `at` becomes its creation time."""
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
    """Delivery of a resolved notice, waiting for its firing; None if there is no firing, or it exists already."""
    name = delivery_id(subscription.id, alert.id, Status.RESOLVED, alert.severity)
    if name in book.deliveries or name in gathered:
        return None
    if not _firings(book, gathered, subscription.id, alert.id):
        return None
    return _new(subscription, alert, State.WAITING, at)


def settle_waiting(book: Book, gathered: Gathered, waiting: Delivery, now: float) -> Delivery:
    """Next state of a waiting notice: pending if its firing was delivered, skipped if that is dead, else unchanged."""
    firings = _firings(book, gathered, waiting.subscription, waiting.alert)
    if any(firing.state not in SETTLED for firing in firings):
        return waiting
    told = any(firing.state is State.DELIVERED for firing in firings)
    return msgspec.structs.replace(waiting, state=State.PENDING if told else State.SKIPPED, changed_at=now)


def replayed(delivery: Delivery, now: float) -> Delivery:
    """A failed delivery in its next round: it becomes part of a new message and has all attempts again."""
    state = State.WAITING if delivery.status is Status.RESOLVED else State.PENDING
    return msgspec.structs.replace(
        delivery, state=state, round=delivery.round + 1, attempt=0, message=None, next_at=None, changed_at=now
    )


def waiting_for(book: Book, firing: Delivery) -> Delivery | None:
    """The resolved notice that waits for this firing; None if there is none."""
    name = delivery_id(firing.subscription, firing.alert, Status.RESOLVED, firing.severity)
    found = book.deliveries.get(name)
    return found if found is not None and found.state is State.WAITING else None


def got_firing(book: Book, subscription: str, alert: str) -> bool:
    """Whether a firing of this alert has been delivered to the subscription."""
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
