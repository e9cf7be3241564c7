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

import uvicorn
from starlette.applications import Starlette

from services.http.uvicorn_protocol import Protocol
from streams.contracts.cause import in_one_line

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle time of common load balancers (60 s), or they would use a connection that was just closed."""


log = logging.getLogger(__name__)


class CannotListen(OSError):  # noqa: N818 -- named after the state
    """The server cannot bind its address; `errno` says why."""


class SignalledServer(uvicorn.Server):
    """Uvicorn that ends with exit code 0 after a signal: its own would raise the signal again and end with 143.

    Parameters
    ----------
    config
        Uvicorn's configuration.
    stopping
        Called at the signal, before the server waits for the requests in flight.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the shutdown."""
        self._stopping()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT start the shutdown; a second SIGINT ends it at once."""
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
    """Serve until a signal, then stop accepting, answer the requests in flight, and return.

    Parameters
    ----------
    app
        The application; its lifespan ends last.
    host, port
        Address to listen on.
    grace
        Longest time for requests in flight, seconds.
    stopping
        Called at the signal, to end responses that would last for ever.

    Raises
    ------
    CannotListen
        When the port is taken, or the host is not an address of this machine.
    SystemExit
        With exit code 1 when the lifespan of `app` failed; the last log line has the cause.
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
        proxy_headers=False,  # client addresses are not used
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace,
    )
    failures = _failures_of(app)
    try:
        SignalledServer(config, stopping).run()
    except SystemExit as ended:  # uvicorn exits with 3 when it cannot start
        error = ended.__context__
        if isinstance(error, OSError):
            raise CannotListen(error.errno, error.strerror or str(error)) from None
        if not failures:
            raise
    if failures:  # uvicorn has logged the traceback; after a failure at shutdown it returns normally
        log.critical("this process failed: %s", in_one_line(failures[0]))
        raise SystemExit(1)


def end_process() -> None:
    """End this process in the same way as a SIGTERM from outside."""
    os.kill(os.getpid(), signal.SIGTERM)


def _failures_of(app: Starlette) -> list[Exception]:
    """Wrap the lifespan of `app`; the returned list receives what it raises."""
    lifespan = app.router.lifespan_context
    failures: list[Exception] = []

    @contextlib.asynccontextmanager
    async def watched(app: Starlette) -> AsyncIterator[None]:
        try:
            async with lifespan(app):
                yield
        except Exception as error:
            failures.append(error)
            raise

    app.router.lifespan_context = watched
    return failures


SAME_WARNING_SECONDS = 60.0


class Seldom(logging.Filter):
    """Logging filter that passes the same warning at most once a minute; other levels always pass.

    Uvicorn logs a warning for every request that is not HTTP or asks for a WebSocket, so any client could fill the log.
    Its texts are few and constant, so the memory of this filter is bounded.

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
        """Whether the record is logged; appends how many of the same were suppressed."""
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
