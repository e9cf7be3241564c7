"""Runs the herald as a process, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging

from services.herald.app import Fate, create_herald
from services.http.server import end_process, serve_app
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings

log = logging.getLogger(__name__)

GRACE = 5


def serve(settings: Settings) -> None:
    """Run until a signal. Then finish the attempts under way, log the results, release the claim, return.

    Raises
    ------
    InvalidSetting
        If a setting has no usable value.
    CannotListen
        If the port is in use.
    SystemExit
        With code 1 if the herald failed.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it repeats one line while Kafka is away
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs URLs, and they contain tokens
    fate = Fate()
    serve_app(create_herald(settings, Metrics(), fate, end_process), settings.http.host, settings.herald.port, GRACE)
    if fate.why:
        log.critical("the herald ended: %s", fate.why)
        raise SystemExit(1)
