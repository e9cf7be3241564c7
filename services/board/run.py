"""Runs the board as a process, until SIGTERM or SIGINT."""

from __future__ import annotations

import gc
import logging

from services.board.app import create_board
from services.board.names import shown_names
from services.herald.api.openapi import subscription_document
from services.herald.api.routes import subscription_routes
from services.herald.rules.unknown import Shown
from services.http.server import serve_app
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings

GRACE_SECONDS = 5


def serve(settings: Settings) -> None:
    """Serve until a signal: then end the streams of events, answer what is under way, and return.

    Raises
    ------
    InvalidSetting
        When a file of secrets or keys cannot be used.
    CannotListen
        When the port is taken.
    SystemExit
        With 1 when it failed.
    """
    # It repeats itself ten times a second while Kafka is away; the board says once that it is, and that it is back.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    metrics = Metrics()

    async def names(arena: str | None) -> Shown | None:
        return await shown_names(app.state.views, arena)

    subscriptions = (*subscription_routes(settings, metrics, names), subscription_document())
    app = create_board(settings, metrics, more=[subscriptions])
    # What is loaded by now stays: looking for garbage among it would hold up answers.
    gc.collect()
    gc.freeze()
    serve_app(app, settings.host, settings.board_port, GRACE_SECONDS, stopping=app.state.stop)
