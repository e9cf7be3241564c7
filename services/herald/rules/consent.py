"""Consent: the recipient of an e-mail subscription must agree, through a link, before any alert is sent. Pure.

Every holder of a bearer key can enter any address, and the mail goes out under the operator's name. So the recipient is
asked first. The number of these requests is limited, because the request itself is mail that nobody ordered.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from streams.contracts.delivery import Asked
from streams.contracts.names import shown
from streams.contracts.subscription import Activity, Consent, Subscription

DAY = 86_400.0
LINK_SECONDS = 7 * DAY
"""How long a recipient has to agree. After that the owner may send another request."""
WAITS = "the recipient has not confirmed it: open the link in the message that was sent there"
MOST_NAME = 60
"""Most characters of a subscription's name in the request: its recipient did not choose the name."""

_NOBODY = hashlib.sha256(b"").hexdigest()
_ONE_MAILBOX = {"gmail.com", "googlemail.com"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most confirmation requests within a day.

    Parameters
    ----------
    key
        Requests by one key.
    mailbox
        Requests to one mailbox, by all keys. Each key has one less, so that one key cannot use up what another needs
        for the same person.
    """

    key: int
    mailbox: int

    @property
    def mailbox_of_key(self) -> int:
        """Requests by one key to one mailbox."""
        return max(min(1, self.mailbox), self.mailbox - 1)


def mailbox(address: str) -> str:
    """Id of the mailbox behind an address, for counting: SHA-256, in hex.

    Most servers ignore case and everything after a plus sign, and Google's ignore dots. If two mailboxes are counted as
    one by mistake, they only get fewer requests.

    >>> mailbox("Ada.L+arena@GMail.com") == mailbox("adal@googlemail.com") != mailbox("ada.l@example.org")
    True
    """
    local, _, domain = address.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _ONE_MAILBOX:
        local, domain = local.replace(".", ""), "gmail.com"
    return hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()


def overdrawn(asked: Iterable[Asked], new: Asked, bounds: Bounds) -> tuple[str, float] | None:
    """Check a request against the requests of the day before it.

    Parameters
    ----------
    asked
        In the order of the topic. If the new request is among them, only those before it count, so several processes
        that ask at the same time reach the same result.
    new
        The request.
    bounds
        The limits.

    Returns
    -------
    None if the request is within the limits; otherwise the reason, and the seconds until it would be.
    """
    of_key: list[float] = []
    of_mailbox: list[float] = []
    of_both: list[float] = []
    for each in asked:
        if each.id == new.id:
            break
        if each.at <= new.at - DAY:
            continue
        if each.owner == new.owner:
            of_key.append(each.at)
        if each.mailbox == new.mailbox:
            of_mailbox.append(each.at)
            if each.owner == new.owner:
                of_both.append(each.at)
    for times, most, why in (
        (of_key, bounds.key, "this key may send no more confirmation requests for now"),
        (of_mailbox, bounds.mailbox, "this address may get no more confirmation requests for now"),
        (of_both, bounds.mailbox_of_key, "this key may send this address no more confirmation requests for now"),
    ):
        if len(times) >= most:
            return why, (sorted(times)[-most] + DAY - new.at) if most else DAY
    return None


def digest(token: str) -> str:
    """Hash of a token, as stored. A token has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def as_confirmed(subscription: Subscription) -> Subscription:
    """The subscription with its effective status: not active before its recipient has agreed."""
    waits = subscription.status is Activity.UNCONFIRMED or (
        subscription.status is Activity.ACTIVE and subscription.is_unconfirmed
    )
    return msgspec.structs.replace(subscription, status=Activity.UNCONFIRMED, reason=WAITS) if waits else subscription


def with_consent(subscription: Subscription, consent: Consent | None) -> Subscription:
    """The subscription with this consent and the status that follows from it. A disabled one stays disabled."""
    with_it = msgspec.structs.replace(subscription, consent=consent)
    if subscription.status is Activity.DISABLED:
        return with_it
    status = Activity.UNCONFIRMED if with_it.is_unconfirmed else Activity.ACTIVE
    return msgspec.structs.replace(with_it, status=status)


def asking(subscription: Subscription, token: str, now: float) -> Subscription:
    """The subscription with a new link; the previous link becomes invalid."""
    return with_consent(subscription, Consent(token=digest(token), asked_at=now))


def opens(subscription: Subscription | None, token: str, now: float) -> bool:
    """Whether a token opens the subscription's link. The time it takes does not reveal whether there is one.

    A link is valid for `LINK_SECONDS`. Once used, it is valid for as long as the subscription, so that the recipient
    can withdraw.
    """
    consent = None if subscription is None else subscription.consent
    known = _NOBODY if consent is None or consent.token is None else consent.token
    same = hmac.compare_digest(digest(token), known)
    if consent is None or consent.token is None or not same:
        return False
    return consent.confirmed_at is not None or now <= consent.asked_at + LINK_SECONDS


def confirmed(subscription: Subscription, now: float) -> Subscription:
    """The subscription with its recipient's consent. It begins now, like one that becomes active again."""
    assert subscription.consent is not None  # noqa: S101 -- for the type checker: its link was opened
    consent = msgspec.structs.replace(subscription.consent, confirmed_at=now)
    return _changed(subscription, consent, now)


def withdrawn(subscription: Subscription, now: float) -> Subscription:
    """The subscription without its recipient's consent. Its link becomes invalid; the owner may ask again."""
    assert subscription.consent is not None  # noqa: S101 -- as above
    consent = msgspec.structs.replace(subscription.consent, confirmed_at=None, token=None)
    return _changed(subscription, consent, now)


def _changed(subscription: Subscription, consent: Consent, now: float) -> Subscription:
    return msgspec.structs.replace(
        with_consent(subscription, consent), revision=subscription.revision + 1, updated_at=now, since=now
    )


def confirmation_message(
    subscription: Subscription, link: str, public_url: str, literal: Callable[[str], str]
) -> tuple[str, str]:
    """Title and text of the confirmation request.

    The recipient may never have heard of us, and a stranger chose the names in it. So these are few, quoted, and
    escaped by `literal`.
    """
    parts = [
        f"Someone asks to send alerts of the model arenas at {public_url} to this address.",
        f"Requested by: the key {_quoted(subscription.owner, literal)} of that board\n"
        f"Subscription: {_quoted(subscription.name, literal)}\n"
        f"What you would get: {scope_of(subscription)}. The owner of the key may change that later.",
        "If you want these alerts, open this link and press the button there. The link is valid for 7 days; after you"
        f" have confirmed, you can stop the alerts with it:\n{link}",
        "If you do not want them, do nothing: unless that button is pressed, no alert will be sent here.",
    ]
    return "Please confirm: alerts to this address", "\n\n".join(parts)


def scope_of(subscription: Subscription) -> str:
    """What a subscription receives, in our own words: names that its owner chose are only counted."""
    match = subscription.match
    where = "all arenas" if match.arena is None else f"the arena {match.arena}"
    kinds = ", ".join(kind.value for kind in match.kinds) or "all kinds"
    named = len(match.models) + len(match.providers)
    about = f", about {named} named models or providers" if named else ""
    return f"alerts of {where}, {kinds}, of severity {match.severity.value} or worse{about}"


def _quoted(text: str, literal: Callable[[str], str]) -> str:
    """A stranger's words in quotes. Mail programs turn words with a dot into links, so a blank follows every dot."""
    cut = text if len(text) <= MOST_NAME else text[: MOST_NAME - 1] + "…"
    return f'"{literal(shown(cut)).replace(".", ". ")}"'
