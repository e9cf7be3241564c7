"""The subscription: who is notified of which alerts, and how; one record of the `subscriptions` topic."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.contracts.alert import Kind, Severity
from streams.contracts.vote import ARENA_PATTERN, ModelName

SEVERITIES = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
"""From least to worst."""

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Names = Annotated[tuple[ModelName, ...], Meta(max_length=100)]


class ChannelType(StrEnum):
    """How a message is sent."""

    WEBHOOK = "webhook"
    """A POST in the shape of Alertmanager's webhook, signed by the Standard Webhooks convention."""
    APPRISE = "apprise"
    """Slack, Discord, e-mail and others, as an Apprise URL."""
    ALERTMANAGER = "alertmanager"
    """Alertmanager's own API; an alert is sent again while it fires."""


class Activity(StrEnum):
    """Whether anything is sent."""

    ACTIVE = "active"
    """Alerts are sent."""
    DISABLED = "disabled"
    """Nothing is sent; `reason` says why. Earlier deliveries are held."""
    UNCONFIRMED = "unconfirmed"
    """Nothing is sent until the recipient of the e-mail agrees; then it becomes active.

    A value of its own, although `consent` shows the same: a herald that knows neither skips the record.
    """


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which alerts: every given field must match, and an empty field matches all.

    `models` and `providers` are about the alert's subject: an alert of another subject does not match them; with both
    given, either is enough. Names are stored and compared in their normal form; older records have them as given.
    """

    arena: Annotated[str, Meta(extra_json_schema={"pattern": ARENA_PATTERN})] | None = None
    kinds: Annotated[tuple[Kind, ...], Meta(max_length=len(Kind))] = ()
    severity: Annotated[Severity, Meta(description="The least.")] = Severity.INFO
    models: Names = ()
    providers: Names = ()


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """A signing secret, `whsec_` and base64; `until` is when signing with it ends, epoch seconds."""

    text: str
    until: float | None = None

    def __repr__(self) -> str:
        """Hide the secret, which could end up in a log."""
        return f"Secret('whsec_…', until={self.until})"


class Channel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to reach the subscriber.

    `secrets` and `headers` are those of a webhook; two secrets sign while one replaces the other.
    """

    type: ChannelType
    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    secrets: tuple[Secret, ...] = ()
    headers: dict[str, str] = {}

    def __repr__(self) -> str:
        """Show the type alone: URL and headers may hold tokens."""
        return f"Channel({self.type.value})"


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether the recipient of an e-mail subscription agreed to it. Times are epoch seconds."""

    token: Annotated[str | None, Meta(description="SHA-256, in hex, of the token in the last link; none: no link.")] = (
        None
    )
    asked_at: Annotated[float, Meta(description="When the last link was made.")]
    confirmed_at: Annotated[float | None, Meta(description="When the recipient agreed; none: it has not.")] = None

    def __repr__(self) -> str:
        """Show the times alone."""
        return f"Consent(asked_at={self.asked_at}, confirmed_at={self.confirmed_at})"


class Subscription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of the `subscriptions` topic; without value, it is deleted. Times are epoch seconds."""

    id: Annotated[str, Meta(description="Also the record key.")]
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    owner: Annotated[str, Meta(description="Name of the bearer key that it belongs to.")]
    match: Match
    channel: Channel
    status: Activity = Activity.ACTIVE
    reason: str | None = None
    revision: Annotated[int, Meta(ge=1, description="Counts the changes.")] = 1
    created_at: float
    updated_at: float
    since: Annotated[
        float | None,
        Meta(
            description="When it was made, was confirmed, `match` changed or it became active last; without it, "
            "`updated_at` holds."
        ),
    ] = None
    consent: Annotated[
        Consent | None,
        Meta(
            description="The recipient's, of e-mail. Without it nothing has to be confirmed: no e-mail is sent, or the "
            "record is older than the question."
        ),
    ] = None

    @property
    def began(self) -> float:
        """Start of the subscription: later alerts are delivered, firing or not; for old records, their last change."""
        return self.updated_at if self.since is None else self.since

    @property
    def is_unconfirmed(self) -> bool:
        """Whether a recipient has to agree before anything is sent."""
        return self.consent is not None and self.consent.confirmed_at is None


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Subscription).decode


def encode_subscription(subscription: Subscription) -> bytes:
    """Encode a subscription."""
    return _encode(subscription)


def decode_subscription(value: bytes) -> Subscription:
    """Decode a subscription; raises `msgspec.MsgspecError`."""
    return _decode(value)
