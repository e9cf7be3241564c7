"""The map: one Faust application, and the one way of the data through it.

    votes, models ─▶ intake ─▶ ledger ─┬▶ ratings  ─▶ boards in Redis
                        │              └▶ fairness ─▶ alerts, views in Redis
                        └────▶ dead-letters ─▶ counted

The stages that must count each vote exactly once are services that own their consumer (`streams.log`); what may see a
record twice, the accounting of dead letters, is an agent. Nothing registers on import.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import faust
from faust.web import Request, Response, View
from mode import Service
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.contracts.connect import faust_credentials
from streams.contracts.metrics import Metrics
from streams.contracts.reasons import Reason
from streams.contracts.settings import Settings
from streams.contracts.topics import DEAD_LETTERS
from streams.fairness.stage import FairnessStage
from streams.intake.stage import IntakeStage
from streams.log import SESSION_MS
from streams.ratings.stage import RatingsStage
from streams.watchdog import EXIT_CODE, Watchdog

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 6.0
STOP_SECONDS = 20.0
"""Longest time to stop; ending by force is as safe as a crash at any other moment."""
FAUST_STOP_SECONDS = 6.0
"""Longest time for what is left when the stages have saved: Faust's consumer thread may end without telling anyone."""


class Stage(Protocol):
    """A stage as the application runs it."""

    name: str
    positions: dict[Any, int]

    async def run(self) -> None:
        """Follow until cancelled; an error ends the process."""


STAGES: dict[str, Callable[[Settings, Metrics], Stage]] = {
    "intake": IntakeStage,
    "ratings": RatingsStage,
    "fairness": FairnessStage,
}
"""Every stage, in the order of the data."""


def create_app(settings: Settings, metrics: Metrics, chosen: Sequence[str] = tuple(STAGES)) -> faust.App:
    """Build the application of one worker process.

    Parameters
    ----------
    settings, metrics
        Of this process.
    chosen
        Names of the stages to run here, of `STAGES`.
    """
    stages = [STAGES[name](settings, metrics) for name in chosen]
    services = [StageService(stage) for stage in stages]
    app = _App(
        [*services, WatchdogService(Watchdog(settings, metrics, stages))],
        settings.group("worker"),
        broker=[f"aiokafka://{server}" for server in settings.kafka.split(",")],
        broker_credentials=faust_credentials(settings),
        broker_session_timeout=SESSION_MS / 1000,  # the default of 60 s makes the start after a kill wait for so long
        broker_heartbeat_interval=1.0,
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,  # topics are created by `isonomy topics`, with their settings
        stream_wait_empty=False,
        web_host=settings.host,
        web_bind=settings.host,
        web_port=settings.worker_port,
    )
    _account_dead_letters(app, settings, metrics)
    _serve(app, metrics, [stage.name for stage in stages])
    return app


class _App(faust.App):
    """A Faust application whose first dependencies are ours: they need not wait for its own consumer to join."""

    def __init__(self, first: Sequence[Service], *args: Any, **options: Any) -> None:
        self._first = first
        self._deadline: threading.Timer | None = None
        super().__init__(*args, **options)

    def on_init_dependencies(self) -> list[Any]:
        """Start the stages, then what Faust needs for its agents and its web server."""
        return [*self._first, *super().on_init_dependencies()]

    async def on_first_start(self) -> None:
        """Make no directory, which Faust would for its tables: there are none."""

    async def on_stop(self) -> None:
        """Stop, in bounded time: consumers and producers wait for a broker that is away, some of them for ever.

        The stages come first and side by side: each has something to save, and none needs another for it.
        """
        self._exit_after(STOP_SECONDS, EXIT_CODE, "the next start goes on from what was saved")
        await asyncio.gather(*(service.stop() for service in self._first))
        code = EXIT_CODE if self.crashed else 0
        self._exit_after(FAUST_STOP_SECONDS, code, "the stages have saved, and nothing else has anything to lose")
        await super().on_stop()

    async def on_shutdown(self) -> None:
        """Everything has stopped."""
        await super().on_shutdown()
        if self._deadline is not None:
            self._deadline.cancel()

    def _exit_after(self, seconds: float, code: int, why: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = threading.Timer(seconds, _give_up, (seconds, code, why))
        self._deadline.daemon = True
        self._deadline.start()


def _give_up(seconds: float, code: int, why: str) -> None:
    logger.warning("not stopped after %.0f s: exit, %s", seconds, why)
    logging.shutdown()
    os._exit(code)


class StageEnded(RuntimeError):  # noqa: N818 -- what happened, in words
    """A stage is over although nobody asked it to stop."""


class StageService(Service):
    """Runs one stage; its failure is the application's."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self._task: asyncio.Task[None] | None = None
        self._crashing: asyncio.Future[None] | None = None
        self._stopping = False

    @property
    def label(self) -> str:
        """How the logs call it."""
        return f"stage {self._stage.name}"

    async def on_start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._stage.run())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = StageEnded(f"{self.label} was cancelled") if task.cancelled() else task.exception()
        if error is None or (task.cancelled() and self._stopping):
            return
        self._crashing = asyncio.ensure_future(self.crash(error))

    async def on_stop(self) -> None:
        """Let the stage save what it has."""
        self._stopping = True
        while self._task is not None and not self._task.done():
            # Once more when it had no effect: a client may swallow it. A save that is cut off costs a longer refold.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_SECONDS)


class WatchdogService(Service):
    """Starts and stops the watchdog's thread."""

    def __init__(self, watchdog: Watchdog) -> None:
        super().__init__()
        self._watchdog = watchdog

    async def on_start(self) -> None:
        """Begin to look."""
        self._watchdog.start()

    async def on_stop(self) -> None:
        """Look no more."""
        await asyncio.to_thread(self._watchdog.stop)


def _account_dead_letters(app: faust.App, settings: Settings, metrics: Metrics) -> None:
    topic = app.topic(settings.topic(DEAD_LETTERS.name), key_type=bytes, value_type=bytes, value_serializer="raw")
    known = {reason.value for reason in Reason}

    @app.agent(topic, name="account-dead-letters")
    async def account(letters: Any) -> None:
        async for event in letters.events():
            reason = dict(event.headers or {}).get("reason", b"").decode("ascii", "replace")
            metrics.dead_letters.labels(reason if reason in known else "unknown").inc()


def _serve(app: faust.App, metrics: Metrics, stages: Sequence[str]) -> None:
    async def exposition(view: View, request: Request) -> Response:
        return view.bytes(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def alive(view: View, request: Request) -> Response:
        return view.json({"status": "up"})

    async def ready(view: View, request: Request) -> Response:
        waiting = [name for name in stages if not metrics.is_ready(name)]
        return view.json({"ready": not waiting, "waiting_for": waiting}, status=503 if waiting else 200)

    app.page("/metrics")(exposition)
    app.page("/healthz")(alive)
    app.page("/readyz")(ready)
