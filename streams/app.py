"""The worker: one Faust application, and the path of the data through it.

    votes, models ─▶ intake ─▶ ledger ─┬▶ ratings  ─▶ boards in Redis
                        │              └▶ fairness ─▶ alerts, views in Redis
                        └────▶ dead-letters ─▶ counted

The stages must count each vote exactly once, so they are services that own their consumer (`streams.kafka.consumer`).
The count of dead letters may see a record twice, so it is a Faust agent. Nothing registers on import.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import faust
from faust.types import TransportT
from faust.web import Request, Response, View
from mode import Service
from mode.types import ServiceT
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.contracts.cause import in_one_line
from streams.contracts.connect import faust_credentials
from streams.contracts.kafka_record import PartitionName
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.fairness.stage import FairnessStage
from streams.intake.stage import IntakeStage
from streams.kafka.clients import SESSION_MS
from streams.kafka.dead_letters import account_dead_letters, pass_over_unreadable
from streams.ratings.stage import RatingsStage
from streams.watchdog import EXIT_CODE, Watchdog

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 6.0
STOP_SECONDS = 20.0
"""Longest time to stop before a forced exit, which is as safe as a crash at any other moment."""
FAUST_STOP_SECONDS = 6.0
"""Longest time to stop Faust after the stages have saved: its consumer thread may end without notice."""
AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a failed stage is restarted while others of this worker run; the last one repeats."""
STEADY_SECONDS = 60.0
"""A restarted stage counts as well after running for this long."""


class Stage(Protocol):
    """A stage as the application runs it."""

    name: str
    positions: dict[PartitionName, int]
    steps: int
    doing: str

    async def run(self) -> None:
        """Follow until cancelled, or until an error that the stage cannot recover from."""

    def told(self) -> str:
        """Describe what the last fetches brought."""


STAGES: dict[str, Callable[[Settings, Metrics], Stage]] = {
    "intake": IntakeStage,
    "ratings": RatingsStage,
    "fairness": FairnessStage,
}
"""Every stage, in the order of the data flow."""


def create_app(settings: Settings, metrics: Metrics, chosen: Sequence[str] = tuple(STAGES)) -> WorkerApp:
    """Build the application of one worker process.

    Parameters
    ----------
    settings, metrics
        Settings and metrics of this process.
    chosen
        Names of the stages to run here, from `STAGES`.
    """
    services = [StageService(name, partial(STAGES[name], settings, metrics), metrics) for name in chosen]
    for service in services:
        service.others = [other for other in services if other is not service]
    app = WorkerApp(
        metrics,
        [*services, WatchdogService(Watchdog(settings, metrics, services))],
        settings.kafka.group("worker"),
        broker=[f"aiokafka://{server}" for server in settings.kafka.bootstrap.split(",")],
        broker_credentials=faust_credentials(settings.kafka),
        broker_session_timeout=SESSION_MS / 1000,  # with the default, a start after a kill waits 60 s
        broker_heartbeat_interval=1.0,
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,  # `isonomy topics` creates the topics, with their settings
        stream_wait_empty=False,
        web_host=settings.http.host,
        web_bind=settings.http.host,
        web_port=settings.worker.port,
    )
    account_dead_letters(app, settings.kafka, metrics)
    _serve(app, metrics, services)
    return app


class WorkerApp(faust.App):
    """A Faust application that starts our services first: they need not wait for Faust's own consumer to join."""

    def __init__(self, metrics: Metrics, first: Sequence[Service], *args: Any, **options: Any) -> None:
        self._metrics, self._first = metrics, first
        self._deadline: threading.Timer | None = None
        super().__init__(*args, **options)

    def on_init_dependencies(self) -> list[ServiceT]:
        """Start the stages, then Faust's own services for its agents and web server."""
        return [*self._first, *super().on_init_dependencies()]

    def _new_transport(self) -> TransportT:
        transport = super()._new_transport()
        pass_over_unreadable(transport, self._metrics)
        return transport

    async def on_first_start(self) -> None:
        """Override Faust, which would create a directory for its tables: there are none."""

    async def on_stop(self) -> None:
        """Stop in bounded time: some consumers and producers wait forever for a broker that is down.

        The stages stop first and concurrently: each has state to save, and none depends on another.
        """
        self._exit_after(STOP_SECONDS, EXIT_CODE, "the next start continues from the saved state")
        await asyncio.gather(*(service.stop() for service in self._first))
        code = EXIT_CODE if self.crashed else 0
        self._exit_after(FAUST_STOP_SECONDS, code, "the stages have saved, and nothing else can be lost")
        await super().on_stop()

    async def on_shutdown(self) -> None:
        """Cancel the forced exit, because everything has stopped."""
        await super().on_shutdown()
        if self._deadline is not None:
            self._deadline.cancel()

    def say_cause(self, failure: BaseException | None) -> None:
        """Log why the worker failed, if it did; called last, because operators read the last line first.

        Parameters
        ----------
        failure
            The exception raised; when a stage failed, that caused it and is logged instead.
        """
        stages = [stage for stage in self._first if isinstance(stage, StageService) and stage.crashed]
        for stage in stages:
            if stage.crash_reason is not None:
                logger.critical("%s failed, and with it this worker: %s", stage.label, in_one_line(stage.crash_reason))
        if failure is not None and not stages:
            logger.critical("this worker failed: %s", in_one_line(failure))

    def _exit_after(self, seconds: float, code: int, why: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = threading.Timer(seconds, self._give_up, (seconds, code, why))
        self._deadline.daemon = True
        self._deadline.start()

    def _give_up(self, seconds: float, code: int, why: str) -> None:
        logger.warning("not stopped after %.0f s: exit, %s", seconds, why)
        self.say_cause(self.crash_reason)
        logging.shutdown()
        os._exit(code)


class StageEnded(RuntimeError):  # noqa: N818 -- what happened, in words
    """A stage ended although it was not stopped."""


class StageService(Service):
    """Runs one stage and restarts it when it fails, independently of the worker's other stages.

    Its failure ends the worker only when no other stage of the worker is well.

    Parameters
    ----------
    name
        Name of the stage.
    make
        Creates the stage, without state of the failed one.
    metrics
        Metrics of the worker.
    """

    def __init__(self, name: str, make: Callable[[], Stage], metrics: Metrics) -> None:
        super().__init__()
        self.name = name
        self._make, self._metrics = make, metrics
        self._stage = make()
        self._task: asyncio.Task[None] | None = None
        self._crashing: asyncio.Future[None] | None = None
        self._failures = 0
        self._stopping = False
        self.others: list[StageService] = []
        """The other stages of the worker."""

    @property
    def label(self) -> str:
        """Name of the stage in the logs."""
        return f"stage {self.name}"

    @property
    def positions(self) -> dict[PartitionName, int]:
        """Offset of the next record in each owned partition."""
        return self._stage.positions

    @property
    def steps(self) -> int:
        """Grows with all work of the stage that does not move its positions, restarts included."""
        return self._stage.steps + self._failures

    @property
    def doing(self) -> str:
        """Progress of a long take-over, in words."""
        return self._stage.doing

    @property
    def well(self) -> bool:
        """Whether the stage runs and has not failed recently."""
        return self._failures == 0 and self._task is not None and not self._task.done()

    def told(self) -> str:
        """Describe what the stage's last fetches brought."""
        return self._stage.told()

    async def on_start(self) -> None:
        """Start the stage."""
        self._metrics.stage_failures.labels(self.name)
        self._task = asyncio.create_task(self._keep_running())
        self._task.add_done_callback(self._ended)

    async def _keep_running(self) -> None:
        while True:
            began = time.monotonic()
            running = asyncio.create_task(self._stage.run())
            try:
                await asyncio.wait({running}, timeout=STEADY_SECONDS)
                if not running.done():
                    self._failures = 0
                await asyncio.wait({running})
            finally:
                await self._finish(running)
            error = StageEnded(f"{self.label} was cancelled") if running.cancelled() else running.exception()
            if error is None:
                return
            self._metrics.stage_failures.labels(self.name).inc()
            self._failures += 1
            if not any(other.well for other in self.others):
                raise error
            pause = AGAIN_SECONDS[min(self._failures, len(AGAIN_SECONDS)) - 1]
            logger.critical(
                "%s failed after %.0f s; the others keep running, it restarts in %.0f s",
                self.label, time.monotonic() - began, pause, exc_info=error,
            )  # fmt: skip
            await asyncio.sleep(pause)
            while not self._made_anew():  # noqa: ASYNC110 -- no event reports a repaired file
                await asyncio.sleep(AGAIN_SECONDS[-1])

    def _made_anew(self) -> bool:
        """Create the stage again; False when that fails, for example because the fairness file is broken now."""
        try:
            self._stage = self._make()
        except Exception:
            logger.critical("%s cannot be created again; the others keep running", self.label, exc_info=True)
            self._failures += 1  # counts as a step: the watchdog must not end the other stages for its lag
            return False
        return True

    async def _finish(self, running: asyncio.Task[None]) -> None:
        """Cancel the stage and wait until it has saved its state."""
        while not running.done():
            # Repeat a cancel that had no effect: a client may swallow it. An interrupted save costs a longer refold.
            running.cancel()
            await asyncio.wait({running}, timeout=CANCEL_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = StageEnded(f"{self.label} was cancelled") if task.cancelled() else task.exception()
        if error is None or (task.cancelled() and self._stopping):
            return
        self._crashing = asyncio.ensure_future(self.crash(error))

    async def on_stop(self) -> None:
        """End the stage."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


class WatchdogService(Service):
    """Starts and stops the watchdog's thread."""

    def __init__(self, watchdog: Watchdog) -> None:
        super().__init__()
        self._watchdog = watchdog

    async def on_start(self) -> None:
        """Start the watchdog's thread."""
        self._watchdog.start()

    async def on_stop(self) -> None:
        """Stop the watchdog's thread."""
        await asyncio.to_thread(self._watchdog.stop)


_AS_SAID = {"X-Content-Type-Options": "nosniff"}


def _serve(app: faust.App, metrics: Metrics, stages: Sequence[StageService]) -> None:
    async def exposition(view: View, request: Request) -> Response:
        return view.bytes(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST, **_AS_SAID})

    async def alive(view: View, request: Request) -> Response:
        return view.json({"status": "up"}, headers=_AS_SAID)

    async def ready(view: View, request: Request) -> Response:
        waiting = [stage for stage in stages if not metrics.is_ready(stage.name)]
        answer = {
            "ready": not waiting,
            "waiting_for": [stage.name for stage in waiting],
            "doing": {stage.name: stage.doing for stage in waiting if stage.doing},
        }
        return view.json(answer, status=503 if waiting else 200, headers=_AS_SAID)

    app.page("/metrics")(exposition)
    app.page("/healthz")(alive)
    app.page("/readyz")(ready)
