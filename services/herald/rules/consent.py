"""Consent: the recipient of an e-mail subscription agrees by a link before anything is sent. Pure.

Whoever holds a bearer key may name any address, and a mail server carries our name: so the address's owner is asked,
and how often anybody is asked is bounded, for the question itself is a letter that nobody ordered.
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
"""So long may a recipient take to agree; then the owner may ask again."""
WAITS = "the recipient has not confirmed it: open the link in the message that was sent there"
MOST_NAME = 60
"""Characters of a stranger's name for a subscription in a letter to somebody who did not order one."""

_NOBODY = hashlib.sha256(b"").hexdigest()
_ONE_MAILBOX = {"gmail.com", "googlemail.com"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often anybody may be asked within a day.

    Parameters
    ----------
    key
        Questions that one key may have sent.
    mailbox
        Questions to one mailbox, whoever asks. One key has one less: a key must not use up what another key needs that
        asks the same person.
    """

    key: int
    mailbox: int

    @property
    def mailbox_of_key(self) -> int:
        """Questions of one key to one mailbox."""
        return max(min(1, self.mailbox), self.mailbox - 1)


def mailbox(address: str) -> str:
    """Name the mailbox behind an address, for counting: SHA-256, in hex.

    Capitals, and what follows a plus sign, lead to the same mailbox at most servers, as dots do at Google's. What is
    counted together by mistake is only asked less often.

    >>> mailbox("Ada.L+arena@GMail.com") == mailbox("adal@googlemail.com") != mailbox("ada.l@example.org")
    True
    """
    local, _, domain = address.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _ONE_MAILBOX:
        local, domain = local.replace(".", ""), "gmail.com"
    return hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()


def overdrawn(asked: Iterable[Asked], new: Asked, bounds: Bounds) -> tuple[str, float] | None:
    """Hold a question against what was asked before it within a day.

    Parameters
    ----------
    asked
        In the order of the topic. When the question is among them, those before it count and those behind it do not:
        of several processes that ask at once, each comes to the same.
    new
        The question.
    bounds
        How many there may be.

    Returns
    -------
    None when it may be asked; otherwise why not, and after how many seconds it may.
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
        (of_key, bounds.key, "this key has had as many recipients asked to confirm as it may within a day"),
        (of_mailbox, bounds.mailbox, "this address has been asked to confirm as often as it may be within a day"),
        (of_both, bounds.mailbox_of_key, "this key has asked this address to confirm as often as it may within a day"),
    ):
        if len(times) >= most:
            return why, (sorted(times)[-most] + DAY - new.at) if most else DAY
    return None


def digest(token: str) -> str:
    """What the record holds of a token; it is 256 random bits, so nothing else protects it better."""
    return hashlib.sha256(token.encode()).hexdigest()


def as_confirmed(subscription: Subscription) -> Subscription:
    """The subscription as it holds: one that would be active is not while its recipient has not agreed."""
    waits = subscription.status is Activity.UNCONFIRMED or (
        subscription.status is Activity.ACTIVE and subscription.is_unconfirmed
    )
    return msgspec.structs.replace(subscription, status=Activity.UNCONFIRMED, reason=WAITS) if waits else subscription


def with_consent(subscription: Subscription, consent: Consent | None) -> Subscription:
    """The subscription with the status that its recipient's word gives it; one that is disabled stays so."""
    with_it = msgspec.structs.replace(subscription, consent=consent)
    if subscription.status is Activity.DISABLED:
        return with_it
    status = Activity.UNCONFIRMED if with_it.is_unconfirmed else Activity.ACTIVE
    return msgspec.structs.replace(with_it, status=status)


def asking(subscription: Subscription, token: str, now: float) -> Subscription:
    """The subscription with a new link; the one before holds no more."""
    return with_consent(subscription, Consent(token=digest(token), asked_at=now))


def opens(subscription: Subscription | None, token: str, now: float) -> bool:
    """Whether a token is that of the subscription's link, and the link still holds. Takes as long for none as for one.

    A link holds for `LINK_SECONDS`, and once it was used for as long as the subscription: it can take back what it
    gave.
    """
    consent = None if subscription is None else subscription.consent
    known = _NOBODY if consent is None or consent.token is None else consent.token
    same = hmac.compare_digest(digest(token), known)
    if consent is None or consent.token is None or not same:
        return False
    return consent.confirmed_at is not None or now <= consent.asked_at + LINK_SECONDS


def confirmed(subscription: Subscription, now: float) -> Subscription:
    """The subscription with its recipient's consent: it begins now, like one that wakes."""
    assert subscription.consent is not None  # noqa: S101 -- for the type checker: its link was opened
    consent = msgspec.structs.replace(subscription.consent, confirmed_at=now)
    return _changed(subscription, consent, now)


def withdrawn(subscription: Subscription, now: float) -> Subscription:
    """The subscription without its recipient's consent; its owner may ask again, and its link is used up."""
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
    """Title and text of the question.

    It goes to somebody who may never have heard of us, for a stranger who chose the words: so these are few, and stand
    in quotes as `literal` writes them.
    """
    parts = [
        f"Alerts of the model arenas at {public_url} are to be sent to this address.",
        f"Asked for by: the key {_quoted(subscription.owner, literal)} of that board\n"
        f"Subscription: {_quoted(subscription.name, literal)}\n"
        f"What it would hear: {heard(subscription)}. Whom the key belongs to may change that later.",
        "If you want them, open this link and press the button there. It holds for 7 days, and later stops what it"
        f" began:\n{link}",
        "If you do not, do nothing: unless that button is pressed, no alert is ever sent here.",
    ]
    return "Please confirm: alerts to this address", "\n\n".join(parts)


def heard(subscription: Subscription) -> str:
    """What a subscription hears, in words of ours: names that its owner chose are only counted."""
    match = subscription.match
    where = "all arenas" if match.arena is None else f"the arena {match.arena}"
    kinds = ", ".join(kind.value for kind in match.kinds) or "all kinds"
    named = len(match.models) + len(match.providers)
    about = f", about {named} named models or providers" if named else ""
    return f"alerts of {where}, {kinds}, of severity {match.severity.value} or worse{about}"


def _quoted(text: str, literal: Callable[[str], str]) -> str:
    """A stranger's words. Mail programs make a link of any word with a dot in it: none is left whole."""
    cut = text if len(text) <= MOST_NAME else text[: MOST_NAME - 1] + "…"
    return f'"{literal(shown(cut)).replace(".", ". ")}"'
