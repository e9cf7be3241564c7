"""The gateway as one Starlette application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.gateway.auth import Gate
from services.gateway.openapi import openapi
from services.gateway.routes import RETRY_SECONDS, RecordLog, WriteRoutes
from services.http.errors import Refusal, Refused, retry_after
from services.http.request_metrics import Observe
from services.http.responses import error_response, json_response
from services.kafka.writer import KafkaLog, new_producer
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.topics import MODELS, VOTES


def create_gateway(
    settings: Settings,
    metrics: Metrics,
    new_producer: Callable[[Settings], AIOKafkaProducer] = new_producer,
    log: RecordLog | None = None,
) -> Starlette:
    """Wire the gateway. It starts without Kafka and answers votes with 503 until Kafka is reachable.

    Parameters
    ----------
    settings
        Settings of this process.
    metrics
        Metrics of this process.
    new_producer
        Makes aiokafka's producer; the default has the TLS and SASL of the settings.
    log
        Takes the records instead of Kafka, in tests.

    Raises
    ------
    InvalidKeyFile
        When the file of bearer keys cannot be used.
    """
    topics = [settings.topic(VOTES.name), settings.topic(MODELS.name)]
    records = log or KafkaLog(settings, topics, new_producer)
    gate = Gate(settings, metrics)
    write = WriteRoutes(settings, metrics, gate, records)
    description = openapi()

    async def healthz(_: Request) -> Response:
        return json_response({"status": "up"})

    async def readyz(_: Request) -> Response:
        fault = records.fault()
        if fault is not None:
            raise Refused(Refusal.UNAVAILABLE, fault, retry_after(RETRY_SECONDS))
        return json_response({"status": "ready"})

    async def series(_: Request) -> Response:
        gate.measure()
        return Response(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def described(_: Request) -> Response:
        return json_response(description)

    async def root(_: Request) -> Response:
        return json_response({"service": "isonomy gateway", "openapi": "/openapi.json"})

    routes = [
        Route("/v1/votes", write.votes, methods=["POST"]),
        # `path`: names of models have slashes, as in `meta-llama/Llama-3-8b`.
        Route("/v1/arenas/{arena}/models/{model:path}", write.model, methods=["PUT", "DELETE"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", series),
        Route("/openapi.json", described),
        Route("/", root),
    ]

    labels = {route.endpoint: _label(route.path) for route in routes}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with records.run():
            yield

    app = Starlette(
        routes=routes,
        middleware=[Middleware(Observe, metrics.requests, metrics.request_seconds, labels)],
        exception_handlers={Refused: _refused, HTTPException: _http_exception},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirected POST loses its body in many clients
    return app


def _label(path: str) -> str:
    return path.replace(":path}", "}")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 -- for the type checker: registered for this class only
    return error_response(error)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- as above
    if error.status_code == 404:
        return error_response(Refused(Refusal.NOT_FOUND, f"there is no {request.url.path}"))
    if error.status_code == 405:
        detail = f"{request.url.path} does not support {request.method}"
        return error_response(Refused(Refusal.METHOD_NOT_ALLOWED, detail, dict(error.headers or {})))
    raise error
