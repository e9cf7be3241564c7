"""The delivery: an alert to be sent to a subscription, and its outcome; records of the `deliveries` topic.

The topic is the notification log and the retry queue in one: the newest record of each key is the state of that key.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.contracts.alert import Alert, Kind, Severity, Status
from streams.contracts.subscription import ChannelType


class State(StrEnum):
    """Where a delivery is in its life."""

    WAITING = "waiting"
    """A resolved notice whose firing has not been delivered yet."""
    PENDING = "pending"
    """In a message that is to be sent at `next_at`."""
    DELIVERED = "delivered"
    """The endpoint acknowledged it."""
    DEAD = "dead"
    """Given up, after the last retry or on the endpoint's word; it can be replayed."""
    SKIPPED = "skipped"
    """A resolved notice that is not sent, because its firing was never delivered; it can be replayed with it."""


class Outcome(StrEnum):
    """Outcome of one attempt: a closed set for records, metrics and answers."""

    DELIVERED = "delivered"
    """2xx, or the service took it."""
    REJECTED = "rejected"
    """Any other status."""
    REDIRECTED = "redirected"
    """3xx: redirects are not followed."""
    THROTTLED = "throttled"
    """429."""
    GONE = "gone"
    """410: the endpoint wants no more; the subscription is disabled."""
    TIMEOUT = "timeout"
    """No answer in time."""
    UNREACHABLE = "unreachable"
    """No connection, or no such host."""
    TLS = "tls"
    """The certificate or the handshake is not right."""
    REFUSED = "refused"
    """The address is not one that we deliver to."""
    MISCONFIGURED = "misconfigured"
    """The channel cannot be used as it is: a secret or URL that cannot be read, or no SMTP server set."""
    FAILED = "failed"
    """The service behind Apprise did not accept it, without a reason; or sending raised an unexpected error."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one attempt came to. `retry_after` is in seconds, `detail` one sentence without secrets."""

    outcome: Outcome
    at: float
    seconds: float
    status: int | None = None
    detail: str = ""
    retry_after: float | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delivery"):
    """One alert owed to one subscription. Key: `id`. Without value it is forgotten. Times are epoch seconds.

    Deliveries with the same `message` are sent together, and `message` is the webhook's id in every attempt.
    """

    id: str
    subscription: str
    channel: ChannelType
    alert: Annotated[str, Meta(description="The alert's id.")]
    arena: str
    kind: Kind
    severity: Severity
    status: Status
    state: State
    created_at: Annotated[float, Meta(description="Record time of the alert, or when it came to be owed.")]
    changed_at: float
    message: str | None = None
    attempt: Annotated[int, Meta(description="Attempts so far in this round.")] = 0
    next_at: float | None = None
    round: Annotated[int, Meta(description="How often it was replayed.")] = 0
    answer: Answer | None = None
    body: Annotated[
        Alert | None, Meta(description="The alert as told; left out once delivered, or when it is too large.")
    ] = None
    by: Annotated[str, Meta(description="The herald that wrote this.")] = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="claim"):
    """The herald that delivers from here on. Key: `claim`. `released`: it has stopped, and no attempt is under way."""

    by: str
    at: float
    released: bool = False


class Disabled(msgspec.Struct, frozen=True, kw_only=True, tag="disabled"):
    """The herald disabled this revision of a subscription. Key: `disabled/<subscription>`."""

    subscription: str
    revision: int
    reason: str
    at: float


class Blocked(msgspec.Struct, frozen=True, kw_only=True, tag="blocked"):
    """The operator disabled a subscription, whatever its owner changes. Key: `blocked/<subscription>`."""

    subscription: str
    reason: str
    at: float


class Replay(msgspec.Struct, frozen=True, kw_only=True, tag="replay"):
    """The owner wants a delivery that failed sent again. Key: `replay/<delivery>`. Obeyed once: it names the round."""

    delivery: str
    round: int
    at: float


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag="asked"):
    """A recipient is asked to confirm a subscription. Key: `asked/<id>`. Written before the message; counted for a day.

    It outlives its subscription: deleting and recreating a subscription must not reset the count.
    """

    id: str
    mailbox: Annotated[str, Meta(description="SHA-256, in hex, of the address as one mailbox is written.")]
    owner: Annotated[str, Meta(description="Name of the bearer key that asks.")]
    at: float


Record = Delivery | Claim | Disabled | Blocked | Replay | Asked

SETTLED = (State.DELIVERED, State.DEAD, State.SKIPPED)
"""Final states: nothing more is sent unless the owner requests a replay."""


def is_replayable(delivery: Delivery) -> bool:
    """Whether a delivery has failed and can be sent again; without a stored alert (too large) it cannot."""
    return delivery.state in (State.DEAD, State.SKIPPED) and delivery.body is not None


def delivery_id(subscription: str, alert: str, status: Status, severity: Severity) -> str:
    """Id of a delivery: the same for a repeat of an alert, another for a worse severity; one for the alert's end.

    >>> delivery_id("s", "a", Status.FIRING, Severity.WARNING)
    'e15b92a1dc66ae38c3e1f5f7c61e69de'
    """
    worst = severity.value if status is Status.FIRING else ""
    words = b"\xff".join(word.encode() for word in (subscription, alert, status.value, worst))
    return hashlib.sha256(words).hexdigest()[:32]


CLAIM_KEY = "claim"


def record_key(record: Record) -> str:
    """Key of a record."""
    match record:
        case Delivery():
            return record.id
        case Claim():
            return CLAIM_KEY
        case Disabled():
            return f"disabled/{record.subscription}"
        case Blocked():
            return f"blocked/{record.subscription}"
        case Replay():
            return f"replay/{record.delivery}"
        case Asked():
            return f"asked/{record.id}"


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Record).decode


def encode_record(record: Record) -> bytes:
    """Encode a record of the topic."""
    return _encode(record)


def decode_record(value: bytes) -> Record:
    """Decode a record of the topic; raises `msgspec.MsgspecError`."""
    found: Record = _decode(value)
    return found
