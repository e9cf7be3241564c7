"""The herald as a process, with its own HTTP: /metrics, /healthz and /readyz; it delivers in the app's lifespan."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.herald.dispatcher import Stalled
from services.herald.leader_election import Herald
from services.http.errors import Refusal, Refused, retry_after
from services.http.responses import error_response, json_response
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

    async def healthz(_: Request) -> Response:
        return json_response({"status": "up"})

    async def readyz(_: Request) -> Response:
        fault = herald.fault()
        if fault is not None:
            return error_response(Refused(Refusal.UNAVAILABLE, fault, retry_after(RETRY_SECONDS)))
        return json_response({"status": "ready"})

    async def series(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

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

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", series)]
    return Starlette(routes=routes, lifespan=lifespan)


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
    serve_app(create_herald(settings, Metrics(), fate, end_process), settings.host, settings.herald_port, GRACE)
    if fate.why:
        log.critical("the herald ended: %s", fate.why)
        raise SystemExit(1)
