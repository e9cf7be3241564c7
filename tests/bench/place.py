"""The environment of a measurement: its own broker and Redis, with fresh topics and keys for every round."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.topics import ensure_topics
from services.http.api_keys import new_key
from services.local.broker import EmbeddedBroker
from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from services.local.redis import RedisServer
from streams.contracts.settings import Settings
from tests.support.kafka_node import KafkaNode

REPOSITORY = Path(__file__).resolve().parents[2]
READY_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway, and the secret of a key for it."""

    port: int
    secret: str


@dataclass(frozen=True, slots=True)
class Worker:
    """A running worker."""

    port: int
    process: ChildProcess


@dataclass(frozen=True, slots=True)
class Board:
    """A running board, and the one processor that it runs on."""

    port: int
    pid: int
    processor: int


class Place:
    """Exclusive topics and keys on a broker and a Redis that rounds may share.

    Parameters
    ----------
    kind
        `embedded` or `kafka`.
    environ
        Environment with the addresses of the servers.
    directory
        Directory for logs and results.
    """

    def __init__(self, kind: str, environ: Mapping[str, str], directory: Path) -> None:
        self.kind, self.directory = kind, directory
        tag = secrets.token_hex(3)
        self.environ = {
            **environ,
            "ISONOMY_TOPIC_PREFIX": f"b{tag}.",
            "ISONOMY_REDIS_PREFIX": f"b{tag}",
            "ISONOMY_RATE_LIMIT": "0",  # measure the gateway, not its rate limit
        }
        self.settings = Settings.from_env(self.environ)
        ensure_topics(self.settings, create=True)

    @contextmanager
    def worker(self, stages: str = "intake,ratings") -> Iterator[Worker]:
        """Run one worker; the context starts once it follows its partitions."""
        port = free_port()
        process = self._own("worker", ["worker", "--stages", stages, "--port", str(port)], {})
        with process:
            _until_ready(process, port)
            yield Worker(port, process)

    @contextmanager
    def gateway(self) -> Iterator[Gateway]:
        """Run one gateway; the context starts once it reaches the broker."""
        port = free_port()
        secret, line = new_key("bench", "*")
        keys = self.directory / f"{self.settings.redis.prefix}.keys"
        keys.touch(mode=0o600)
        keys.write_text(line + "\n")
        process = self._own("gateway", ["gateway", "--port", str(port)], {"ISONOMY_API_KEYS_FILE": str(keys)})
        with process:
            _until_ready(process, port)
            yield Gateway(port, secret)

    @contextmanager
    def board(self) -> Iterator[Board]:
        """Run one board on one processor; the context starts once it follows Redis."""
        port, processor = free_port(), min(os.sched_getaffinity(0))
        process = self._own("board", ["board", "--port", str(port)], {})
        with process:
            os.sched_setaffinity(process.pid, {processor})  # later threads and children inherit it
            _until_ready(process, port)
            yield Board(port, process.pid, processor)

    def run(self, program: str, deadline: float, python: str | None = None, **given: Any) -> dict[str, Any]:
        """Run `programs/<program>.py` to its end; returns its answer.

        Parameters
        ----------
        program
            Module name.
        deadline
            Seconds until it is stopped.
        python
            Another interpreter; the program then runs as a plain script, without this repository on its path.
        given
            Parameters of the program.
        """
        result = self.directory / f"{program}-{secrets.token_hex(3)}.json"
        file = Path(__file__).parent / "programs" / f"{program}.py"
        argv = [python, str(file)] if python else [sys.executable, "-m", f"tests.bench.programs.{program}"]
        parameters = json.dumps({**given, "result": str(result)})
        log = result.with_suffix(".log")
        with ChildProcess(program, [*argv, parameters], log_path=log, env=self.environ, cwd=REPOSITORY) as process:
            end = time.monotonic() + deadline
            while not result.exists():
                if not process.alive and not result.exists():
                    raise RuntimeError(f"{program} exited with {process.poll()}:\n{process.log_tail()}")
                if time.monotonic() > end:
                    raise TimeoutError(f"{program} took longer than {deadline:g} s:\n{process.log_tail()}")
                time.sleep(0.05)
        answer: dict[str, Any] = json.loads(result.read_bytes())
        return answer

    def get(self, port: int, path: str) -> str:
        """Body of a page of one of the processes."""
        return _get(port, path)[1]

    def _own(self, name: str, arguments: list[str], more: Mapping[str, str]) -> ChildProcess:
        log = self.directory / f"{name}-{self.settings.redis.prefix}.log"
        argv = [sys.executable, "-m", "services.cli.main", *arguments]
        return ChildProcess(name, argv, log_path=log, env={**self.environ, **more}, cwd=REPOSITORY)


class Servers:
    """A running broker and Redis; every `place` on them is fresh."""

    def __init__(self, kind: str, environ: Mapping[str, str], directory: Path) -> None:
        self.kind, self._environ, self._directory = kind, environ, directory

    def place(self) -> Place:
        """A place for one round."""
        return Place(self.kind, self._environ, self._directory)


@contextmanager
def servers(kind: str, directory: Path) -> Iterator[Servers]:
    """Run a broker of this kind and a Redis on loopback, and stop them at the end."""
    broker: EmbeddedBroker | KafkaNode
    broker = EmbeddedBroker(directory) if kind == "embedded" else KafkaNode(directory / "kafka")
    redis = RedisServer(directory)
    with broker, redis:
        where = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "REDIS_URL": redis.url}
        yield Servers(kind, {**os.environ, **where, **ONE_THREAD}, directory)


ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def _until_ready(process: ChildProcess, port: int) -> None:
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        if not process.alive:
            raise RuntimeError(f"{process.name} exited with {process.poll()}:\n{process.log_tail()}")
        try:
            if _get(port, "/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"{process.name} was not ready within {READY_WITHIN:g} s:\n{process.log_tail()}")


def _get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
