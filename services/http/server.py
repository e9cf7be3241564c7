"""Runs an HTTP application as a process, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from services.http.uvicorn_protocol import Protocol
from streams.contracts.cause import in_one_line

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle time of common load balancers (60 s), or they meet a connection that was just closed."""


log = logging.getLogger(__name__)


class CannotListen(OSError):  # noqa: N818 -- what is so
    """The server cannot have its address; `errno` says why."""


class SignalledServer(uvicorn.Server):
    """Uvicorn that ends with exit code 0 after a signal: its own would raise the signal again and end with 143.

    Parameters
    ----------
    config
        Uvicorn's.
    stopping
        Called at the signal, before the requests under way are waited for.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown."""
        self._stopping()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT begin the shutdown; a second SIGINT ends it at once."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for each in signals:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in signals:
                loop.remove_signal_handler(each)


def serve_app(app: Starlette, host: str, port: int, grace: int, stopping: Callable[[], None] = lambda: None) -> None:
    """Serve until a signal: then accept nothing more, answer what is under way, and return.

    Parameters
    ----------
    app
        What is served; its lifespan ends last.
    host, port
        Where it listens.
    grace
        Longest time for requests under way, seconds.
    stopping
        Called at the signal: ends what would last for ever.

    Raises
    ------
    CannotListen
        When the port is taken, or the host is not ours.
    SystemExit
        With 1, and the cause as the last line, when the lifespan of `app` failed.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").addFilter(Seldom())
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=[("X-Content-Type-Options", "nosniff")],  # of every answer, uvicorn's own included
        proxy_headers=False,  # nothing here asks where a request comes from
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace,
    )
    failures = _failures_of(app)
    try:
        SignalledServer(config, stopping).run()
    except SystemExit as ended:  # uvicorn ends with 3 when it cannot begin
        error = ended.__context__
        if isinstance(error, OSError):
            raise CannotListen(error.errno, error.strerror or str(error)) from None
        if not failures:
            raise
    if failures:  # uvicorn has logged the trace; after a failure at the end it returns as if nothing was
        log.critical("this process failed: %s", in_one_line(failures[0]))
        raise SystemExit(1)


def end_process() -> None:
    """Ask this process to end, as a signal from outside would."""
    os.kill(os.getpid(), signal.SIGTERM)


def _failures_of(app: Starlette) -> list[Exception]:
    """Return a list that what the lifespan of `app` raises will be put into."""
    lifespan = app.router.lifespan_context
    failures: list[Exception] = []

    @contextlib.asynccontextmanager
    async def watched(app: Starlette) -> AsyncIterator[Any]:
        try:
            async with lifespan(app) as state:
                yield state
        except Exception as error:
            failures.append(error)
            raise

    app.router.lifespan_context = watched
    return failures


SAME_WARNING_SECONDS = 60.0


class Seldom(logging.Filter):
    """Lets a warning pass when the same one has not passed for a minute; anything else passes always.

    Uvicorn warns of every request that is no HTTP, or that asks for a WebSocket: a line for each, to anybody who likes.
    Its texts are a few and constant, so what is remembered is bounded.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is written; it says how many like it were not."""
        if record.levelno != logging.WARNING:
            return True
        text, now = str(record.msg), self._clock()
        if now - self._passed.get(text, float("-inf")) < SAME_WARNING_SECONDS:
            self._held[text] = self._held.get(text, 0) + 1
            return False
        self._passed[text] = now
        if held := self._held.pop(text, 0):
            record.msg = f"{text} ({held} more since the last such line)"
        return True
