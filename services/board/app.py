"""The board as one Starlette application, with the files of its page, and as a process until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from services.board.cache import UNREADABLE, Views
from services.board.ended_alerts import PastAlerts
from services.board.fast_path import Fast
from services.board.history_cache import Histories
from services.board.kafka_follower import Kafka, KafkaFollower
from services.board.openapi import openapi
from services.board.redis_follower import Follow
from services.board.redis_source import RedisSource, ViewSource
from services.board.routes import ReadRoutes
from services.board.sse_hub import Hub
from services.board.stream_status import Teller
from services.board.view_metrics import PublishedSeries, published_of
from services.herald.api.openapi import subscription_document
from services.herald.api.routes import subscription_routes
from services.herald.rules.unknown import ShownNames
from services.http.app import ANY_ORIGIN, Readiness, RequestMetrics, create_app
from services.http.errors import Refusal, Refused, retry_after
from services.http.openapi import Document
from services.http.server import end_process, serve_app
from streams.contracts.metrics import Metrics
from streams.contracts.names import shown
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.view import OVERALL

log = logging.getLogger(__name__)

READ = "/v1/arenas"
"""Paths with this prefix are public: pages of any origin may read them."""
EVENTS = "/v1/arenas/{arena}/events"

RETRY_SECONDS, RETRY_UNREADABLE_SECONDS = 1.0, 5.0
GRACE_SECONDS = 5

END_SECONDS = 0.5
"""A cancelled task has this long to end before it is cancelled again."""

More = tuple[Sequence[Route], AbstractAsyncContextManager[object], tuple[Document, Document]]
"""Further routes, the context to enter while the application runs, and their paths and schemas in OpenAPI."""

Handler = Callable[[Request], Awaitable[Response]]
Run = Callable[[], Coroutine[None, None, None]]


def create_board(
    settings: Settings,
    metrics: Metrics,
    source: ViewSource | None = None,
    new_kafka: Callable[[KafkaSettings, PastAlerts, Hub, Views, ViewSource], Kafka] = KafkaFollower,
    more: Sequence[More] = (),
    end: Callable[[], None] = end_process,
) -> Starlette:
    """Wire the board. It runs without Redis and Kafka: it serves what is known, and answers 503 for what is not.

    `app.state.stop()` ends the event streams, which otherwise last as long as their clients like; `app.state.views` are
    the held views, `app.state.hub` has the SSE clients.

    Parameters
    ----------
    settings, metrics
        Of this process.
    source
        Where to read instead of Redis, in tests.
    new_kafka
        Makes the follower of Kafka.
    more
        Routes of other packages, such as those of subscriptions, with what they need while the application runs.
    end
        Ends the process. It is called when a task that follows Redis or Kafka fails: the views would no longer change
        but look live. The lifespan then raises the error.

    Raises
    ------
    InvalidSetting
        When a file of secrets cannot be used.
    """
    views, past = Views(time.monotonic()), PastAlerts()
    redis = None if source is not None else RedisSource(settings.redis)
    reads: ViewSource = source if source is not None else redis  # type: ignore[assignment]  # one of them is there
    hub = Hub(metrics.board_clients, metrics.board_clients_cut)
    kafka = new_kafka(settings.kafka, past, hub, views, reads)
    read = ReadRoutes(views, hub, past, kafka, Histories(reads), settings.board.public_url)
    follow, teller = Follow(reads, views, hub, settings.fold.max_models), Teller(views, kafka, hub, metrics.board_age)
    metrics.registry.register(PublishedSeries(partial(published_of, views)))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _, context, _ in more:
                await stack.enter_async_context(context)
            if redis is not None:
                stack.push_async_callback(redis.close)
            async with _following([follow.run, kafka.run, teller.run, hub.beat], hub.stop, end):
                yield

    counted = (metrics.board_requests, metrics.board_request_seconds)
    app = create_app(
        metrics.registry,
        [*_read_routes(read), *(route for added, _, _ in more for route in added)],
        Readiness(
            lambda: None if views.gone_since is None else "Redis is not followed",
            RETRY_SECONDS,
            lambda: {"kafka": kafka.away or kafka.unreadable or "followed"},
        ),
        lifespan,
        request_metrics=RequestMetrics(*counted, untimed=frozenset({EVENTS})),
        document=openapi([described for _, _, described in more]),
        public=READ,
        refusals=dict.fromkeys(UNREADABLE, _unreadable),
        middleware=[Middleware(Fast, views, *counted)],
        rest=[Mount("/static", Page()), Rest("/", Page())],
    )
    app.state.stop, app.state.views, app.state.hub = hub.stop, views, hub
    return app


@asynccontextmanager
async def _following(runs: Sequence[Run], stop: Callable[[], None], end: Callable[[], None]) -> AsyncIterator[None]:
    """Run tasks while the context is open; when it closes, call `stop`, cancel them, and raise what one of them raised.

    `end` is called when a task fails.
    """
    tasks = [asyncio.create_task(run()) for run in runs]
    failed: list[BaseException] = []
    ending = asyncio.Event()

    def over(task: asyncio.Task[None]) -> None:
        if ending.is_set() or task.cancelled():
            return  # an error after cancellation is no failure
        if (error := task.exception()) is not None:
            failed.append(error)
            end()

    for task in tasks:
        task.add_done_callback(over)
    try:
        yield
    finally:
        ending.set()
        stop()
        await _end(tasks)
    if failed:
        raise failed[0]


def _read_routes(read: ReadRoutes) -> list[Route]:
    return [
        _open(READ, read.arenas),
        _open("/v1/arenas/{arena}/leaderboard", read.leaderboard),
        # `path`: names of models have slashes, as in `meta-llama/Llama-3-8b`.
        _open("/v1/arenas/{arena}/models/{model:path}", read.model),
        _open("/v1/arenas/{arena}/fairness", read.fairness),
        _open("/v1/arenas/{arena}/alerts", read.alerts),
        _open("/v1/arenas/{arena}/alerts.atom", read.atom),
        _open("/v1/arenas/{arena}/history", read.history),
        Route(EVENTS, read.events, methods=["GET"]),
    ]


class Rest(Mount):
    """Paths without a route; only GET and HEAD, or it would answer 405 for routes, with its own methods in `Allow`."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match other methods partially: Starlette lets the first partial match answer."""
        match, child = super().matches(scope)
        other = match is Match.FULL and scope["method"] not in ("GET", "HEAD")
        return (Match.PARTIAL if other else match), child


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks; one that swallows its cancellation, as a client in the middle of a read may, is cancelled again."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=END_SECONDS)


def _open(path: str, handler: Handler) -> Route:
    """A route that pages of other origins may read, their conditional requests included."""

    async def handled(request: Request) -> Response:
        return Response(status_code=204, headers=_PREFLIGHT) if request.method == "OPTIONS" else await handler(request)

    return Route(path, handled, methods=["GET", "OPTIONS"])


_PREFLIGHT = {
    **ANY_ORIGIN,
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "if-none-match, last-event-id",
    "Access-Control-Max-Age": "86400",
}


def _unreadable(request: Request, error: Exception) -> Refused:
    """Answer 503 for a view that passed its check but cannot be read completely; no other arena is affected."""
    log.error("%s: the data in Redis cannot be read: %r", shown(request.url.path), error)
    detail = "the data in Redis cannot be read"
    return Refused(Refusal.UNAVAILABLE, detail, retry_after(RETRY_UNREADABLE_SECONDS))


STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOR_EVER = "public, max-age=31536000, immutable"
"""Cache-Control of files below `vendor/`: their names contain their version, so new content has a new name."""
ASK_AGAIN = "no-cache"
"""Cache-Control of all others: a browser revalidates each time, and mostly gets 304."""


class Page(StaticFiles):
    """Serves the static files; a missing one is a 404 like any other."""

    def __init__(self, directory: Path = STATIC) -> None:
        super().__init__(directory=directory, html=True, check_dir=False)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Add security headers and Cache-Control."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        vendored = "vendor" in Path(full_path).relative_to(Path(str(self.directory)).resolve()).parts
        response.headers.update({**_ALWAYS, "Cache-Control": FOR_EVER if vendored else ASK_AGAIN})
        return response


def serve(settings: Settings) -> None:
    """Serve until a signal, then end the event streams, answer the requests in flight, and return.

    Raises
    ------
    InvalidSetting
        When a file of secrets or keys cannot be used.
    CannotListen
        When the port is taken.
    SystemExit
        With exit code 1, when the application failed.
    """
    # aiokafka logs the same error ten times a second while Kafka is away; the board logs only the change.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    metrics = Metrics()

    async def names(arena: str | None) -> ShownNames | None:
        return await shown_names(app.state.views, arena)

    subscriptions = (*subscription_routes(settings, metrics, names), subscription_document())
    app = create_board(settings, metrics, more=[subscriptions])
    # Objects loaded by now are permanent: the garbage collector need not scan them, which would delay answers.
    gc.collect()
    gc.freeze()
    serve_app(app, settings.http.host, settings.board.port, GRACE_SECONDS, stopping=app.state.stop)


async def shown_names(views: Views, arena: str | None) -> ShownNames | None:
    """Names of all arenas, or of one; None while nothing is known."""
    if not views.known or not views.arenas:
        return None
    models: set[str] = set()
    providers: set[str] = set()
    whole = True
    for held in [each for name, each in views.arenas.items() if arena in (None, name)]:
        try:
            if OVERALL in held.boards:
                models.update(held.boards[OVERALL].lines)
            if held.fairness is not None:
                models.update(held.fairness.lines)
                providers.update(held.fairness.providers)
        except UNREADABLE:  # a worker of another version wrote it; the routes of its arena report it
            whole = False
        whole = whole and held.fairness is not None and not held.unreadable
        await asyncio.sleep(0)  # decoding hundreds of arenas for the first time takes a while
    return ShownNames(set(views.arenas), models, providers, whole)
