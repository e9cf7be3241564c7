"""A board as a real process, and a listener for its server-sent events."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess
from tests.support.http import PLAIN

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class BoardProcess:
    """One `isonomy board`."""

    process: ChildProcess
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def get(self, path: str, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(self.url + path, headers=given, timeout=10, **PLAIN)

    def wait(self, path: str = "/readyz", status: int = 200) -> Self:
        def answers() -> bool:
            assert self.process.alive, self.process.log_tail(40)
            try:
                return self.get(path).status_code == status
            except httpx.TransportError:
                return False

        try:
            eventually(answers, deadline=30)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.process.log_tail(40)}") from None
        return self

    def series(self, name: str) -> float:
        """Value of a series without labels."""
        lines = self.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"isonomy_{name} "))

    def listen(self, arena: str = "text", last: str | None = None) -> Listener:
        return Listener(f"{self.url}/v1/arenas/{arena}/events", last)


def board_process(environ: Mapping[str, str], directory: Path, name: str = "board") -> BoardProcess:
    """A board that is not started yet."""
    port = free_port()
    argv = [sys.executable, "-m", "services.cli.main", "board", "--port", str(port)]
    log = directory / f"{name}.log"
    return BoardProcess(ForkedProcess(name, argv, log_path=log, env=dict(environ), cwd=REPOSITORY), port)


@dataclass(frozen=True)
class Event:
    """One event, and the time of its arrival (monotonic seconds)."""

    id: str
    kind: str
    data: Any
    at: float


@dataclass
class Listener:
    """Collects the events of one stream in a thread while the context is open."""

    url: str
    last: str | None = None
    events: list[Event] = field(default_factory=list)
    end: str | None = None
    """How the stream ended: `whole`, or the error that cut it."""

    def __enter__(self) -> Self:
        headers = {} if self.last is None else {"Last-Event-ID": self.last}
        self._client = httpx.Client(timeout=httpx.Timeout(5, read=60), **PLAIN)
        request = self._client.build_request("GET", self.url, headers=headers)
        self._response = self._client.send(request, stream=True)
        assert self._response.status_code == 200, self._response.read()
        assert self._response.headers["content-type"].startswith("text/event-stream")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The thread reads from the socket: a shutdown wakes it, which closing would not.
        stream = self._response.extensions["network_stream"].get_extra_info("socket")
        if self.end is None and stream is not None:
            stream.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._response.close()
        self._client.close()

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    def state(self) -> dict[str, Any]:
        """Data of the last `stream` event."""
        told = self.of("stream")
        return told[-1].data if told else {}

    def wait(self, kind: str, count: int = 1, deadline: float = 15.0) -> list[Event]:
        """Wait for `count` events of a kind."""
        return eventually(lambda: found if len(found := self.of(kind)) >= count else [], deadline)

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._response.iter_lines():
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    if "data" in fields:
                        data = json.loads(fields["data"])
                        self.events.append(Event(fields["id"], fields["event"], data, time.monotonic()))
                    fields = {}
            self.end = "whole"
        except (httpx.TransportError, httpx.StreamError) as error:
            self.end = repr(error)
