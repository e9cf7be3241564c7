"""The gateway as one Starlette application, and as a process that serves it until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.gateway.auth import Gate
from services.gateway.openapi import openapi
from services.gateway.routes import RETRY_SECONDS, RecordLog, WriteRoutes
from services.http.app import Readiness, RequestMetrics, create_app
from services.http.responses import json_response
from services.http.server import serve_app
from services.kafka.writer import KafkaLog, new_producer
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.topics import MODELS, VOTES


def create_gateway(
    settings: Settings,
    metrics: Metrics,
    new_producer: Callable[[KafkaSettings], AIOKafkaProducer] = new_producer,
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
    topics = [settings.kafka.topic(VOTES.name), settings.kafka.topic(MODELS.name)]
    records = log or KafkaLog(settings.kafka, topics, new_producer)
    gate = Gate(settings.gateway, metrics)
    write = WriteRoutes(settings, metrics, gate, records)

    async def root(_: Request) -> Response:
        return json_response({"service": "isonomy gateway", "openapi": "/openapi.json"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with records.run():
            yield

    return create_app(
        metrics.registry,
        [
            Route("/v1/votes", write.votes, methods=["POST"]),
            # `path`: names of models have slashes, as in `meta-llama/Llama-3-8b`.
            Route("/v1/arenas/{arena}/models/{model:path}", write.model, methods=["PUT", "DELETE"]),
            Route("/", root),
        ],
        Readiness(records.fault, RETRY_SECONDS),
        lifespan,
        request_metrics=RequestMetrics(metrics.requests, metrics.request_seconds),
        document=openapi(),
        before_scrape=gate.measure,
    )


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
