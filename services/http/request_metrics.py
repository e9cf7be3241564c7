"""The outermost middleware: counts and times every request, and turns an unexpected exception into a logged 500."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Set

from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.http.errors import Refusal, Refused
from services.http.responses import error_response
from streams.contracts.names import shown

log = logging.getLogger(__name__)

OTHER = "other"
"""Route label of a request that no route matched."""
GONE = "499"
"""Status of a request whose client disconnected before the answer."""


class Observe:
    """ASGI middleware that counts and times requests.

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
