"""The processes of the crash suite under a supervisor, and what is done to them, written down with its time."""

import time
from collections.abc import Callable
from pathlib import Path

from services.local.process import ChildProcess
from services.local.restarts import Happening, Patience, Report
from services.local.supervisor import Supervisor
from tests.support.gateway import GatewayProcess, gateway_process
from tests.support.pipeline import Pipeline
from tests.support.stack import TestBroker, TestRedis

ARENAS = ("text", "code", "search", "chat")
"""One on each of the four ledger partitions, so that both members of the ratings group have some."""

WORKERS = {"intake-1": "intake", "intake-2": "intake", "ratings-1": "ratings", "ratings-2": "ratings"}
PATIENCE = Patience(quick=3.0, quick_failures=30, longest_delay=2.0)
EVERY = 0.1


class EventLog:
    """Prints what happens, with seconds since the start."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        self._show(f"  {self.seconds:7.1f} s  {text}")


class Stack:
    """Two intakes, two ratings and a gateway over a broker and a Redis of their own.

    Parameters
    ----------
    broker, redis
        Started already.
    pipeline
        The prefixes; its topics exist already.
    log
        Where everything is written down.
    """

    def __init__(self, broker: TestBroker, redis: TestRedis, pipeline: Pipeline, log: EventLog) -> None:
        self.broker, self.redis, self.pipeline, self.log = broker, redis, pipeline, log
        self.gateway: GatewayProcess = gateway_process(
            broker.bootstrap, pipeline.topic_prefix, pipeline.directory, ISONOMY_PRODUCE_TIMEOUT="3"
        )
        self.workers = {name: pipeline.worker(name, stages) for name, stages in WORKERS.items()}
        self.children: dict[str, ChildProcess] = {name: worker.process for name, worker in self.workers.items()}
        self.children["gateway"] = self.gateway.process
        self.exits: dict[str, list[int]] = {name: [] for name in self.children}
        self._killed: set[str] = set()
        self._supervisor = Supervisor(self.children, report=self._heard, patience=PATIENCE)

    def start(self) -> None:
        self._supervisor.start()
        for worker in self.workers.values():
            worker.wait_ready()
        self.gateway.wait("/readyz")

    def stop(self) -> dict[str, int | None]:
        """SIGTERM to all; returns the exit codes."""
        self._supervisor.stop()
        return {name: child.poll() for name, child in self.children.items()}

    def watch(self, seconds: float) -> None:
        """Let the stack run, restarting what falls."""
        self.watch_until(lambda: False, seconds)

    def watch_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let it run until a condition holds; False when it did not in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._supervisor.check()
            if condition():
                return True
            time.sleep(EVERY)
        return False

    def counted(self) -> int:
        """Battles on the overall boards of all arenas."""
        boards = [self.pipeline.board(arena) for arena in ARENAS]
        return sum(board.battles for board in boards if board is not None)

    def kill(self, name: str) -> None:
        self._killed.add(name)
        self.children[name].kill()
        self.log.say(f"kill -9 {name}")

    def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP, let the others take over, SIGCONT."""
        before = self.counted()
        self.children[name].freeze()
        self.log.say(f"froze {name} (SIGSTOP)")
        self.watch(seconds)
        counted = self.counted() - before
        self.children[name].thaw()
        self.log.say(f"thawed {name} (SIGCONT) after {seconds:.0f} s; {counted:,} battles were counted meanwhile")

    def crash_broker(self) -> None:
        self.log.say("kill -9 broker")
        self.broker.crash()
        self.log.say("the broker is back, on the same data")

    def flush(self) -> None:
        self.redis.flush()
        self.log.say("flushed Redis")

    def tails(self) -> str:
        """The ends of all logs, for a failure."""
        return "\n".join(f"--- {name}\n{child.log_tail(30)}" for name, child in self.children.items())

    def log_lines(self, *words: str) -> dict[str, int]:
        """How often each of some words stands in the logs of the workers."""
        texts = [Path(child.log_path).read_text(errors="replace") for child in self.children.values()]
        return {word: sum(text.count(word) for text in texts) for word in words}

    def _heard(self, report: Report) -> None:
        if report.what is Happening.EXITED:
            ours = report.name in self._killed
            self._killed.discard(report.name)
            self.exits[report.name].append(report.code or 0)
            if not ours:
                self.log.say(f"{report.name} exited by itself with {report.code}")
        elif report.what is Happening.START_FAILED:
            self.log.say(f"{report.name} could not start: {report.detail}")
        elif report.what is Happening.RESTARTED:
            self.log.say(f"{report.name} started again")
