"""A server of the local stack: a child process that counts as started once it answers requests."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from services.local.ports import HOST, free_port, require_free
from services.local.process import TERMINATE_WITHIN, ChildProcess, StartError


class LocalServer(ABC):
    """A process that listens on one loopback port.

    Parameters
    ----------
    directory
        Holds its log, and its data if it keeps any; created if missing.
    port
        The port to listen on, or `None` for a free one. A restarted server keeps its port.
    """

    name: str
    ready_within: float = 15.0

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.port = free_port() if port is None else port
        self._process: ChildProcess | None = None

    @abstractmethod
    def argv(self) -> list[str]:
        """Return program and arguments; raise `StartError` if the program is not installed."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server answers a request now; an `OSError` also means no."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def process(self) -> ChildProcess:
        """The child process of the latest start, for callers that inspect, freeze or kill it."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process

    @property
    def running(self) -> bool:
        """Whether the server was started and has not exited; a frozen server counts as running."""
        return self._process is not None and self._process.alive

    def start(self) -> None:
        """Start the server and return once it answers.

        Raises
        ------
        StartError
            If it is not installed, its port is taken, it exits, or it does not answer within `ready_within` seconds.
        """
        self.launch()
        try:
            wait_until(self.answers, self.ready_within, self.process)
        except BaseException:
            self.process.kill()
            raise

    def launch(self) -> None:
        """Start the process without waiting until it answers, for servers that need each other to become ready."""
        require_free(self.port, self.name)
        process = ChildProcess(self.name, self.argv(), log_path=self.directory / f"{self.name}.log")
        process.start()
        self._process = process

    def poll(self) -> int | None:
        """Return the exit code, or `None` while the server runs and before its first start."""
        return None if self._process is None else self._process.poll()

    @property
    def last_line(self) -> str:
        """The last line of its log since the latest start."""
        return "" if self._process is None else self._process.last_line

    def terminate(self, deadline: float = TERMINATE_WITHIN) -> None:
        """Stop the server with SIGTERM, and with SIGKILL after `deadline` seconds; do nothing if it does not run."""
        if self._process is not None:
            self._process.terminate(deadline)

    def kill(self) -> None:
        """Kill the server with SIGKILL, as abruptly as a power cut."""
        self.process.kill()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same port and directory."""
        self.terminate()
        self.start()


def wait_until(answers: Callable[[], bool], deadline: float, process: ChildProcess) -> None:
    """Poll until the process answers; raise `StartError` with the end of its log if it exits or time runs out."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        # Another process on the port could answer instead, so an answer counts only while the child is alive.
        code = process.poll()
        if code is not None:
            raise StartError(f"{process.name} exited with {code} before it answered; {_log_of(process)}")
        try:
            if answers() and process.alive:
                return
        except OSError:
            pass
        time.sleep(0.01)
    raise StartError(f"{process.name} did not answer within {deadline:g} s; {_log_of(process)}")


def _log_of(process: ChildProcess) -> str:
    return f"its log {process.log_path} ends:\n{process.log_tail()}"
