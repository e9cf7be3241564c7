"""Runs the board as a process, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import logging

from services.board.app import create_board
from services.board.cache import UNREADABLE, Views
from services.herald.api.openapi import subscription_document
from services.herald.api.routes import subscription_routes
from services.herald.rules.unknown import ShownNames
from services.http.server import serve_app
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.view import OVERALL

GRACE_SECONDS = 5


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
