"""Grouping: what is owed to one subscription within a moment becomes one message. Pure.

A message holds alerts of one arena and one status, so that what is true of the message is true of each.
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
    """Which group a delivery goes into."""
    return delivery.subscription, delivery.arena, delivery.status


@dataclass(slots=True)
class Gathering:
    """Deliveries that are owed and not in a message yet.

    Parameters
    ----------
    seconds
        A message is closed so long after its first alert.
    size
        Most alerts in a message; a full one is closed at once.
    """

    seconds: float
    size: int
    by_id: dict[str, Delivery] = field(default_factory=dict)
    _groups: dict[Group, list[str]] = field(default_factory=dict)
    _closes: dict[Group, float] = field(default_factory=dict)

    def add(self, delivery: Delivery, now: float) -> None:
        """Put a delivery into its group; `now` is monotonic time."""
        if delivery.id in self.by_id:
            return
        group = group_of(delivery)
        self.by_id[delivery.id] = delivery
        self._groups.setdefault(group, []).append(delivery.id)
        self._closes.setdefault(group, now + self.seconds)

    def close(self, now: float) -> list[list[Delivery]]:
        """Take out what is due, message by message, none larger than `size`."""
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
        """Forget what is gathered for a subscription."""
        for group in [group for group in self._groups if group[0] == subscription]:
            for name in self._groups.pop(group):
                del self.by_id[name]
            del self._closes[group]


def message_id(members: Iterable[Delivery]) -> str:
    """Name a message by what is in it, replays apart."""
    words = b"\xff".join(f"{member.id}/{member.round}".encode() for member in members)
    return f"msg_{hashlib.sha256(words).hexdigest()[:32]}"


def seal(members: list[Delivery], now: float) -> list[Delivery]:
    """Write the message's id into its members: from here on they stay together, in every attempt."""
    message = message_id(members)
    return [
        msgspec.structs.replace(
            member, state=State.PENDING, message=message, attempt=0, next_at=now, changed_at=now, answer=None
        )
        for member in members
    ]
