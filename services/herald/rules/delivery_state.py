"""The book: what the topics `subscriptions` and `deliveries` come to, record by record. Pure.

The newest record of a key is its state, with one exception: a delivery never goes back. A herald that was frozen may
write, when it wakes, what was true before, and a batch that a client sent twice may come late; such a record is not
taken, and named when it lies behind the true one, so that the owner writes that after it (compaction keeps the last).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from services.herald.rules.consent import as_confirmed
from streams.contracts.delivery import (
    CLAIM_KEY,
    Asked,
    Blocked,
    Claim,
    Delivery,
    Disabled,
    Record,
    Replay,
    State,
    is_replayable,
    record_key,
)
from streams.contracts.subscription import Activity, Subscription

_ORDER = {State.WAITING: 0, State.PENDING: 1, State.SKIPPED: 2, State.DEAD: 2, State.DELIVERED: 3}


def progress(delivery: Delivery) -> tuple[int, int, int]:
    """How far a delivery is: round, state, attempts; it only grows."""
    return delivery.round, _ORDER[delivery.state], delivery.attempt


def _goes_back(record: Delivery, known: Delivery) -> bool:
    """Whether a record says less than what is known, or puts a delivery into a message that another herald made."""
    elsewhere = record.by != known.by and record.message != known.message
    return progress(record) < progress(known) or (elsewhere and progress(record) == progress(known))


@dataclass(slots=True)
class Book:
    """All that is known; nothing but the topics goes into it."""

    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    of: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of deliveries by subscription."""
    at: dict[str, int] = field(default_factory=dict)
    """Offset of the record that says where a delivery stands."""
    disabled: dict[str, Disabled] = field(default_factory=dict)
    blocked: dict[str, Blocked] = field(default_factory=dict)
    hears: Callable[[Subscription], bool] = lambda _: True
    """Whether the owner of a subscription may hear of what it asks for: its key may be gone."""
    replays: dict[str, Replay] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    """Who was asked to confirm, in the order of the topic."""
    claim: Claim | None = None

    def take_subscription(self, key: str, subscription: Subscription | None) -> None:
        """Take in a record of `subscriptions`; `None` deletes."""
        if subscription is None:
            self.subscriptions.pop(key, None)
        else:
            self.subscriptions[key] = subscription

    def take(self, key: str, record: Record | None, offset: int) -> bool:
        """Take in a record of `deliveries`; `None` forgets.

        A herald takes its own record when Kafka acknowledges it, and reads the same record later. A record of a
        delivery at or before the offset that is already applied changes nothing, unless it is further along.

        Returns
        -------
        Whether the record goes back and lies behind the one that says where the delivery stands: the owner must write
        that one again, because compaction keeps the last record of a key.
        """
        match record:
            case None:
                self._forget(key, offset)
            case Delivery():
                known = self.deliveries.get(record.id)
                if known is not None:
                    if offset <= self.at[record.id] and progress(record) <= progress(known):
                        return False
                    if _goes_back(record, known):
                        return True
                if known is not None and known.subscription != record.subscription:
                    self._leave(known)
                self.deliveries[record.id] = record
                self.at[record.id] = offset
                self.of[record.subscription].add(record.id)
            case Claim():
                # A release ends its writer's own claim. One that lay in a frozen herald's producer, and comes behind
                # another's claim, ends nothing.
                if not record.released or self.claim is None or self.claim.by == record.by:
                    self.claim = record
            case Disabled():
                self.disabled[record.subscription] = record
            case Blocked():
                self.blocked[record.subscription] = record
            case Replay():
                self.replays[record.delivery] = record
            case Asked():
                self.asked.setdefault(record.id, record)
        return False

    def _forget(self, key: str, offset: int) -> None:
        kind, _, name = key.rpartition("/")
        if kind == "disabled":
            self.disabled.pop(name, None)
        elif kind == "blocked":
            self.blocked.pop(name, None)
        elif kind == "replay":
            self.replays.pop(name, None)
        elif kind == "asked":
            self.asked.pop(name, None)
        elif key == CLAIM_KEY:
            self.claim = None
        elif self.at.get(key, offset) <= offset and (gone := self.deliveries.pop(key, None)) is not None:
            del self.at[key]
            self._leave(gone)

    def _leave(self, delivery: Delivery) -> None:
        ids = self.of[delivery.subscription]
        ids.discard(delivery.id)
        if not ids:
            del self.of[delivery.subscription]

    def subscription(self, name: str) -> Subscription | None:
        """The subscription as it holds: with what the operator or the herald disabled, unconfirmed, without a key."""
        found = self.subscriptions.get(name)
        if found is None:
            return None
        if name in self.blocked:
            reason = f"disabled by the operator: {self.blocked[name].reason}"
        elif self.is_marked(name):
            reason = self.disabled[name].reason
        elif not self.hears(found):
            reason = "the key that it belongs to is gone, or may not hear of this"
        else:
            return as_confirmed(found)
        return msgspec.structs.replace(found, status=Activity.DISABLED, reason=reason)

    def is_marked(self, name: str) -> bool:
        """Whether the herald has disabled a subscription as it is; any change of its owner ends that."""
        found, mark = self.subscriptions.get(name), self.disabled.get(name)
        return found is not None and mark is not None and mark.revision == found.revision

    def is_active(self, name: str) -> bool:
        """Whether a subscription is there and nothing disabled it."""
        found = self.subscription(name)
        return found is not None and found.status is Activity.ACTIVE

    def deliveries_of(self, subscription: str) -> list[Delivery]:
        """Deliveries of a subscription, oldest first."""
        found = [self.deliveries[name] for name in self.of.get(subscription, ())]
        return sorted(found, key=lambda delivery: (delivery.created_at, delivery.id))

    def asked_again(self) -> list[Delivery]:
        """Deliveries that are to be replayed, and have not been."""
        return [
            delivery
            for replay in self.replays.values()
            if (delivery := self.deliveries.get(replay.delivery)) is not None
            and is_replayable(delivery)
            and delivery.round < replay.round
        ]


def keyed(records: list[Record]) -> list[tuple[str, Record | None]]:
    """Records with their keys."""
    return [(record_key(record), record) for record in records]
