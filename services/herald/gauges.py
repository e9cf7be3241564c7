"""Sets the herald's gauges from the delivery state."""

from __future__ import annotations

from collections import Counter

from services.herald.rules.delivery_state import Book
from services.herald.rules.grouping import Gathering
from streams.contracts.delivery import Delivery, Outcome, State
from streams.contracts.metrics import Metrics
from streams.contracts.subscription import Activity, ChannelType


def prepare(metrics: Metrics) -> None:
    """Create every series that an alert rule or a dashboard panel queries, at zero."""
    for channel in ChannelType:
        for outcome in Outcome:
            metrics.herald_attempts.labels(channel.value, outcome.value)
        for state in (State.DELIVERED, State.DEAD, State.SKIPPED):
            metrics.herald_deliveries.labels(channel.value, state.value)
        metrics.herald_attempt_seconds.labels(channel.value)
        metrics.herald_delivery_seconds.labels(channel.value)
        metrics.herald_pending.labels(channel.value).set(0)
        metrics.herald_held.labels(channel.value).set(0)
        for status in Activity:
            metrics.herald_subscriptions.labels(channel.value, status.value).set(0)


def show(metrics: Metrics, book: Book, gathering: Gathering, now: float) -> None:
    """Set the gauges."""
    pending: Counter[str] = Counter()
    held: Counter[str] = Counter()
    oldest = now
    open_ones: list[Delivery] = [*gathering.by_id.values()]
    open_ones += [
        delivery
        for delivery in book.deliveries.values()
        if delivery.state in (State.PENDING, State.WAITING) and delivery.id not in gathering.by_id
    ]
    for delivery in open_ones:
        if delivery.state is State.WAITING or not book.is_active(delivery.subscription):
            held[delivery.channel.value] += 1
        else:
            pending[delivery.channel.value] += 1
            oldest = min(oldest, delivery.changed_at if delivery.round else delivery.created_at)
    subscriptions: Counter[tuple[str, str]] = Counter()
    for name, subscription in book.subscriptions.items():
        standing = book.subscription(name) or subscription
        subscriptions[subscription.channel.type.value, standing.status.value] += 1
    for channel in ChannelType:
        metrics.herald_pending.labels(channel.value).set(pending[channel.value])
        metrics.herald_held.labels(channel.value).set(held[channel.value])
        for status in Activity:
            metrics.herald_subscriptions.labels(channel.value, status.value).set(
                subscriptions[channel.value, status.value]
            )
    metrics.herald_oldest_seconds.set(max(0.0, now - oldest))
    metrics.herald_entries.set(len(book.deliveries))
