"""`isonomy up`: the whole stack on this machine, until Ctrl-C."""

# Longer than most: it holds what is started, in which order, and how it stops.

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.common import read_settings
from services.cli.errors import UserError

if TYPE_CHECKING:
    from services.local.ports import WantedPort
    from services.local.server import LocalServer
    from services.local.supervisor import ChildReport, Supervisor

READY_WITHIN = 300.0
LONG_SECONDS = 15.0
"""Seconds of waiting for the processes from which a person wants to know why."""
LOOK_SECONDS = 0.1


@click.command("up")
@click.option("--replay", "source", metavar="SOURCE", help="Then replay these votes and show the board as it forms.")
@click.option("--simulate", "scenario", metavar="SCENARIO", help="Then play this scenario and show its alerts.")
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Worker processes.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".isonomy/up"),
    show_default=True,
    help="Directory for logs and the gateway's key; only one `isonomy up` at a time can use it.",
)
@click.option(
    "--broker-port",
    type=click.IntRange(0, 65_535),
    envvar="ISONOMY_BROKER_PORT",
    help="Port of the embedded broker (0: any); default: 9092, or any if that is taken.  [ISONOMY_BROKER_PORT]",
)
@click.option(
    "--redis-port",
    type=click.IntRange(0, 65_535),
    envvar="ISONOMY_REDIS_PORT",
    help="Port of the local Redis (0: any); default: 6379, or any if that is taken.  [ISONOMY_REDIS_PORT]",
)
def command(
    source: str | None,
    scenario: str | None,
    workers: int,
    directory: Path,
    broker_port: int | None,
    redis_port: int | None,
) -> None:
    """Run a broker, Redis, a worker, the gateway, the board and the herald, until Ctrl-C or SIGTERM ends them all.

    If KAFKA_BOOTSTRAP_SERVERS or REDIS_URL is set, that server is used. Otherwise the embedded broker and a local Redis
    run; they keep everything in memory and lose it when they stop.

    A port chosen by an option here or by ISONOMY_BOARD_PORT, ISONOMY_GATEWAY_PORT, ISONOMY_WORKER_PORT (the first
    worker's; the others follow) or ISONOMY_HERALD_PORT must be free. A default port that is taken is replaced.
    """
    from services.local.lock import hold
    from services.local.process import StartError
    from services.local.supervisor import GaveUpError
    from services.simulate import ScenarioError, load_scenario
    from services.sources import SourceError, open_source

    read_settings()
    try:
        if source is not None:
            open_source(source, now=time.time())  # report an error in the name before anything starts
        if scenario is not None:
            load_scenario(scenario)
        servers = _wishes_of_servers(broker_port, redis_port)
        with hold(directory.absolute()):
            _LocalStack(directory.absolute(), workers, _steps(source, scenario), servers).run()
    except (StartError, GaveUpError, SourceError, ScenarioError) as error:
        raise UserError(str(error)) from None


DEMONSTRATION = "demonstration"
"""Arena of the scenario, separate from the real votes."""


def _steps(source: str | None, scenario: str | None) -> list[tuple[str, list[str]]]:
    """Return the steps to run once the stack is up, in order: a message, and an `isonomy` command."""
    steps = []
    if source is not None:
        steps.append((f"replaying {source}", ["replay", source, "--follow"]))
    if scenario is not None:
        play = ["simulate", scenario, "--kafka", "--now", "--arena", DEMONSTRATION]
        steps.append((f"now a simulated arena, with the scenario {scenario}", play))
        steps.append(("the alerts of the fairness fold", ["alerts", "--arena", DEMONSTRATION, "--wait", "30"]))
    return steps


def _wishes_of_servers(broker_port: int | None, redis_port: int | None) -> dict[str, WantedPort]:
    """Return the wanted ports of the local servers; none for a server that the environment names."""
    from services.local.ports import BROKER_PORT, REDIS_PORT, WantedPort

    wishes = {}
    for name, port, usual, theirs in (
        ("broker", broker_port, BROKER_PORT, "KAFKA_BOOTSTRAP_SERVERS"),
        ("redis", redis_port, REDIS_PORT, "REDIS_URL"),
    ):
        asked_by = f"--{name}-port or ISONOMY_{name.upper()}_PORT"
        if not os.environ.get(theirs):
            wishes[name] = WantedPort(usual) if port is None else WantedPort(port, asked_by)
        elif port is not None:
            raise UserError(f"{asked_by} is for a local server, but {theirs} names another: leave one of them out")
    return wishes


class _LocalStack:
    """The servers and processes of one `up`."""

    def __init__(
        self, directory: Path, workers: int, steps: list[tuple[str, list[str]]], wishes: dict[str, WantedPort]
    ) -> None:
        self._directory, self._workers, self._steps, self._wishes = directory, workers, steps, wishes
        self._stop = threading.Event()
        self._step: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {}

    def run(self) -> None:
        """Start everything in order, run the steps, wait for a signal, stop everything in reverse order."""
        from services.local.supervisor import Supervisor

        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: self._stop.set())
        servers = self._servers()
        environment = self._environment(servers)
        supervisor = Supervisor(
            {server.name: server for server in servers},
            report=_tell,
            # The local servers keep their data in memory: after a restart without it the boards would be wrong.
            irreplaceable=[server.name for server in servers],
        )
        processes = Supervisor(self._processes(environment), report=_tell)
        try:
            supervisor.start()
            self._create_topics(environment)
            processes.start()
            self._until_ready(supervisor, processes)
            self._announce(environment)
            self._stay(supervisor, processes, environment)
        finally:
            if self._step is not None and self._step.poll() is None:
                self._step.terminate()
                self._step.wait()
            processes.stop()
            supervisor.stop()

    def _servers(self) -> list[LocalServer]:
        """Choose all ports, and make the local servers."""
        from services.local.broker import EmbeddedBroker
        from services.local.ports import choose_ports, wishes_of_processes
        from services.local.redis import RedisServer

        # Choose all ports together: no part may get a port that was requested for another.
        self._ports = choose_ports(self._wishes | wishes_of_processes(read_settings(), os.environ, self._workers))
        makes: dict[str, Callable[[Path, int], LocalServer]] = {"broker": EmbeddedBroker, "redis": RedisServer}
        return [makes[name](self._directory, self._ports.pop(name)) for name in self._wishes]

    def _environment(self, servers: list[LocalServer]) -> dict[str, str]:
        """Return the environment of every process: the addresses of the servers, and the key files."""
        from services.local.broker import EmbeddedBroker
        from services.local.redis import RedisServer

        environment = dict(os.environ)
        for server in servers:
            if isinstance(server, EmbeddedBroker):
                environment["KAFKA_BOOTSTRAP_SERVERS"] = server.bootstrap
            if isinstance(server, RedisServer):
                environment["REDIS_URL"] = server.url
        settings = read_settings()
        if not environment.get("ISONOMY_PUBLIC_URL"):
            environment["ISONOMY_PUBLIC_URL"] = f"http://localhost:{self._ports['board']}"
        if settings.gateway.api_keys_file is None:
            environment["ISONOMY_API_KEYS_FILE"] = str(self._make_key("gateway"))
        if settings.subscriptions.keys_file is None:
            environment["ISONOMY_SUBSCRIBER_KEYS_FILE"] = str(self._make_key("subscriber"))
        return environment

    def _make_key(self, use: str) -> Path:
        """Make a key for this run: the secret and its line, each in a file that only this user may read."""
        from services.http.api_keys import new_key

        self._directory.mkdir(parents=True, exist_ok=True)
        secret, line = new_key("local", "*")
        for name, text in ((f"{use}.key", secret), (f"{use}.keys", line)):
            path = self._directory / name
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(text + "\n")
        return self._directory / f"{use}.keys"

    def _processes(self, environment: Mapping[str, str]) -> dict[str, _Child]:
        commands = {name: ["worker" if name.startswith("worker") else name] for name in self._ports}
        return {
            name: _Child(name, [*command, "--port", str(self._ports[name])], self._directory, environment)
            for name, command in commands.items()
        }

    def _create_topics(self, environment: Mapping[str, str]) -> None:
        from services.cli.topics import ensure_topics
        from streams.contracts.settings import Settings

        found = ensure_topics(Settings.from_env(environment), create=True)
        for topic in found:
            for text in (*topic.differences, *topic.warnings):
                click.echo(f"warning: topic {topic.topic}: {text}", err=True)
        losing = [topic.topic for topic in found if topic.loses]
        if losing:
            raise UserError(
                f"topic {', '.join(losing)} would lose data: `isonomy topics` says why and how to correct it"
            )

    def _until_ready(self, *supervisors: Supervisor) -> None:
        began = time.monotonic()
        deadline, explained = began + READY_WITHIN, False
        waiting = dict(self._ports)
        told: dict[str, str] = {}
        while waiting and not self._stop.is_set():
            if not explained and time.monotonic() > began + LONG_SECONDS:
                click.echo(
                    f"waiting for {', '.join(waiting)}: the first start after an installation or a change compiles "
                    "machine code, which takes a minute of a processor",
                    err=True,
                )
                explained = True
            for supervisor in supervisors:
                supervisor.check()
            for name, port in list(waiting.items()):
                ready, said = _ask(f"http://127.0.0.1:{port}/readyz")
                if ready:
                    del waiting[name]
                elif said and said != told.get(name, said):  # it makes progress: a restart would take longer
                    deadline = time.monotonic() + READY_WITHIN
                told[name] = said or told.get(name, said)
            if time.monotonic() > deadline:
                raise UserError(f"{', '.join(waiting)} not ready within {READY_WITHIN:g} s: see {self._directory}")
            self._stop.wait(LOOK_SECONDS)

    def _announce(self, environment: Mapping[str, str]) -> None:
        from services.local.ports import worker_name
        from streams.contracts.security import without_secrets

        click.echo(
            f"page      http://localhost:{self._ports['board']}\n"
            f"gateway   http://127.0.0.1:{self._ports['gateway']}   (key in {self._directory / 'gateway.key'})\n"
            f"alerts    isonomy subscribe --help   (key in {self._directory / 'subscriber.key'})\n"
            f"metrics   http://127.0.0.1:{self._ports[worker_name(0)]}/metrics\n"
            f"for other commands: export KAFKA_BOOTSTRAP_SERVERS={environment['KAFKA_BOOTSTRAP_SERVERS']}"
            f" REDIS_URL={without_secrets(environment['REDIS_URL'])}",
            err=True,
        )
        if "KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
            click.echo(
                "the broker is only for trying out: it keeps about 330 bytes a vote in memory, reads slower the more"
                " batches it holds, and loses all when it stops; set KAFKA_BOOTSTRAP_SERVERS for one that keeps votes",
                err=True,
            )

    def _stay(self, servers: Supervisor, processes: Supervisor, environment: Mapping[str, str]) -> None:
        steps = list(self._steps)
        told = False
        while not self._stop.is_set():
            servers.check()
            processes.check()
            if self._step is not None and self._step.poll():
                raise UserError(f"that failed; the logs are in {self._directory}")
            if self._step is None or self._step.returncode is not None:
                if steps:
                    text, arguments = steps.pop(0)
                    click.echo(f"{text} …", err=True)
                    self._step = subprocess.Popen([*_COMMAND, *arguments], env=dict(environment))  # noqa: S603 -- ours
                elif not told:
                    click.echo("the stack is up; Ctrl-C stops it", err=True)
                    told = True
            self._stop.wait(LOOK_SECONDS)
        click.echo("stopping …", err=True)


_COMMAND = (sys.executable, "-m", "services.cli.main")


class _Child:
    """An Isonomy process, with the supervisor's interface."""

    def __init__(self, name: str, arguments: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        from services.local.process import ChildProcess

        self._process = ChildProcess(name, [*_COMMAND, *arguments], log_path=directory / f"{name}.log", env=environment)

    def start(self) -> None:
        self._process.start()

    def poll(self) -> int | None:
        return self._process.poll()

    def terminate(self, deadline: float = 10.0) -> None:
        self._process.terminate(deadline)

    @property
    def last_line(self) -> str:
        return self._process.last_line


def _ask(url: str) -> tuple[bool, str]:
    """Return whether a process is ready, and the long take-over that it reports to be doing, empty if none."""
    try:
        try:
            with urllib.request.urlopen(url, timeout=1.0) as answer:  # noqa: S310 -- our own loopback address
                return bool(answer.status == 200), ""
        except urllib.error.HTTPError as error:
            with error:
                return False, str(json.loads(error.read()).get("doing") or "")
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return False, ""


def _tell(report: ChildReport) -> None:
    from services.local.supervisor import ChildEvent
    from streams.contracts.names import shown

    if report.what in (ChildEvent.EXITED, ChildEvent.START_FAILED, ChildEvent.GAVE_UP):
        code = "" if report.code is None else f" with {report.code}"
        again = "" if report.delay is None else f"; starting it again in {report.delay:.1f} s"
        words = ": " if report.code is None else "; its last line: "
        detail = words + "\n".join(map(shown, report.detail.split("\n"))) if report.detail else ""
        click.echo(f"{report.name} {report.what.value.replace('_', ' ')}{code}{again}{detail}", err=True)
