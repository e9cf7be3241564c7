"""The herald as a process, with its own HTTP: /metrics, /healthz and /readyz; it delivers in the app's lifespan."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from starlette.applications import Starlette

from services.herald.dispatcher import Stalled
from services.herald.leader_election import Herald
from services.http.app import Readiness, create_app
from services.http.server import end_process, serve_app
from services.kafka.reader import Unreadable
from streams.contracts.cause import in_one_line
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
GRACE = 5


class Fate:
    """Why the herald failed: sets the exit code and the last log line of the process. Empty while it runs."""

    why = ""


def create_herald(settings: Settings, metrics: Metrics, fate: Fate, end: Callable[[], None]) -> Starlette:
    """Wire the herald.

    Parameters
    ----------
    fate
        Gets the reason when the herald fails.
    end
        Is called then. It ends the process, and the supervisor starts a new one.
    """
    herald = Herald(settings, metrics)

    def over(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            expected = isinstance(error, (LookupError, KafkaError, Stalled, Unreadable))
            log.error("the herald failed: %s", error, exc_info=None if expected else error)
            fate.why = in_one_line(error)
            end()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(herald.run())
        task.add_done_callback(over)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    return create_app(metrics.registry, [], Readiness(herald.fault, RETRY_SECONDS), lifespan)


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
    fate = Fate()
    serve_app(create_herald(settings, Metrics(), fate, end_process), settings.http.host, settings.herald.port, GRACE)
    if fate.why:
        log.critical("the herald ended: %s", fate.why)
        raise SystemExit(1)
