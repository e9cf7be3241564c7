"""Runs the gateway as a process, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging

from services.gateway.app import create_gateway
from services.http.server import serve_app
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until a signal, then stop accepting, answer the requests in flight, flush, and return.

    Raises
    ------
    InvalidKeyFile
        When the file of bearer keys cannot be used.
    CannotListen
        When the port is taken.
    SystemExit
        With exit code 1, when the application failed.
    """
    # aiokafka logs the same error ten times a second while Kafka is away; the gateway logs only the change.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # Long enough to answer every request in flight: produce_timeout at most, and a little for the rest.
    grace = int(settings.kafka.produce_timeout) + 5
    serve_app(create_gateway(settings, Metrics()), settings.http.host, settings.gateway.port, grace)
