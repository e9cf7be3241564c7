"""Messages by the time at which they are due. Pure; each is in one place at a time: waiting here, or handed out."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

from services.herald.rules.delivery_state import Book
from streams.contracts.delivery import Delivery, State


@dataclass(slots=True)
class RetryQueue:
    """The retry queue in memory; the book is what it is made of."""

    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids of deliveries by message."""
    _heap: list[tuple[float, int, str, str]] = field(default_factory=list)
    _count: int = 0
    _known: set[str] = field(default_factory=set)

    def put(self, deliveries: list[Delivery]) -> None:
        """Put in the deliveries of one message, unless it is here or handed out."""
        first = deliveries[0]
        message = first.message or ""
        self.members[message] = tuple(delivery.id for delivery in deliveries)
        if message not in self._known:
            self._known.add(message)
            self._count += 1  # what is due at the same time goes out as it came in
            heapq.heappush(self._heap, (first.next_at or 0.0, self._count, message, first.subscription))

    def due(self, now: float) -> list[tuple[str, str]]:
        """Hand out what is due: subscription and message, in the order of time."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            _, _, message, subscription = heapq.heappop(self._heap)
            found.append((subscription, message))
        return found

    def next_due(self) -> float:
        """Epoch seconds at which the next message is due; infinity when none waits."""
        return self._heap[0][0] if self._heap else math.inf

    def give_back(self, message: str) -> None:
        """Note that a message that was handed out is not under way any more; it may be put in again."""
        self._known.discard(message)

    def pending(self, book: Book, message: str) -> list[Delivery]:
        """Deliveries of a message that are still to be sent, in its order."""
        found = [book.deliveries.get(name) for name in self.members.get(message, ())]
        return [each for each in found if each is not None and each.state is State.PENDING and each.message == message]

    def drop(self, message: str) -> None:
        """Forget a message that is settled."""
        self.members.pop(message, None)
        self._known.discard(message)


def messages_of(deliveries: list[Delivery]) -> list[list[Delivery]]:
    """Pending deliveries, message by message; those of a message in the order in which they came to be owed."""
    found: dict[str, list[Delivery]] = {}
    for delivery in sorted(deliveries, key=lambda each: (each.created_at, each.id)):
        if delivery.state is State.PENDING and delivery.message is not None:
            found.setdefault(delivery.message, []).append(delivery)
    return list(found.values())
