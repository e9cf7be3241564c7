"""Consent of an e-mail's recipient: the request that they get, and the page behind its link.

A request is written into the topic before it is sent, and its offset there decides whether it is within the limits.
All board processes see the same order, so together they never send too many. A restart loses no count, and deleting a
subscription and creating it again does not reset one.

The page shows the request and a button. It needs no key, because the link carries a token. Virus scanners follow every
link in a mail, so opening the link changes nothing; only the button does. The form is authenticated by the token in it
and not by a cookie, so a page of another site cannot press the button (CSRF).
"""

from __future__ import annotations

import asyncio
import html
import logging
import re
import secrets
import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from yarl import URL

from services.herald.api.store import SubscriptionStore
from services.herald.channels.apprise_urls import apprise_scheme
from services.herald.channels.dispatch import Channels
from services.herald.rules.consent import Bounds, asking, confirmed, mailbox, opens, overdrawn, scope_of, withdrawn
from services.herald.rules.delivery_state import Book
from services.http.errors import Refusal, Refused, retry_after
from services.http.request_body import read_body
from streams.contracts.delivery import Answer, Asked, Outcome
from streams.contracts.metrics import Metrics
from streams.contracts.names import shown
from streams.contracts.settings import Settings
from streams.contracts.subscription import ChannelType, Subscription

log = logging.getLogger(__name__)

WHAT = ("asked", "failed", "refused", "confirmed", "withdrawn", "unknown")
"""Labels of the counter."""
_HERE = re.compile(r"(?:.*\.)?localhost|127\..*|::1|0\.0\.0\.0").fullmatch
FORM_LIMIT = 1_024
"""Most bytes of a form."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the URL contains the token
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
NO_LINK = (
    "This link is no longer valid",
    "It is too old, or was replaced by a newer one, or the subscription is gone. It causes no message.",
)


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


class Confirm:
    """The page and its form.

    Parameters
    ----------
    metrics
        Of this process.
    store
        Running.
    writing
        Lock that is held while a subscription changes.
    """

    def __init__(self, metrics: Metrics, store: SubscriptionStore, writing: asyncio.Lock) -> None:
        self._store, self._writing = store, writing
        self._counted = metrics.confirmations

    async def __call__(self, request: Request) -> Response:
        """GET and POST /v1/subscriptions/{id}/confirm."""
        try:
            return await self._post(request) if request.method == "POST" else self._get(request)
        except Refused as refused:
            words = page("This is not possible at the moment", [shown(refused.detail), "Please try again in a moment."])
            return _answer(words, refused.status, refused.headers)

    def _get(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        found = self._find(request, token)
        if found is None:
            return self._none()
        return _answer(offer(found, token))

    async def _post(self, request: Request) -> Response:
        body = await read_body(request, FORM_LIMIT)
        try:
            form = parse_qs(body.decode("ascii"), max_num_fields=8)
        except ValueError:  # not ASCII, or too many fields: not our form
            return self._none()
        token, stop = form.get("token", [""])[0], form.get("do", [""])[0] == "stop"
        async with self._writing:
            found = self._find(request, token)
            if found is None:
                return self._none()
            if stop and not found.is_unconfirmed:
                await self._store.write(withdrawn(found, time.time()))
                self._note("withdrawn", found)
            elif not stop and found.is_unconfirmed:
                await self._store.write(confirmed(found, time.time()))
                self._note("confirmed", found)
        if stop:
            return _answer(page("Alerts are stopped", ["You will get no more alerts of this subscription."]))
        return _answer(page("Confirmed", ["You get alerts from now on. Keep the message: its link also stops them."]))

    def _find(self, request: Request, token: str) -> Subscription | None:
        """The subscription of the path if the token opens its link. A wrong token does not reveal whether it exists."""
        found = self._store.book().subscriptions.get(request.path_params["id"])
        return found if opens(found, token, time.time()) else None

    def _none(self) -> Response:
        self._counted.labels("unknown").inc()
        return _answer(page(NO_LINK[0], [NO_LINK[1]]), 404)

    def _note(self, what: str, subscription: Subscription) -> None:
        self._counted.labels(what).inc()
        log.info("%s of key %s: %s by its recipient", subscription.id, subscription.owner, what)


def offer(subscription: Subscription, token: str) -> str:
    """The page with the button that starts or stops the alerts."""
    about = [
        f"Subscription “{shown(subscription.name)}” of the key “{shown(subscription.owner)}”: {scope_of(subscription)}."
        " The owner of the key may change that later.",
    ]
    if subscription.is_unconfirmed:
        about += ["Unless you press the button, no alert will be sent to you."]
        return page("Get these alerts by e-mail?", about, button=("confirm", "Yes, send them to me", token))
    about += ["You have confirmed this and get these alerts."]
    return page("Stop these alerts?", about, button=("stop", "Stop them", token))


def page(title: str, paragraphs: list[str], button: tuple[str, str, str] | None = None) -> str:
    """A page of text; `button` is (action, label, token of the link)."""
    form = ""
    if button is not None:
        do, label, token = (html.escape(each) for each in button)
        form = (
            f'<form method="post" action="confirm"><input type="hidden" name="token" value="{token}">'
            f'<button class="more" name="do" value="{do}">{label}</button></form>'
        )
    words = "".join(f"<p>{html.escape(each)}</p>" for each in paragraphs)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{html.escape(title)} · Isonomy</title>"
        '<link rel="stylesheet" href="../../../css/base.css">'
        '<link rel="stylesheet" href="../../../css/parts.css"></head>'
        f"<body><main><h1>{html.escape(title)}</h1>{words}{form}</main></body></html>"
    )


def _answer(text: str, status: int = 200, more: dict[str, str] | None = None) -> Response:
    return HTMLResponse(text, status, {**HEADERS, **(more or {})})
