"""HTTP endpoints with configurable behaviour, and heralds as real processes over a broker."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web
from kafka import KafkaConsumer, KafkaProducer

from services.cli.topics import ensure_topics
from services.herald.channels.signing import new_secret
from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from streams.contracts.alert import Alert, Kind, Severity, Status, Subject, alert_id, encode_alert, fingerprint
from streams.contracts.delivery import Claim, Delivery, Record, decode_record, encode_record
from streams.contracts.settings import Settings
from streams.contracts.subscription import Channel, ChannelType, Match, Secret, Subscription, encode_subscription
from streams.contracts.topics import ALERTS, DELIVERIES, SUBSCRIPTIONS
from streams.kafka.end_offsets import ask_ends, partitions_of_topic
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess
from tests.support.http import PLAIN

REPOSITORY = Path(__file__).resolve().parents[2]
Behaviour = int | str | Callable[["Received"], int]
"""A status, `hang`, `redirect`, or a function that returns the status."""


@dataclass(frozen=True)
class Received:
    """One request that an endpoint got; `at` is wall time."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def alerts(self) -> list[tuple[str, str]]:
        """Id and status of each alert in a webhook's body."""
        return [(each["annotations"]["alert_id"], each["status"]) for each in self.json["alerts"]]


class Endpoints:
    """An HTTP server in its own thread that accepts any path; it answers 200 unless `behaviour` has the path."""

    def __init__(self) -> None:
        self.behaviour: dict[str, Behaviour] = {}
        self.answers: dict[str, dict[str, str]] = {}
        """Headers of the answer by path."""
        self.received: list[Received] = []
        self.acknowledged: list[Received] = []
        """Requests answered with 2xx; appended right before the answer is sent."""
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over: asyncio.Event
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    def __enter__(self) -> Endpoints:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def of(self, path: str) -> list[Received]:
        """Requests to a path, in order."""
        return [each for each in list(self.received) if each.path == path]

    def acknowledged_of(self, path: str) -> list[Received]:
        """Requests to a path that were answered with 2xx."""
        return [each for each in list(self.acknowledged) if each.path == path]

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0, backlog=1024)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        got = Received(time.time(), request.path, dict(request.headers), await request.read())
        self.received.append(got)
        behaviour = self.behaviour.get(request.path, 200)
        if behaviour == "hang":
            await self._over.wait()
            return web.Response(status=503)
        headers = dict(self.answers.get(request.path, {}))
        if behaviour == "redirect":
            return web.Response(status=302, headers={"Location": self.url("/elsewhere")})
        status = behaviour(got) if callable(behaviour) else int(behaviour)
        if 200 <= status < 300:
            self.acknowledged.append(got)
        return web.Response(status=status, text=f"answer of {request.path}", headers=headers)


def make_alert(
    number: int = 1,
    status: Status = Status.FIRING,
    *,
    arena: str = "text",
    severity: Severity = Severity.CRITICAL,
    onset: str = "100",
    detected_at: float = 1_767_225_600.0,
) -> Alert:
    """An alert about the model `model-<number>`."""
    subject = Subject(model=f"model-{number}")
    about = fingerprint(arena, Kind.SILENT_REMOVAL, subject)
    return Alert(
        id=alert_id(about, onset),
        fingerprint=about,
        arena=arena,
        kind=Kind.SILENT_REMOVAL,
        severity=severity,
        status=status,
        subject=subject,
        starts_at=detected_at - 60,
        detected_at=detected_at,
        ends_at=detected_at + 60 if status is Status.RESOLVED else None,
        summary=f"Model model-{number} is gone.",
        evidence={"appearances": 0, "expected_appearances": 12.5},
        runbook_url="docs/runbooks/silent_removal.md",
        version=1,
    )


def make_subscription(
    name: str, url: str, kind: ChannelType = ChannelType.WEBHOOK, *, secret: str | None = None, **match: Any
) -> Subscription:
    """A subscription; its id is its name."""
    now = time.time()
    secrets = (Secret(secret or new_secret()),) if kind is ChannelType.WEBHOOK else ()
    channel = Channel(type=kind, url=url, secrets=secrets)
    return Subscription(
        id=name, name=name, owner="test", match=Match(**match), channel=channel, created_at=now, updated_at=now
    )


@dataclass
class HeraldProcess:
    """One `isonomy herald`."""

    process: ChildProcess
    port: int

    def start(self) -> HeraldProcess:
        self.process.start()
        return self

    def metric(self, name: str) -> float:
        """Sum of the series of a name; 0 without an answer."""
        try:
            answer = httpx.get(f"http://{HOST}:{self.port}/metrics", timeout=5, **PLAIN)
        except httpx.TransportError:
            return 0.0
        lines = [line for line in answer.text.splitlines() if line.split("{")[0].split(" ")[0] == f"isonomy_{name}"]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def is_owner(self) -> bool:
        code = self.process.poll()
        if code is not None:
            raise RuntimeError(f"it ended with {code}:\n{self.process.log_tail(40)}")
        return self.metric("herald_owner") == 1.0

    def wait_owner(self, within: float = 45.0) -> HeraldProcess:
        eventually(self.is_owner, within, every=0.05)
        return self


@dataclass
class HeraldStack:
    """Topics under a prefix of their own, and heralds on them."""

    bootstrap: str
    topic_prefix: str
    directory: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    _started: list[HeraldProcess] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "ISONOMY_TOPIC_PREFIX": self.topic_prefix,
            "ISONOMY_ALLOW_PRIVATE": "1",
            "PYTHONUNBUFFERED": "1",
            **self.environ,
        }

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.environment)

    def create_topics(self) -> None:
        ensure_topics(self.settings, create=True)

    def herald(self, name: str = "herald", **environ: str) -> HeraldProcess:
        """A herald that is not started yet."""
        port = free_port()
        process = ForkedProcess(
            name,
            [sys.executable, "-m", "services.cli.main", "herald", "--port", str(port)],
            log_path=self.directory / f"{name}.log",
            env={**self.environment, **environ},
            cwd=REPOSITORY,
        )
        herald = HeraldProcess(process, port)
        self._started.append(herald)
        return herald

    def stop(self) -> None:
        for herald in self._started:
            if herald.process.alive:
                herald.process.kill()

    # --- in ----------------------------------------------------------------------------------------------------------

    def send(self, topic: str, records: Iterable[tuple[str, bytes | None]]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        try:
            for future in [
                producer.send(self.settings.kafka.topic(topic), key=k.encode(), value=v) for k, v in records
            ]:
                future.get(timeout=30)
        finally:
            producer.close()

    def subscribe(self, *subscriptions: Subscription) -> None:
        self.send(SUBSCRIPTIONS.name, [(each.id, encode_subscription(each)) for each in subscriptions])

    def tell(self, *alerts: Alert) -> float:
        """Write alerts; returns the time before the write."""
        at = time.time()
        self.send(ALERTS.name, [(alert.fingerprint, encode_alert(alert)) for alert in alerts])
        return at

    def write(self, key: str, record: Record | None) -> None:
        self.send(DELIVERIES.name, [(key, None if record is None else encode_record(record))])

    # --- out ---------------------------------------------------------------------------------------------------------

    def records(self) -> list[tuple[str, Record | None]]:
        """Everything in `deliveries`, in order."""
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        try:
            partitions = partitions_of_topic(consumer, self.settings.kafka.topic(DELIVERIES.name))
            ends = ask_ends(consumer, partitions)
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            found: list[Any] = []
            end = time.monotonic() + 30
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                assert time.monotonic() < end, "deliveries cannot be read to its end"
                found += [record for records in consumer.poll(timeout_ms=200).values() for record in records]
            return [(each.key.decode(), decode_record(each.value) if each.value else None) for each in found]
        finally:
            consumer.close()

    def deliveries(self) -> dict[str, Delivery]:
        """The newest record of each delivery."""
        newest: dict[str, Delivery] = {}
        for key, record in self.records():
            if isinstance(record, Delivery):
                newest[key] = record
            elif record is None:
                newest.pop(key, None)
        return newest

    def claims(self) -> list[Claim]:
        return [record for _, record in self.records() if isinstance(record, Claim)]
