"""Fast path for the most frequent request, GET leaderboard: two dictionary look-ups, before any routing."""

from __future__ import annotations

import time
from functools import lru_cache
from urllib.parse import parse_qsl

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from services.board.cache import UNREADABLE, Views
from services.board.document import choose
from services.board.ordering import Rating
from streams.contracts.view import OVERALL

ROUTE = "/v1/arenas/{arena}/leaderboard"
LONGEST = 512
"""Paths and queries below this many characters are cached; longer ones, which no client needs, take the routes."""


class Fast:
    """ASGI middleware: answers GET of a held leaderboard, and leaves everything else to the routes.

    Parameters
    ----------
    app
        The wrapped application.
    views
        The held views.
    requests, seconds
        Metrics that count and time requests, under the label of the route that this bypasses.
    """

    def __init__(self, app: ASGIApp, views: Views, requests: Counter, seconds: Histogram) -> None:
        self._app, self._views = app, views
        self._requests = {status: requests.labels(ROUTE, str(status)) for status in (200, 304)}
        self._seconds = seconds.labels(ROUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        asked, query = None, scope.get("query_string", b"")
        if scope["type"] == "http" and scope["method"] == "GET" and len(scope["path"]) + len(query) < LONGEST:
            asked = question(scope["path"], query)
        held = self._views.arenas.get(asked[0]) if asked else None
        board = held.boards.get(asked[1]) if held and asked else None
        if asked is None or board is None:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        age = self._views.staleness(time.monotonic(), time.time(), asked[0], asked[1])
        try:
            ordered = board.ordered(asked[2])
        except UNREADABLE:  # the routes answer with the error
            await self._app(scope, receive, send)
            return
        status, headers, body = choose(scope, ordered, age)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._requests[status].inc()
        self._seconds.observe(time.perf_counter() - began)


@lru_cache(maxsize=4096)
def question(path: str, query: bytes) -> tuple[str, str, Rating] | None:
    """Arena, board and rating of a request for a leaderboard; None for other requests, or with other parameters.

    >>> question("/v1/arenas/text/leaderboard", b"board=language%3AGerman")
    ('text', 'language:German', <Rating.BT: 'bt'>)
    >>> question("/v1/arenas/text/leaderboard", b"bord=language%3AGerman")  # the route refuses it
    """
    parts = path.split("/")
    if len(parts) != 5 or parts[:3] != ["", "v1", "arenas"] or parts[4] != "leaderboard":
        return None
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True)
        given = dict(pairs)
        if len(given) < len(pairs) or not given.keys() <= {"board", "rating"}:
            return None
        rating = Rating(given.get("rating", Rating.BT))
    except ValueError:
        return None
    return parts[3], given.get("board", OVERALL), rating
