"""The shell of an HTTP service: health, readiness, metrics of its requests, its document, and one shape of all errors.

A service brings its own routes and says whether it is ready. `create_app` adds what every service answers alike:
/healthz, /readyz, /metrics and, for a service with a document, /openapi.json; and 404, 405 and refusals as JSON.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.http.errors import Refusal, Refused, retry_after
from services.http.openapi import Document
from services.http.responses import error_response, json_response
from streams.contracts.names import shown

log = logging.getLogger(__name__)

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
Refuse = Callable[[Request, Exception], Refused]
"""Says what the answer to an exception is; one that it has no answer to it raises again."""
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
OTHER = "other"
"""Route label of a request that no route matched."""
GONE = "499"
"""Status of a request whose client disconnected before the answer."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a service can do what it is for.

    Attributes
    ----------
    fault
        Returns why not, or `None`.
    retry_seconds
        When it is worth asking again.
    details
        Returns further fields of the answer of a service that is ready.
    """

    fault: Callable[[], str | None]
    retry_seconds: float
    details: Callable[[], dict[str, str]] = dict


@dataclass(frozen=True, slots=True)
class RequestMetrics:
    """How requests are counted and timed: arguments of `Observe`."""

    requests: Counter
    seconds: Histogram
    untimed: Set[str] = frozenset()


def create_app(
    registry: CollectorRegistry,
    routes: Sequence[BaseRoute],
    readiness: Readiness,
    lifespan: Lifespan,
    *,
    request_metrics: RequestMetrics | None = None,
    document: Document | None = None,
    public: str | None = None,
    before_scrape: Callable[[], None] = lambda: None,
    refusals: Mapping[type[Exception], Refuse] | None = None,
    middleware: Sequence[Middleware] = (),
    rest: Sequence[BaseRoute] = (),
) -> Starlette:
    """Build the application of a service.

    Parameters
    ----------
    registry
        What /metrics shows.
    routes
        The service's own routes. They are looked at first, for most requests are theirs.
    readiness
        What /readyz answers.
    lifespan
        Entered before the first request, left after the last.
    request_metrics
        How requests are counted; without it they are not.
    document
        The OpenAPI document.
    public
        Prefix of the paths that pages of any origin may read; their errors, and the document, say so.
    before_scrape
        Called before the metrics are collected.
    refusals
        Answers to exceptions of the service's own, besides `Refused`.
    middleware
        Further middleware, outside of what counts the requests.
    rest
        Routes of what no other route takes.
    """
    everything = [*routes, *_shell_routes(registry, readiness, before_scrape, document, public), *rest]
    observing = []
    if (counted := request_metrics) is not None:
        labels = route_labels(everything)
        observing = [Middleware(Observe, counted.requests, counted.seconds, labels, counted.untimed)]
    known = {Refused: _as_it_is, HTTPException: _no_route, **(refusals or {})}
    app = Starlette(
        routes=everything,
        middleware=[*middleware, *observing],
        exception_handlers={kind: _handler(refuse, public) for kind, refuse in known.items()},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirected POST loses its body in many clients
    return app


class Observe:
    """The outermost middleware: counts and times requests, and turns an unexpected exception into a logged 500.

    Parameters
    ----------
    app
        The wrapped application.
    requests, seconds
        Metrics that count and time requests, by `route` (and `status`).
    routes
        Path template of each endpoint: the label `route`, which is bounded.
    untimed
        Path templates of answers that last as long as the client likes: counted, not timed.
    """

    def __init__(
        self,
        app: ASGIApp,
        requests: Counter,
        seconds: Histogram,
        routes: Mapping[object, str],
        untimed: Set[str] = frozenset(),
    ) -> None:
        self._app = app
        self._untimed = untimed
        self._requests, self._seconds = requests, seconds
        self._routes = routes
        self._series: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = GONE
        began = time.perf_counter()

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except ClientDisconnect:
            pass
        except Exception:
            log.exception("%s %s", scope["method"], shown(scope["path"]))
            if status != GONE:
                raise  # the answer has started, so the connection can only be cut
            response = error_response(Refused(Refusal.INTERNAL, "an internal error; see the log of this server"))
            await response(scope, receive, observed)
        finally:
            route = self._routes.get(scope.get("endpoint"), OTHER)
            requests, seconds = self._of(route, status)
            requests.inc()
            if route not in self._untimed:
                seconds.observe(time.perf_counter() - began)

    def _of(self, route: str, status: str) -> tuple[Counter, Histogram]:
        """Counter and histogram, cached: looking up labels costs more than counting."""
        found = self._series.get((route, status))
        if found is None:
            found = (self._requests.labels(route, status), self._seconds.labels(route))
            self._series[route, status] = found
        return found


def _shell_routes(
    registry: CollectorRegistry,
    readiness: Readiness,
    before_scrape: Callable[[], None],
    document: Document | None,
    public: str | None,
) -> list[BaseRoute]:
    scraping = asyncio.Lock()

    async def healthz(_: Request) -> Response:
        return json_response({"status": "up"})

    async def readyz(_: Request) -> Response:
        if (fault := readiness.fault()) is not None:
            raise Refused(Refusal.UNAVAILABLE, fault, retry_after(readiness.retry_seconds))
        return json_response({"status": "ready", **readiness.details()})

    async def metrics(_: Request) -> Response:
        async with scraping:  # or a scrape would miss the gauges that `before_scrape` of the next one sets anew
            before_scrape()
            # In a thread: thousands of series take tens of milliseconds, and other requests should not wait.
            text = await asyncio.to_thread(generate_latest, registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def described(_: Request) -> Response:
        return json_response(document, headers=None if public is None else ANY_ORIGIN)

    routes: list[BaseRoute] = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    return routes if document is None else [*routes, Route("/openapi.json", described)]


def route_labels(routes: Iterable[BaseRoute]) -> dict[object, str]:
    """Path template of each endpoint, as it stands in the document."""
    labels: dict[object, str] = {}
    for route in routes:
        if isinstance(route, Route):
            labels[route.endpoint] = route.path.replace(":path}", "}")
        elif isinstance(route, Mount):
            labels[route.app] = route.path or "/"
    return labels


def _handler(refuse: Refuse, public: str | None) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        response = error_response(refuse(request, error))
        if public is not None and request.url.path.startswith(public):
            response.headers.update(ANY_ORIGIN)
        return response

    return handle


def _as_it_is(_: Request, error: Exception) -> Refused:
    if not isinstance(error, Refused):
        raise error
    return error


def _no_route(request: Request, error: Exception) -> Refused:
    """What Starlette raises where no route matches the path, or none of it the method."""
    path = request.url.path
    if isinstance(error, HTTPException) and error.status_code == 404:
        return Refused(Refusal.NOT_FOUND, f"there is no {path}")
    if isinstance(error, HTTPException) and error.status_code == 405:
        headers = {name: ", ".join(sorted(value.split(", "))) for name, value in (error.headers or {}).items()}
        # Only `Allow` is there, sorted because Starlette's order differs by process.
        return Refused(Refusal.METHOD_NOT_ALLOWED, f"{path} does not support {request.method}", headers)
    raise error
