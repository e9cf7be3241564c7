"""The routes that read: answers from the held views."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.board.atom import feed
from services.board.cache import ALERTS as ALERTS_VIEW
from services.board.cache import FAIRNESS, UNREADABLE, HeldAlerts, Views, missing, spelled
from services.board.document import Document, reply
from services.board.ended_alerts import PastAlerts
from services.board.history_cache import Histories
from services.board.kafka_follower import Kafka
from services.board.ordering import Format, Rating
from services.board.sse_hub import EventStream, Hub
from services.http.errors import Refusal, Refused
from services.http.query import one_of, only, whole
from streams.contracts.alert import Alert, decode_alert
from streams.contracts.judged import told
from streams.contracts.view import OVERALL

log = logging.getLogger(__name__)

MOST_ALERTS, ALERTS = 1_000, 100
"""Alerts of one answer: the maximum, and the default."""
FEED_ALERTS = 200
STATUSES = ("firing", "all")

_encode = msgspec.json.Encoder().encode


class ReadRoutes:
    """The handlers and their shared state."""

    def __init__(
        self, views: Views, hub: Hub, past: PastAlerts, kafka: Kafka, histories: Histories, public_url: str
    ) -> None:
        self._views, self._hub, self._past, self._kafka = views, hub, past, kafka
        self._histories, self._public_url = histories, public_url
        self._feeds: dict[str, tuple[tuple[HeldAlerts | None, int, str], Document]] = {}

    async def arenas(self, request: Request) -> Response:
        """GET /v1/arenas."""
        only(request)
        self._views.require_known()
        lines = [held.summary(arena) for arena, held in sorted(self._views.arenas.items())]
        return self._answer(request, {"arenas": lines})

    async def leaderboard(self, request: Request) -> Response:
        """GET /v1/arenas/{arena}/leaderboard."""
        only(request, "board", "rating", "format")
        arena, name = request.path_params["arena"], request.query_params.get("board", OVERALL)
        name = spelled(name, self._views.arena(arena).boards)
        board = self._views.board(arena, name)
        rating = one_of(Rating, "rating", request.query_params.get("rating", "bt"))
        form = one_of(Format, "format", request.query_params.get("format", "json"))
        document = board.csv(rating) if form is Format.CSV else board.ordered(rating)
        return self._reply(request, document, arena, name)

    async def model(self, request: Request) -> Response:
        """GET /v1/arenas/{arena}/models/{model}."""
        only(request)
        arena, model = request.path_params["arena"], request.path_params["model"]
        held = self._views.arena(arena)
        overall = held.boards[OVERALL].lines if OVERALL in held.boards else {}
        fairness = held.fairness.lines if held.fairness else {}
        model = spelled(model, {*overall, *fairness})
        boards = {}
        for name, board in sorted(held.boards.items()):
            if (own := board.lines.get(model)) is not None:
                boards[name] = own
            await asyncio.sleep(0)  # decoding hundreds of boards for the first time takes a while
        line = fairness.get(model)
        if not boards and line is None:
            raise missing("model", model, overall, f" in arena {arena}")
        alerts = self._views.alerts(arena).of(model) if held.alerts or ALERTS_VIEW in held.unreadable else None
        content = {"arena": arena, "model": model, "boards": boards, "fairness": line, "alerts": alerts}
        return self._answer(request, {**content, "judged": held.judged}, arena, OVERALL)

    async def fairness(self, request: Request) -> Response:
        """GET /v1/arenas/{arena}/fairness."""
        only(request)
        arena = request.path_params["arena"]
        fairness = self._views.fairness(arena)
        if fairness is None:
            raise Refused(Refusal.NOT_FOUND, f"nothing is known of the fairness of arena {arena} yet")
        return self._reply(request, fairness.document, arena, FAIRNESS)

    async def alerts(self, request: Request) -> Response:
        """GET /v1/arenas/{arena}/alerts."""
        only(request, "status", "limit")
        arena = request.path_params["arena"]
        status = request.query_params.get("status", "firing")
        if status not in STATUSES:
            raise Refused(Refusal.INVALID_QUERY, f"status={status[:40]!r}: use {' or '.join(STATUSES)}")
        limit = whole("limit", request.query_params.get("limit", str(ALERTS)), 1, MOST_ALERTS)
        raws = self._alerts(arena, status == "all")
        content = {"arena": arena, "status": status, "total": len(raws), "alerts": raws[:limit]}
        content["judged"] = self._views.arena(arena).judged
        if status == "all":
            content["past"] = "away" if self._kafka.away or self._kafka.unreadable else "live"
        return self._answer(request, content, arena, ALERTS_VIEW)

    async def atom(self, request: Request) -> Response:
        """GET /v1/arenas/{arena}/alerts.atom."""
        only(request)
        arena = request.path_params["arena"]
        held = self._views.arena(arena)
        made_of = (held.alerts, self._past.taken, told(held.judged))
        known = self._feeds.get(arena)
        if known is None or known[0] != made_of:
            alerts = _readable(arena, self._alerts(arena, ended=True)[:FEED_ALERTS])
            document = Document(feed(arena, alerts, self._public_url, made_of[2]), b"application/atom+xml")
            known = self._feeds[arena] = (made_of, document)
        return self._reply(request, known[1], arena, ALERTS_VIEW)

    async def history(self, request: Request) -> Response:
        """GET /v1/arenas/{arena}/history."""
        only(request, "board", "model", "top")
        arena = request.path_params["arena"]
        board, model = request.query_params.get("board", OVERALL), request.query_params.get("model")
        held = self._views.arena(arena)
        board = spelled(board, held.boards)
        if board != OVERALL or board in held.boards:  # evidence exists before the first board does
            self._views.board(arena, board)
        top = whole("top", request.query_params.get("top", "10"), 1, 100)
        return self._reply(request, await self._histories.get(arena, board, model, top), arena, board)

    async def events(self, request: Request) -> Response:
        """GET /v1/arenas/{arena}/events."""
        only(request, "last_event_id")
        arena = request.path_params["arena"]
        self._views.arena(arena)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        # A page that opens a new EventSource cannot set headers, so the query parameter is accepted as well.
        last = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        return EventStream(self._hub, self._hub.join(arena, last))

    def _alerts(self, arena: str, ended: bool) -> list[bytes]:
        """JSON of the firing alerts, then of ended ones if `ended`; raises `Refused` where nothing was judged.

        Ended alerts come from Kafka, so they are known even while no view is published: `judged` is null then.
        """
        held = self._views.arena(arena)
        if ended and held.alerts is None and ALERTS_VIEW not in held.unreadable and (past := self._past.of(arena)):
            return [*map(msgspec.Raw, past)]
        firing = self._views.alerts(arena).by_id
        return [*firing.values(), *(map(msgspec.Raw, self._past.of(arena, but=firing)) if ended else [])]

    def _answer(self, request: Request, content: dict[str, object], arena: str = "", view: str = "") -> Response:
        return self._reply(request, Document(_encode(content)), arena, view)

    def _reply(self, request: Request, document: Document, arena: str = "", view: str = "") -> Response:
        return reply(request, document, self._views.staleness(time.monotonic(), time.time(), arena, view))


def _readable(arena: str, raws: list[bytes]) -> list[Alert]:
    """Decode the alerts that this version can read; a feed that lacks one is better than no feed."""
    alerts = []
    for raw in raws:
        try:
            alerts.append(decode_alert(raw))
        except UNREADABLE as error:
            log.warning("an alert of arena %s is not in its feed, because it cannot be read: %s", arena, error)
    return alerts
