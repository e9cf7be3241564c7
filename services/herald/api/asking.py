"""Sends confirmation requests to recipients of e-mail, within limits that all board processes share.

A request is written into the topic before it is sent, and its offset there decides whether it is within the limits.
All processes see the same order, so together they never send too many. A restart loses no count, and deleting a
subscription and creating it again does not reset one.
"""

from __future__ import annotations

import logging
import re
import secrets

from yarl import URL

from services.herald.api.store import SubscriptionStore
from services.herald.channels.apprise_urls import apprise_scheme
from services.herald.channels.dispatch import Channels
from services.herald.rules.consent import Bounds, asking, mailbox, overdrawn
from services.herald.rules.delivery_state import Book
from services.http.errors import Refusal, Refused, retry_after
from streams.contracts.delivery import Answer, Asked, Outcome
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.subscription import ChannelType, Subscription

log = logging.getLogger(__name__)

WHAT = ("asked", "failed", "refused", "confirmed", "withdrawn", "unknown")
"""Labels of the counter."""
_HERE = re.compile(r"(?:.*\.)?localhost|127\..*|::1|0\.0\.0\.0").fullmatch


class Asking:
    """The confirmation requests of one process.

    Parameters
    ----------
    settings, metrics
        Of this process.
    store, channels
        Running.
    """

    def __init__(self, settings: Settings, metrics: Metrics, store: SubscriptionStore, channels: Channels) -> None:
        self._settings, self._store, self._channels = settings, store, channels
        limits = settings.subscriptions
        self._bounds = Bounds(limits.confirmations_per_key, limits.confirmations_per_mailbox)
        self._counted = metrics.confirmations
        for what in WHAT:
            self._counted.labels(what)

    async def ask(self, subscription: Subscription, address: str, now: float) -> tuple[Subscription, str]:
        """Count one more request and create its link; raises `Refused` if the request is not allowed.

        Make one call at a time: the caller writes the subscription next, and only then it counts.

        Parameters
        ----------
        subscription
            The subscription as it will be written.
        address
            Its one recipient.
        now
            Epoch seconds.

        Returns
        -------
        The subscription to write, with the hash of the link; and the link to send, which is not stored.
        """
        self._check(subscription)
        asked = Asked(id=secrets.token_hex(12), mailbox=mailbox(address), owner=subscription.owner, at=now)
        self._hold(self._store.book(), asked)  # do not write a request that is refused anyway
        await self._store.ask(asked)
        self._hold(self._store.book(), asked)
        token = secrets.token_urlsafe(32)
        link = f"{self._settings.board.public_url.rstrip('/')}/v1/subscriptions/{subscription.id}/confirm?token={token}"
        return asking(subscription, token, now), link

    async def send(self, subscription: Subscription, link: str) -> Answer:
        """Send the request; its owner gets the outcome. It counts against the limits even if it failed."""
        answer = await self._channels.ask(subscription, link)
        sent = answer.outcome is Outcome.DELIVERED
        self._counted.labels("asked" if sent else "failed").inc()
        log.info(
            "%s of key %s: confirmation request sent to its recipient: %s",
            subscription.id,
            subscription.owner,
            answer.outcome.value,
        )
        return answer

    def _check(self, subscription: Subscription) -> None:
        settings, book = self._settings, self._store.book()
        if (blocked := book.blocked.get(subscription.id)) is not None:
            raise Refused(Refusal.FORBIDDEN, f"disabled by the operator: {blocked.reason}")
        if not can_be_opened(settings.board.public_url, allow_private=settings.herald.allow_private):
            raise Refused(
                Refusal.ADDRESS_REFUSED,
                "e-mail is confirmed by a link, which nobody could open: the operator has not set ISONOMY_PUBLIC_URL"
                " to where people reach this board",
            )
        mine = [each for each in book.subscriptions.values() if each.owner == subscription.owner]
        held = sum(_is_mail(each) for each in mine if each.id != subscription.id)
        if held >= settings.subscriptions.key_emails:
            self._counted.labels("refused").inc()
            raise Refused(Refusal.TOO_MANY_SUBSCRIPTIONS, f"key {subscription.owner!r} has {held} e-mail subscriptions")

    def _hold(self, book: Book, asked: Asked) -> None:
        over = overdrawn(book.asked.values(), asked, self._bounds)
        if over is not None:
            why, wait = over
            self._counted.labels("refused").inc()
            log.warning("key %s: confirmation request refused: %s", asked.owner, why)
            raise Refused(Refusal.RATE_LIMITED, why, retry_after(wait))


def can_be_opened(public_url: str, *, allow_private: bool) -> bool:
    """Whether recipients can open our links. URLs of this machine count only where private addresses are allowed.

    >>> [can_be_opened(url, allow_private=False) for url in ("https://board.example", "http://localhost:8081", "x", "https://[::1]@")]
    [True, False, False, False]
    """
    try:
        url = URL(public_url)
        host = url.host
    except (ValueError, IndexError):  # as in `read_url`
        return False
    return url.scheme in ("http", "https") and bool(host) and (allow_private or not _HERE(host or ""))


def _is_mail(subscription: Subscription) -> bool:
    """Whether a subscription sends e-mail: the guard allows it only through `mailto:`."""
    channel = subscription.channel
    return channel.type is ChannelType.APPRISE and apprise_scheme(channel.url) == "mailto"
