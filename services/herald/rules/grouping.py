"""Grouping: deliveries to one subscription within a short time become one message. Pure.

All alerts of a message have the same arena and status, so both can be stated once for the message.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from streams.contracts.alert import Status
from streams.contracts.delivery import Delivery, State

Group = tuple[str, str, Status]
"""Subscription, arena, status."""


def group_of(delivery: Delivery) -> Group:
    """The group of a delivery."""
    return delivery.subscription, delivery.arena, delivery.status


@dataclass(slots=True)
class Gathering:
    """Deliveries that are in no message yet.

    Parameters
    ----------
    seconds
        Time from the first alert of a message until it is closed.
    size
        Most alerts in a message. A full message is closed at once.
    """

    seconds: float
    size: int
    by_id: dict[str, Delivery] = field(default_factory=dict)
    _groups: dict[Group, list[str]] = field(default_factory=dict)
    _closes: dict[Group, float] = field(default_factory=dict)

    def add(self, delivery: Delivery, now: float) -> None:
        """Add a delivery to its group; `now` is monotonic time."""
        if delivery.id in self.by_id:
            return
        group = group_of(delivery)
        self.by_id[delivery.id] = delivery
        self._groups.setdefault(group, []).append(delivery.id)
        self._closes.setdefault(group, now + self.seconds)

    def close(self, now: float) -> list[list[Delivery]]:
        """Remove the groups that are due or full; returns messages of at most `size` deliveries."""
        due = [group for group, at in self._closes.items() if at <= now or len(self._groups[group]) >= self.size]
        messages = []
        for group in due:
            names = self._groups.pop(group)
            del self._closes[group]
            members = [self.by_id.pop(name) for name in names]
            messages += [members[at : at + self.size] for at in range(0, len(members), self.size)]
        return messages

    def next_close(self) -> float:
        """Monotonic time at which the next message closes; infinity when nothing is gathered."""
        return min(self._closes.values(), default=math.inf)

    def drop(self, subscription: str) -> None:
        """Remove everything gathered for a subscription."""
        for group in [group for group in self._groups if group[0] == subscription]:
            for name in self._groups.pop(group):
                del self.by_id[name]
            del self._closes[group]


def message_id(members: Iterable[Delivery]) -> str:
    """Id of a message: a hash of its deliveries and their rounds, so a replay has another id."""
    words = b"\xff".join(f"{member.id}/{member.round}".encode() for member in members)
    return f"msg_{hashlib.sha256(words).hexdigest()[:32]}"


def seal(members: list[Delivery], now: float) -> list[Delivery]:
    """Set the message id in its deliveries. From here on they are sent together in every attempt."""
    message = message_id(members)
    return [
        msgspec.structs.replace(
            member, state=State.PENDING, message=message, attempt=0, next_at=now, changed_at=now, answer=None
        )
        for member in members
    ]
