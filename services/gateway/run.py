"""Runs the gateway as a process, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging

from services.gateway.app import create_gateway
from services.http.server import serve_app
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until a signal: then accept nothing more, answer what is under way, flush, and return.

    Raises
    ------
    InvalidKeyFile
        When the file of bearer keys cannot be used.
    CannotListen
        When the port is taken.
    SystemExit
        With 1 when it failed.
    """
    # It repeats itself ten times a second while Kafka is away; the gateway says once that it is, and that it is back.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # Every request under way gets its answer: that takes produce_timeout at most, and a little for the rest.
    grace = int(settings.produce_timeout) + 5
    serve_app(create_gateway(settings, Metrics()), settings.host, settings.gateway_port, grace)
