"""The routes of subscriptions: list, create, change, delete, confirm, test, history, replay."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.herald.api.consent import Asking, Confirm
from services.herald.api.drafts import (
    OVERLAP_SECONDS,
    Changes,
    change,
    is_moved,
    make,
    read_changes,
    read_draft,
    rotate,
)
from services.herald.api.store import SubscriptionStore
from services.herald.api.views import (
    Deliveries,
    NewSecret,
    Replayed,
    Subscriptions,
    TestAnswer,
    show_changed,
    show_delivery,
    show_new,
    show_sent,
    show_subscription,
)
from services.herald.channels.dispatch import Channels
from services.herald.channels.signing import new_secret
from services.herald.channels.ssrf_guard import RefusedAddress
from services.herald.rules.consent import WAITS
from services.herald.rules.matching import may_receive
from services.herald.rules.unknown import ShownNames, warnings
from services.http.api_keys import Key
from services.http.bearer import BearerGate, check_rate
from services.http.errors import Refusal, Refused
from services.http.query import one_of, only, whole
from services.http.rate_limit import Limiter
from services.http.request_body import read_body
from services.http.responses import json_response
from streams.contracts.alert import VERSION, Alert, Kind, Severity, Status, Subject, alert_id, fingerprint, runbook_url
from streams.contracts.delivery import Delivery, Replay, State, is_replayable
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import SubscriptionSettings
from streams.contracts.settings import Settings
from streams.contracts.subscription import Channel, ChannelType, Subscription

BODY_LIMIT = 65_536
MOST_SHOWN, SHOWN = 1_000, 100
CALLS_PER_SECOND, CALLS_AT_ONCE = 20.0, 100.0
TESTS_PER_SECOND, TESTS_AT_ONCE = 1 / 6, 5.0
"""A test sends a request to any URL that the owner chooses, so tests have a much lower limit."""
TOO_MANY = "too many requests"
Names = Callable[[str | None], Awaitable[ShownNames | None]]
"""Returns the names that the board shows, of one arena or of all."""
READS = ("GET", "HEAD")
"""Starlette routes HEAD to the handler of GET, and neither may change anything."""
NOT_KEPT = {"Cache-Control": "no-store"}


def subscription_routes(
    settings: Settings, metrics: Metrics, names: Names | None = None
) -> tuple[list[Route], AbstractAsyncContextManager[None]]:
    """Routes of subscriptions, and the context that must be entered while they are served.

    Parameters
    ----------
    settings, metrics
        Of the process that serves them.
    names
        Names that the board shows, to warn of unknown ones; None without a board.

    Raises
    ------
    InvalidSetting
        If the file of bearer keys or of the SMTP server's URL is invalid.
    """
    handlers = Handlers(settings, metrics, names)
    base = "/v1/subscriptions"
    routes = [
        Route(base, handlers.collection, methods=["GET", "POST"]),
        Route(base + "/{id}", handlers.one, methods=["GET", "PUT", "PATCH", "DELETE"]),
        Route(base + "/{id}/secret", handlers.secret, methods=["POST"]),
        Route(base + "/{id}/confirmation", handlers.confirmation, methods=["POST"]),
        Route(base + "/{id}/confirm", handlers.confirm, methods=["GET", "POST"]),
        Route(base + "/{id}/test", handlers.test, methods=["POST"]),
        Route(base + "/{id}/deliveries", handlers.deliveries, methods=["GET"]),
        Route(base + "/{id}/deliveries/{delivery}/replay", handlers.replay, methods=["POST"]),
        Route(base + "/{id}/replay", handlers.replay_all, methods=["POST"]),
    ]
    return routes, handlers.run()


class SubscriberGate:
    """The checks of one process. Rates are counted per process, so several processes allow several times as much."""

    def __init__(self, settings: SubscriptionSettings) -> None:
        self._bearer = BearerGate(settings.keys_file, self._keep)
        self._calls = Limiter(CALLS_PER_SECOND, CALLS_AT_ONCE)
        self._tests = Limiter(TESTS_PER_SECOND, TESTS_AT_ONCE)

    def enter(self, request: Request) -> Key:
        """Key of a request; raises `Refused` if it is unknown or calls too often."""
        now = time.monotonic()
        key = self._bearer.enter(request, now)
        check_rate(self._calls.take(key.name, 1, now), TOO_MANY)
        return key

    def test(self, key: Key) -> None:
        """Count one test message; raises `Refused` if there were too many."""
        check_rate(self._tests.take(key.name, 1, time.monotonic()), TOO_MANY)

    def _keep(self, names: frozenset[str]) -> None:
        """Forget the keys that are no longer in the key file."""
        self._calls.keep(names)
        self._tests.keep(names)


class Handlers:
    """The handlers and their shared state."""

    def __init__(self, settings: Settings, metrics: Metrics, names: Names | None) -> None:
        self._settings, self._names = settings, names
        self._gate = SubscriberGate(settings.subscriptions)
        self._store = SubscriptionStore(settings.kafka)
        self._channels = Channels(settings)
        self._writing = asyncio.Lock()
        self._asking = Asking(settings, metrics, self._store, self._channels)
        self._page = Confirm(metrics, self._store, self._writing)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Follow Kafka and hold the channels open."""
        async with self._channels, self._store.run():
            yield

    async def collection(self, request: Request) -> Response:
        """GET and POST /v1/subscriptions."""
        key = self._enter(request)
        book = self._store.book()
        mine = [each for each in book.subscriptions.values() if may_receive(key, each)]
        if request.method in READS:
            shown = [show_subscription(book.subscription(each.id) or each) for each in mine]
            shown.sort(key=lambda each: (each.created_at, each.id))
            return json_response(Subscriptions(shown), headers=NOT_KEPT)
        draft = read_draft(await read_body(request, BODY_LIMIT))
        made, link = make(draft, key, f"sub_{secrets.token_hex(12)}", new_secret(), time.time()), None
        recipient = await self._check(made.channel)
        async with self._writing:  # otherwise concurrent requests could all pass the limit
            held = sum(each.owner == key.name for each in self._store.book().subscriptions.values())
            if held >= self._settings.subscriptions.key_subscriptions:
                raise Refused(Refusal.TOO_MANY_SUBSCRIPTIONS, f"key {key.name!r} has {held} subscriptions")
            if recipient is not None:
                made, link = await self._asking.ask(made, recipient, time.time())
            await self._store.write(made)
        sent = await self._asking.send(made, link) if link is not None else None
        return json_response(
            show_new(made, await self._warnings(made), sent),
            201,
            {**NOT_KEPT, "Location": f"/v1/subscriptions/{made.id}"},
        )

    async def one(self, request: Request) -> Response:
        """GET, PUT, PATCH and DELETE /v1/subscriptions/{id}."""
        key = self._enter(request)
        before = self._mine(request, key)
        if request.method in READS:
            return json_response(show_subscription(before), headers=NOT_KEPT)
        if request.method == "DELETE":
            async with self._writing:  # otherwise a concurrent change would restore it
                await self._store.delete(self._mine(request, key).id)
            return Response(status_code=204)
        body = await read_body(request, BODY_LIMIT)
        if request.method == "PUT":
            draft = read_draft(body)
            changes = Changes(name=draft.name, channel=draft.channel, match=draft.match, status=draft.status)
        else:
            changes = read_changes(body)
        self._mine(request, key)  # it may have been deleted meanwhile
        recipient, link = None, None
        if changes.channel is not None:
            recipient = await self._check(self._changed(before.id, changes, key)[1].channel)
        async with self._writing:  # otherwise one of two concurrent changes would be lost
            self._mine(request, key)
            stored, after = self._changed(before.id, changes, key)
            if recipient is not None and is_moved(stored.channel, after.channel):
                after, link = await self._asking.ask(after, recipient, after.updated_at)
            await self._store.write(after)
        sent = await self._asking.send(after, link) if link is not None else None
        new = sent is not None or set(after.channel.secrets) - set(stored.channel.secrets)
        told = await self._warnings(after)
        answer = show_new(after, told, sent) if new else show_changed(after, told)
        return json_response(answer, headers=NOT_KEPT)

    async def confirmation(self, request: Request) -> Response:
        """POST /v1/subscriptions/{id}/confirmation: sends the recipient a new link."""
        key = self._enter(request)
        channel = self._awaiting(request, key).channel
        recipient = await self._check(channel)
        async with self._writing:
            before = self._awaiting(request, key)
            if recipient is None or is_moved(channel, before.channel):  # the change has sent a request of its own
                raise Refused(Refusal.NOTHING_TO_CONFIRM, "it was changed in the meantime")
            now = time.time()
            asked, link = await self._asking.ask(before, recipient, now)
            await self._store.write(msgspec.structs.replace(asked, revision=before.revision + 1, updated_at=now))
        return json_response(show_sent(await self._asking.send(asked, link)), headers=NOT_KEPT)

    async def confirm(self, request: Request) -> Response:
        """GET and POST /v1/subscriptions/{id}/confirm: for the recipient, who has a link but no key."""
        return await self._page(request)

    async def secret(self, request: Request) -> Response:
        """POST /v1/subscriptions/{id}/secret."""
        key = self._enter(request)
        now, secret = time.time(), new_secret()
        async with self._writing:
            book, name = self._store.book(), self._mine(request, key).id
            await self._store.write(rotate(book.subscriptions[name], secret, now, marked=book.is_marked(name)))
        return json_response(NewSecret(secret, now + OVERLAP_SECONDS), headers=NOT_KEPT)

    async def test(self, request: Request) -> Response:
        """POST /v1/subscriptions/{id}/test: one attempt now. The response is its only trace."""
        key = self._enter(request)
        subscription = self._mine(request, key)
        if (blocked := self._store.book().blocked.get(subscription.id)) is not None:
            raise Refused(Refusal.FORBIDDEN, f"disabled by the operator: {blocked.reason}")
        if subscription.is_unconfirmed:
            raise Refused(Refusal.NO_CONSENT, WAITS)
        self._gate.test(key)
        alert = sample_alert(subscription, time.time())
        answer = await self._channels.send(subscription, f"msg_test_{secrets.token_hex(12)}", [alert])
        return json_response(TestAnswer(answer.outcome, answer.status, answer.detail, answer.seconds), headers=NOT_KEPT)

    async def deliveries(self, request: Request) -> Response:
        """GET /v1/subscriptions/{id}/deliveries."""
        key = self._enter(request, "state", "limit")
        state, limit = _query(request)
        found = self._store.book().deliveries_of(self._mine(request, key).id)
        chosen = [each for each in reversed(found) if state is None or each.state is state]
        shown = [show_delivery(each) for each in chosen[:limit]]
        return json_response(Deliveries(shown, len(chosen)), headers=NOT_KEPT)

    async def replay(self, request: Request) -> Response:
        """POST /v1/subscriptions/{id}/deliveries/{delivery}/replay."""
        key = self._enter(request)
        subscription = self._mine(request, key)
        found = self._store.book().deliveries.get(request.path_params["delivery"])
        if found is None or found.subscription != subscription.id:
            raise Refused(Refusal.NOT_FOUND, "there is no such delivery")
        if not is_replayable(found):
            raise Refused(Refusal.NOT_FAILED, f"this delivery is {found.state.value}, so there is nothing to send")
        return await self._replay([found])

    async def replay_all(self, request: Request) -> Response:
        """POST /v1/subscriptions/{id}/replay."""
        key = self._enter(request)
        found = self._store.book().deliveries_of(self._mine(request, key).id)
        return await self._replay([each for each in found if is_replayable(each)])

    async def _replay(self, deliveries: list[Delivery]) -> Response:
        now = time.time()
        if deliveries:
            await self._store.replay([Replay(delivery=each.id, round=each.round + 1, at=now) for each in deliveries])
        return json_response(Replayed(len(deliveries)), 202, NOT_KEPT)

    def _enter(self, request: Request, *parameters: str) -> Key:
        """Key of a request; raises `Refused` for a bad key or for any other query parameter."""
        key = self._gate.enter(request)
        only(request, *parameters)
        return key

    async def _warnings(self, subscription: Subscription) -> list[str]:
        match = subscription.match
        return [] if self._names is None else warnings(match, await self._names(match.arena))

    def _changed(self, name: str, changes: Changes, key: Key) -> tuple[Subscription, Subscription]:
        """The stored subscription, and the one after the changes; raises `Refused`."""
        book = self._store.book()
        stored, marked = book.subscriptions[name], book.is_marked(name)
        return stored, change(stored, changes, key, new_secret(), time.time(), marked=marked)

    def _awaiting(self, request: Request, key: Key) -> Subscription:
        """The stored subscription of the path if it waits for its recipient; raises `Refused`."""
        found = self._store.book().subscriptions[self._mine(request, key).id]
        if not found.is_unconfirmed:
            raise Refused(Refusal.NOTHING_TO_CONFIRM, "this subscription does not wait for a confirmation")
        return found

    async def _check(self, channel: Channel) -> str | None:
        """Check a channel's URL; returns the recipient's address if it is e-mail. Raises `Refused`."""
        try:
            return await self._channels.check(channel)
        except RefusedAddress as error:
            raise Refused(Refusal.ADDRESS_REFUSED, str(error)) from None

    def _mine(self, request: Request, key: Key) -> Subscription:
        """The subscription of the path. One of another key is reported as not found, too."""
        found = self._store.book().subscription(request.path_params["id"])
        if found is None or not may_receive(key, found):
            raise Refused(Refusal.NOT_FOUND, "there is no such subscription")
        return found


def _query(request: Request) -> tuple[State | None, int]:
    state = request.query_params.get("state")
    limit = whole("limit", request.query_params.get("limit", str(SHOWN)), 1, MOST_SHOWN)
    return None if state is None else one_of(State, "state", state), limit


def sample_alert(subscription: Subscription, now: float) -> Alert:
    """The alert of a test message. It concerns no real model.

    An Alertmanager gets a resolved alert: its answer shows that it accepts alerts, and it notifies nobody.
    """
    arena = subscription.match.arena or "test"
    subject = Subject(model="isonomy-test")
    about = fingerprint(arena, Kind.SILENT_REMOVAL, subject)
    over = subscription.channel.type is ChannelType.ALERTMANAGER
    return Alert(
        id=alert_id(about, "test"),
        fingerprint=about,
        arena=arena,
        kind=Kind.SILENT_REMOVAL,
        severity=Severity.INFO,
        status=Status.RESOLVED if over else Status.FIRING,
        subject=subject,
        starts_at=now - 60,
        detected_at=now - 60,
        ends_at=now if over else None,
        summary=f"This is a test of the subscription {subscription.name!r}; nothing has happened.",
        evidence={"test": 1},
        runbook_url=runbook_url(Kind.SILENT_REMOVAL),
        version=VERSION,
    )
