"""The state of subscriptions and deliveries: the fold of the topics `subscriptions` and `deliveries`. Pure.

The newest record of a key is its state, with one exception: a delivery never goes back. A frozen herald may write an
old state when it wakes up, and a batch that a client sent twice may arrive late. Such a stale record is not applied. If
it lies behind the true one, `take` reports it, and the leader writes the true state again, because compaction keeps the
last record.
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
    """Progress of a delivery as (round, state, attempts). It only increases."""
    return delivery.round, _ORDER[delivery.state], delivery.attempt


def _goes_back(record: Delivery, known: Delivery) -> bool:
    """Whether a record has less progress, or moves the delivery into a message that another herald made."""
    elsewhere = record.by != known.by and record.message != known.message
    return progress(record) < progress(known) or (elsewhere and progress(record) == progress(known))


@dataclass(slots=True)
class Book:
    """Everything that the two topics say."""

    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    of: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of deliveries by subscription."""
    at: dict[str, int] = field(default_factory=dict)
    """Offset of the record that each delivery's state comes from."""
    disabled: dict[str, Disabled] = field(default_factory=dict)
    blocked: dict[str, Blocked] = field(default_factory=dict)
    is_allowed: Callable[[Subscription], bool] = lambda _: True
    """Whether the owner's key still allows a subscription."""
    replays: dict[str, Replay] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    """Confirmation requests, in the order of the topic."""
    claim: Claim | None = None

    def take_subscription(self, key: str, subscription: Subscription | None) -> None:
        """Apply a record of `subscriptions`; `None` deletes."""
        if subscription is None:
            self.subscriptions.pop(key, None)
        else:
            self.subscriptions[key] = subscription

    def take(self, key: str, record: Record | None, offset: int) -> bool:
        """Apply a record of `deliveries`; `None` is a tombstone.

        A herald applies its own record when Kafka acknowledges it, and reads the same record later. A record of a
        delivery at or before the applied offset changes nothing, unless it has more progress.

        Returns
        -------
        Whether a stale record lies behind the true one: the leader must write the true one again, because compaction
        keeps the last record of a key.
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
                # A release ends only the claim of its own writer. A frozen herald's release may arrive late, behind
                # another herald's claim.
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
        """The subscription with its effective status: disabled by operator, herald or lost key, or unconfirmed."""
        found = self.subscriptions.get(name)
        if found is None:
            return None
        if name in self.blocked:
            reason = f"disabled by the operator: {self.blocked[name].reason}"
        elif self.is_marked(name):
            reason = self.disabled[name].reason
        elif not self.is_allowed(found):
            reason = "its key was removed, or may not get these alerts"
        else:
            return as_confirmed(found)
        return msgspec.structs.replace(found, status=Activity.DISABLED, reason=reason)

    def is_marked(self, name: str) -> bool:
        """Whether the herald has disabled this revision of a subscription. A change by its owner enables it again."""
        found, mark = self.subscriptions.get(name), self.disabled.get(name)
        return found is not None and mark is not None and mark.revision == found.revision

    def is_active(self, name: str) -> bool:
        """Whether a subscription exists and its effective status is active."""
        found = self.subscription(name)
        return found is not None and found.status is Activity.ACTIVE

    def deliveries_of(self, subscription: str) -> list[Delivery]:
        """Deliveries of a subscription, oldest first."""
        found = [self.deliveries[name] for name in self.of.get(subscription, ())]
        return sorted(found, key=lambda delivery: (delivery.created_at, delivery.id))

    def asked_again(self) -> list[Delivery]:
        """Deliveries with a replay request that has not been carried out."""
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
