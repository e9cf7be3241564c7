"""The state machine: how the outcome of an attempt changes the deliveries of its message. Pure."""

from __future__ import annotations

import msgspec

from services.herald.rules.backoff import Backoff
from services.herald.rules.consent import DAY
from services.herald.rules.dedup import AlertDedup
from services.herald.rules.delivery_state import Book
from streams.contracts.delivery import SETTLED, Answer, Delivery, Outcome, State


def settle(members: list[Delivery], answer: Answer, backoff: Backoff) -> list[Delivery]:
    """Deliveries after an attempt: delivered, pending with the time of the next attempt, or dead.

    Parameters
    ----------
    members
        Deliveries of one message, before the attempt.
    answer
        Outcome of the attempt.
    backoff
        Waits between attempts.
    """
    attempt = members[0].attempt + 1
    now = answer.at
    if answer.outcome is Outcome.DELIVERED:
        state, next_at = State.DELIVERED, None
    elif answer.outcome is Outcome.GONE:
        state, next_at = State.DEAD, None
    else:
        wait = backoff.wait(members[0].message or "", attempt, answer.retry_after)
        state, next_at = (State.DEAD, None) if wait is None else (State.PENDING, now + wait)
    return [
        msgspec.structs.replace(
            member,
            state=state,
            attempt=attempt,
            next_at=next_at,
            changed_at=now,
            answer=answer,
            body=None if state is State.DELIVERED else member.body,
        )
        for member in members
    ]


def forgettable(book: Book, known: AlertDedup, now: float, seconds: float, most: int) -> list[str]:
    """Keys to tombstone: long settled deliveries of resolved alerts, orphans, and confirmation requests a day old.

    Parameters
    ----------
    seconds
        How long settled deliveries are kept.
    most
        Most keys to return.
    """
    keys: list[str] = []
    for delivery in book.deliveries.values():
        orphan = delivery.subscription not in book.subscriptions
        old = delivery.state in SETTLED and max(delivery.changed_at, delivery.created_at) < now - seconds
        if orphan or (old and not known.fires(delivery.alert)):
            keys.append(delivery.id)
            if delivery.id in book.replays:
                keys.append(f"replay/{delivery.id}")
        if len(keys) >= most:
            return keys[:most]
    keys += [f"disabled/{name}" for name in book.disabled if name not in book.subscriptions]
    keys += [f"replay/{name}" for name in book.replays if name not in book.deliveries]
    keys += [f"asked/{name}" for name, asked in book.asked.items() if asked.at < now - DAY]
    return list(dict.fromkeys(keys))[:most]
