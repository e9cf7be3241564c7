"""How the API shows subscriptions and deliveries: without secrets, tokens and header values. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import asdict
from yarl import URL

from services.herald.rules.consent import LINK_SECONDS, as_confirmed
from streams.contracts.alert import Kind, Severity, Status
from streams.contracts.delivery import Answer, Delivery, Outcome, State
from streams.contracts.subscription import Activity, Channel, ChannelType, Match, Subscription

HIDDEN = "…"


class ShownChannel(msgspec.Struct, frozen=True):
    """A channel without what is secret: of a webhook's URL the query is hidden, of Apprise's all but the service."""

    type: ChannelType
    url: str
    headers: list[str]
    secrets: int

    @property
    def place(self) -> str:
        """Scheme and host without the path: for many services the path is the token."""
        scheme, slashes, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}" if slashes else self.url


class ShownConsent(msgspec.Struct, frozen=True):
    """When the recipient of e-mail was asked last, until when that link holds, and when it agreed."""

    asked_at: float
    asked_until: float
    confirmed_at: float | None


class ShownSubscription(msgspec.Struct, frozen=True):
    """A subscription as its owner sees it; `consent` is null where nobody has to confirm. Times are epoch seconds."""

    id: str
    name: str
    match: Match
    channel: ShownChannel
    status: Activity
    reason: str | None
    revision: int
    created_at: float
    updated_at: float
    consent: ShownConsent | None


class ChangedSubscription(ShownSubscription, frozen=True):
    """The same after it was made or changed; `warnings` are sentences about names in `match` that no arena shows."""

    warnings: list[str]


class SentConfirmation(msgspec.Struct, frozen=True):
    """What came of sending the recipient the link by which the subscription is confirmed."""

    outcome: Outcome
    detail: str


class NewSubscription(ChangedSubscription, frozen=True):
    """The same with the secret, which is shown this once; `confirmation` is null unless a link was sent."""

    secret: str | None
    confirmation: SentConfirmation | None


class Subscriptions(msgspec.Struct, frozen=True):
    """All subscriptions of a key."""

    subscriptions: list[ShownSubscription]


class ShownDelivery(msgspec.Struct, frozen=True):
    """One alert owed to the subscription, and where it stands. Times are epoch seconds."""

    id: str
    alert: str
    arena: str
    kind: Kind
    severity: Severity
    status: Status
    state: State
    message: str | None
    attempts: int
    replays: int
    created_at: float
    changed_at: float
    next_at: float | None
    answer: Answer | None


class Deliveries(msgspec.Struct, frozen=True):
    """Deliveries of a subscription, newest first. `total` counts those that were left out, too."""

    deliveries: list[ShownDelivery]
    total: int


class TestAnswer(msgspec.Struct, frozen=True):
    """What the endpoint said to one test message."""

    __test__ = False  # pytest must not collect it

    outcome: Outcome
    status: int | None
    detail: str
    seconds: float


class NewSecret(msgspec.Struct, frozen=True):
    """The new secret, shown this once; the one before signs until `before_until`, epoch seconds."""

    secret: str
    before_until: float


class Replayed(msgspec.Struct, frozen=True):
    """How many deliveries will be sent again."""

    replayed: int


def show_subscription(subscription: Subscription) -> ShownSubscription:
    """Show a subscription."""
    subscription = as_confirmed(subscription)
    consent = subscription.consent
    return ShownSubscription(
        id=subscription.id,
        name=subscription.name,
        match=subscription.match,
        channel=show_channel(subscription.channel),
        status=subscription.status,
        reason=subscription.reason,
        revision=subscription.revision,
        created_at=subscription.created_at,
        updated_at=subscription.updated_at,
        consent=None
        if consent is None
        else ShownConsent(consent.asked_at, consent.asked_at + LINK_SECONDS, consent.confirmed_at),
    )


def show_changed(subscription: Subscription, warnings: list[str]) -> ChangedSubscription:
    """Show a subscription that has just been changed."""
    return ChangedSubscription(**asdict(show_subscription(subscription)), warnings=warnings)


def show_new(subscription: Subscription, warnings: list[str], sent: Answer | None) -> NewSubscription:
    """Show a new or moved subscription with its secret; `sent` is the outcome of mailing the link."""
    secrets = subscription.channel.secrets
    return NewSubscription(
        **asdict(show_changed(subscription, warnings)),
        secret=secrets[0].text if secrets else None,
        confirmation=None if sent is None else show_sent(sent),
    )


def show_sent(sent: Answer) -> SentConfirmation:
    """Show the outcome of mailing the link."""
    return SentConfirmation(sent.outcome, sent.detail)


def show_delivery(delivery: Delivery) -> ShownDelivery:
    """Show a delivery."""
    return ShownDelivery(
        id=delivery.id,
        alert=delivery.alert,
        arena=delivery.arena,
        kind=delivery.kind,
        severity=delivery.severity,
        status=delivery.status,
        state=delivery.state,
        message=delivery.message,
        attempts=delivery.attempt,
        replays=delivery.round,
        created_at=delivery.created_at,
        changed_at=delivery.changed_at,
        next_at=delivery.next_at,
        answer=delivery.answer,
    )


def show_channel(channel: Channel) -> ShownChannel:
    """Show a channel."""
    if channel.type is ChannelType.APPRISE:
        scheme, _, rest = channel.url.partition(":")
        url = channel.url if scheme == "mailto" else f"{scheme}://{HIDDEN}" if rest else HIDDEN
    else:
        try:
            url = str(URL(channel.url).with_query(None)) + (f"?{HIDDEN}" if "?" in channel.url else "")
        except ValueError:  # written to the topic by another client
            url = HIDDEN
    return ShownChannel(channel.type, url, sorted(channel.headers), len(channel.secrets))
