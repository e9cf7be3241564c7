"""The map: one Faust application, and the one way of the data through it.

    votes, models ─▶ intake ─▶ ledger ─┬▶ ratings  ─▶ boards in Redis
                        │              └▶ fairness ─▶ alerts, views in Redis
                        └────▶ dead-letters ─▶ counted

The stages that must count each vote exactly once are services that own their consumer (`streams.kafka.consumer`); what
may see a record twice, the accounting of dead letters, is an agent. Nothing registers on import.
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
from faust.web import Request, Response, View
from mode import Service
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.contracts.cause import in_one_line
from streams.contracts.connect import faust_credentials
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
"""Longest time to stop; ending by force is as safe as a crash at any other moment."""
FAUST_STOP_SECONDS = 6.0
"""Longest time for what is left when the stages have saved: Faust's consumer thread may end without telling anyone."""
AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a stage that failed is begun again, while others of this worker go on; the last one repeats."""
STEADY_SECONDS = 60.0
"""A stage that has run for so long is well again."""


class Stage(Protocol):
    """A stage as the application runs it."""

    name: str
    positions: dict[Any, int]
    steps: int
    doing: str

    async def run(self) -> None:
        """Follow until cancelled, or until something fails that the stage cannot mend."""

    def told(self) -> str:
        """What the last fetches brought, in words."""


STAGES: dict[str, Callable[[Settings, Metrics], Stage]] = {
    "intake": IntakeStage,
    "ratings": RatingsStage,
    "fairness": FairnessStage,
}
"""Every stage, in the order of the data."""


def create_app(settings: Settings, metrics: Metrics, chosen: Sequence[str] = tuple(STAGES)) -> WorkerApp:
    """Build the application of one worker process.

    Parameters
    ----------
    settings, metrics
        Of this process.
    chosen
        Names of the stages to run here, of `STAGES`.
    """
    services = [StageService(name, partial(STAGES[name], settings, metrics), metrics) for name in chosen]
    for service in services:
        service.others = [other for other in services if other is not service]
    app = WorkerApp(
        metrics,
        [*services, WatchdogService(Watchdog(settings, metrics, services))],
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
    account_dead_letters(app, settings, metrics)
    _serve(app, metrics, services)
    return app


class WorkerApp(faust.App):
    """A Faust application whose first dependencies are ours: they need not wait for its own consumer to join."""

    def __init__(self, metrics: Metrics, first: Sequence[Service], *args: Any, **options: Any) -> None:
        self._metrics, self._first = metrics, first
        self._deadline: threading.Timer | None = None
        super().__init__(*args, **options)

    def on_init_dependencies(self) -> list[Any]:
        """Start the stages, then what Faust needs for its agents and its web server."""
        return [*self._first, *super().on_init_dependencies()]

    def _new_transport(self) -> Any:
        transport = super()._new_transport()
        pass_over_unreadable(transport, self._metrics)
        return transport

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

    def say_cause(self, failure: BaseException | None) -> None:
        """Say why the worker ends, if it failed; to be said last, for that is what is looked at first.

        Parameters
        ----------
        failure
            What was raised; a stage that failed is the cause of it, and is told instead.
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
    """A stage is over although nobody asked it to stop."""


class StageService(Service):
    """Runs one stage, and begins it anew when it fails: the stages of a worker fail apart.

    Only when no other stage of the worker is well, its failure is the worker's.

    Parameters
    ----------
    name
        Of the stage.
    make
        Makes it, without any memory of what failed.
    metrics
        Of the worker.
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
        """How the logs call it."""
        return f"stage {self.name}"

    @property
    def positions(self) -> dict[Any, int]:
        """Next record of each partition held."""
        return self._stage.positions

    @property
    def steps(self) -> int:
        """Grows with whatever the stage does besides moving, beginning anew included."""
        return self._stage.steps + self._failures

    @property
    def doing(self) -> str:
        """What a long take-over is at, in words."""
        return self._stage.doing

    @property
    def well(self) -> bool:
        """Whether it runs and has not failed lately."""
        return self._failures == 0 and self._task is not None and not self._task.done()

    def told(self) -> str:
        """What the last fetches of the stage brought, in words."""
        return self._stage.told()

    async def on_start(self) -> None:
        """Begin to follow."""
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
                "%s failed after %.0f s; the others go on, it begins again in %.0f s",
                self.label, time.monotonic() - began, pause, exc_info=error,
            )  # fmt: skip
            await asyncio.sleep(pause)
            while not self._made_anew():  # noqa: ASYNC110 -- nobody tells when a file is mended
                await asyncio.sleep(AGAIN_SECONDS[-1])

    def _made_anew(self) -> bool:
        """Make the stage again; what it is made of, the fairness file for instance, may be broken by now."""
        try:
            self._stage = self._make()
        except Exception:
            logger.critical("%s cannot be made anew; the others go on", self.label, exc_info=True)
            self._failures += 1  # it counts as a step: the watchdog must not end the others for its lag
            return False
        return True

    async def _finish(self, running: asyncio.Task[None]) -> None:
        """Let the stage save what it has."""
        while not running.done():
            # Once more when it had no effect: a client may swallow it. A save that is cut off costs a longer refold.
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
        """Begin to look."""
        self._watchdog.start()

    async def on_stop(self) -> None:
        """Look no more."""
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
