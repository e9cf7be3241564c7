"""The confirmation page: it shows the request and a button. It needs no key, because the link carries a token.

Virus scanners follow every link in a mail, so opening the link changes nothing; only the button does. The form is
authenticated by the token in it and not by a cookie, so a page of another site cannot press the button (CSRF).
"""

from __future__ import annotations

import asyncio
import html
import logging
import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.herald.api.store import SubscriptionStore
from services.herald.rules.consent import confirmed, opens, scope_of, withdrawn
from services.http.errors import Refused
from services.http.request_body import read_body
from streams.contracts.metrics import Metrics
from streams.contracts.names import shown
from streams.contracts.subscription import Subscription

log = logging.getLogger(__name__)

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
