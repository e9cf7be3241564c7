"""Parses and checks what a subscriber sends. Pure: the new secret and the id are arguments."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from services.herald.channels.signing import InvalidSecret, read_secret
from services.herald.rules.consent import with_consent
from services.http.api_keys import Key
from services.http.errors import Refusal, Refused
from streams.contracts.names import normalised
from streams.contracts.reasons import Reason
from streams.contracts.subscription import Activity, Channel, ChannelType, Match, Name, Secret, Subscription
from streams.contracts.vote import InvalidRecord, decode_json, is_arena, read_name

OVERLAP_SECONDS = 86_400.0
"""How long a replaced secret still signs: one day."""
MOST_HEADERS = 10

Wanted = Literal["active", "disabled"]
"""Status that an owner may set. Only the recipient can confirm."""

Read = TypeVar("Read")

_header_name = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z").match
_header_value = re.compile(r"[\x20-\x7e]{0,1024}\Z").match
_OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer",
         "expect", "proxy-authorization", "webhook-id", "webhook-timestamp", "webhook-signature"}  # fmt: skip


class MatchDraft(Match, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts, as in the record; a name that is not known is refused: misspelt, it would match everything."""


# These only describe the fields in the OpenAPI document. The code below checks them, and names the reason of a refusal.
_URL = {"minLength": 1, "maxLength": 2048, "pattern": r"^[!-\[\]-~]*$"}
_SECRET = {"pattern": "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$"}
_HEADERS = {"maxProperties": MOST_HEADERS, "propertyNames": {"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"}}
_HEADER = {"pattern": r"^[\x20-\x7e]{0,1024}$"}
_Value = Annotated[str, msgspec.Meta(extra_json_schema=_HEADER)]


class ChannelDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach the subscriber. Without `secret`, a webhook keeps the one it has, or gets a new one."""

    type: ChannelType
    url: Annotated[str, msgspec.Meta(extra_json_schema=_URL, description="Of the type; what is refused is named.")]
    secret: (
        Annotated[str, msgspec.Meta(extra_json_schema=_SECRET, description="Of a webhook: base64 of 24 to 64 bytes.")]
        | None
    ) = None
    headers: Annotated[dict[str, _Value], msgspec.Meta(extra_json_schema=_HEADERS)] = {}


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole subscription, as its owner wants it."""

    name: Name
    channel: ChannelDraft
    match: MatchDraft = MatchDraft()
    status: Wanted = "active"


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays. `match` and `channel` are replaced whole."""

    name: Name | None = None
    channel: ChannelDraft | None = None
    match: MatchDraft | None = None
    status: Wanted | None = None


_draft = msgspec.json.Decoder(Draft)
_changes = msgspec.json.Decoder(Changes)


def read_draft(body: bytes) -> Draft:
    """Parse a whole subscription; raises `Refused`."""
    return _read(_draft, body)


def read_changes(body: bytes) -> Changes:
    """Parse a set of changes; raises `Refused`."""
    return _read(_changes, body)


def make(draft: Draft, key: Key, name: str, secret: str, now: float) -> Subscription:
    """Create a subscription; raises `Refused`. `secret` is used if the draft has none."""
    return Subscription(
        id=name,
        name=draft.name,
        owner=key.name,
        match=_match(draft.match, key),
        channel=_channel(draft.channel, None, secret),
        status=Activity(draft.status),
        created_at=now,
        updated_at=now,
        since=now,
    )


def change(before: Subscription, changes: Changes, key: Key, secret: str, now: float, *, marked: bool) -> Subscription:
    """Change a subscription; raises `Refused`. If the herald has disabled it, any change makes it active again.

    Consent belongs to an address: another URL ends it, and every other change keeps it. It does not depend on `match`:
    the recipient was told that the owner may change that, and can withdraw.

    Parameters
    ----------
    before
        The stored subscription.
    marked
        Whether the herald has disabled it.
    """
    match = before.match if changes.match is None else _match(changes.match, key)
    channel = before.channel if changes.channel is None else _channel(changes.channel, before.channel, secret)
    moved = is_moved(before.channel, channel)
    status = before.status if changes.status is None else Activity(changes.status)
    woken = status is Activity.ACTIVE and before.status is not Activity.ACTIVE
    wakes = marked or woken or (moved and before.is_unconfirmed)
    after = msgspec.structs.replace(
        before,
        name=changes.name or before.name,
        match=match,
        channel=channel,
        status=status,
        revision=before.revision + 1,
        updated_at=now,
        since=now if wakes or match != _settled(before.match) else before.began,
    )
    return with_consent(after, None if moved else before.consent)


def is_moved(before: Channel, after: Channel) -> bool:
    """Whether the target of the messages differs."""
    return (before.type, before.url) != (after.type, after.url)


def rotate(before: Subscription, secret: str, now: float, *, marked: bool) -> Subscription:
    """Give a webhook a new secret; the old one signs for one more day. Raises `Refused`. `marked` as in `change`."""
    if before.channel.type is not ChannelType.WEBHOOK:
        raise Refused(Refusal.NOT_SIGNED, "only webhooks are signed")
    kept = [Secret(each.text, now + OVERLAP_SECONDS) for each in before.channel.secrets if each.until is None]
    channel = msgspec.structs.replace(before.channel, secrets=(Secret(secret), *kept))
    return msgspec.structs.replace(
        before,
        channel=channel,
        revision=before.revision + 1,
        updated_at=now,
        since=now if marked else before.began,
    )


def _read(decoder: msgspec.json.Decoder[Read], body: bytes) -> Read:
    try:
        read: Read = decode_json(decoder, body)
    except InvalidRecord as error:
        raise Refused(error.reason, error.detail + _what_there_is(error.detail)) from None
    return read


def _what_there_is(detail: str) -> str:
    """The known fields, to complete the message about an unknown one."""
    if "unknown field" not in detail:
        return ""
    kind = MatchDraft if "`$.match`" in detail else ChannelDraft if "`$.channel`" in detail else Draft
    return f"; there are: {', '.join(kind.__struct_fields__)}"


def _match(draft: MatchDraft, key: Key) -> Match:
    if draft.arena is not None and not is_arena(draft.arena):
        raise Refused(Reason.INVALID_ARENA, f"{draft.arena[:40]!r} is not an arena")
    if key.arenas is not None and draft.arena not in key.arenas:
        allowed = ", ".join(sorted(key.arenas))
        raise Refused(Refusal.FORBIDDEN, f"key {key.name!r} may get alerts of {allowed}: name one in match.arena")
    names = {field: _names(f"match.{field}", getattr(draft, field)) for field in ("models", "providers")}
    return Match(**{**msgspec.structs.asdict(draft), **names})


def _settled(match: Match) -> Match:
    """A stored match with normalised names: older records keep them as written."""
    names = {field: tuple(dict.fromkeys(map(normalised, getattr(match, field)))) for field in ("models", "providers")}
    return msgspec.structs.replace(match, **names)


def _names(field: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """Normalised names without duplicates: votes and alerts use the same form."""
    try:
        return tuple(dict.fromkeys(read_name(field, each, 128) for each in given))
    except InvalidRecord as error:
        raise Refused(error.reason, error.detail) from None


def _channel(draft: ChannelDraft, before: Channel | None, secret: str) -> Channel:
    if len(draft.headers) > MOST_HEADERS:
        raise Refused(Reason.INVALID_FIELD, f"more than {MOST_HEADERS} headers")
    for name, value in draft.headers.items():
        if not _header_name(name) or not _header_value(value) or name.lower() in _OURS:
            raise Refused(Reason.INVALID_FIELD, f"header {name[:64]!r} cannot be sent")
    if draft.type is not ChannelType.WEBHOOK:
        if draft.secret is not None:
            raise Refused(Refusal.INVALID_SECRET, "only webhooks are signed")
        return Channel(type=draft.type, url=draft.url, headers=draft.headers)
    secrets: tuple[Secret, ...] = (Secret(secret),)
    if draft.secret is not None:
        try:
            read_secret(draft.secret)
        except InvalidSecret as error:
            raise Refused(Refusal.INVALID_SECRET, str(error)) from None
        secrets = (Secret(draft.secret),)
    elif before is not None and before.secrets:
        secrets = before.secrets
    return Channel(type=draft.type, url=draft.url, secrets=secrets, headers=draft.headers)
