"""The retry queue: messages ordered by due time. Pure. A message is either in the queue or handed out."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

from services.herald.rules.delivery_state import Book
from streams.contracts.delivery import Delivery, State


@dataclass(slots=True)
class RetryQueue:
    """The retry queue in memory, built from the delivery state."""

    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids of deliveries by message."""
    _heap: list[tuple[float, int, str, str]] = field(default_factory=list)
    _count: int = 0
    _known: set[str] = field(default_factory=set)

    def put(self, deliveries: list[Delivery]) -> None:
        """Queue a message, unless it is queued or handed out already. Its deliveries are updated in any case."""
        first = deliveries[0]
        message = first.message or ""
        self.members[message] = tuple(delivery.id for delivery in deliveries)
        if message not in self._known:
            self._known.add(message)
            self._count += 1  # messages due at the same time leave in FIFO order
            heapq.heappush(self._heap, (first.next_at or 0.0, self._count, message, first.subscription))

    def due(self, now: float) -> list[tuple[str, str]]:
        """Hand out the messages that are due, as (subscription, message), earliest first."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            _, _, message, subscription = heapq.heappop(self._heap)
            found.append((subscription, message))
        return found

    def next_due(self) -> float:
        """Epoch seconds at which the next message is due; infinity when none waits."""
        return self._heap[0][0] if self._heap else math.inf

    def give_back(self, message: str) -> None:
        """Record that a handed-out message is not under way any more, so `put` may queue it again."""
        self._known.discard(message)

    def pending(self, book: Book, message: str) -> list[Delivery]:
        """Deliveries of a message that are still pending, in the order of the message."""
        found = [book.deliveries.get(name) for name in self.members.get(message, ())]
        return [each for each in found if each is not None and each.state is State.PENDING and each.message == message]

    def drop(self, message: str) -> None:
        """Remove a settled message."""
        self.members.pop(message, None)
        self._known.discard(message)


def messages_of(deliveries: list[Delivery]) -> list[list[Delivery]]:
    """Pending deliveries grouped by message, oldest first within a message."""
    found: dict[str, list[Delivery]] = {}
    for delivery in sorted(deliveries, key=lambda each: (each.created_at, each.id)):
        if delivery.state is State.PENDING and delivery.message is not None:
            found.setdefault(delivery.message, []).append(delivery)
    return list(found.values())
