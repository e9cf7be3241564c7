"""The supervised processes of a crash suite, and operations on them, logged with their time."""

import random
import re
import signal
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from services.local.process import ChildProcess
from services.local.supervisor import ChildEvent, ChildReport, RestartPolicy, Supervisor
from tests.support.pipeline import Pipeline
from tests.support.stack import TestBroker, TestRedis

PATIENCE = RestartPolicy(quick=3.0, quick_failures=30, longest_delay=2.0)
EVERY = 0.1
FROZEN_SECONDS = 15.0
"""More than two session timeouts: the group has rebalanced when the process wakes."""
EXPECTED_SECONDS = 12.0
"""Approximate duration of one event with its recovery; the votes are spread over all events."""
RECOVERY_SECONDS = 90.0
"""Maximum wait for progress of the views after an event, before the next one."""


class EventLog:
    """Prints events with the seconds since the start."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        self.show(f"  {self.seconds:7.1f} s  {text}")


class Stack(ABC):
    """Workers over their own broker and Redis.

    Parameters
    ----------
    broker, redis
        The broker and the Redis, already started.
    pipeline
        The prefixes; its topics already exist.
    log
        Log of all events.
    workers
        Worker to its stages.
    others
        Other processes by name.
    spares
        Workers that are not started with the others.
    """

    def __init__(
        self,
        broker: TestBroker,
        redis: TestRedis,
        pipeline: Pipeline,
        log: EventLog,
        workers: Mapping[str, str],
        others: Mapping[str, ChildProcess],
        spares: Collection[str] = (),
    ) -> None:
        self.broker, self.redis, self.pipeline, self.log = broker, redis, pipeline, log
        self.workers = {name: pipeline.worker(name, stages) for name, stages in workers.items()}
        self.children = {name: worker.process for name, worker in self.workers.items()} | dict(others)
        self.exits: Counter[str] = Counter()
        """Number of exits during the run by process and code."""
        self._killed: set[str] = set()
        self._down = set(spares)
        """Processes that must not run now."""
        # One supervisor each, so that one process can be kept down while the others are kept up.
        self._supervisors = {
            name: Supervisor({name: child}, report=self._heard, patience=PATIENCE)
            for name, child in self.children.items()
        }

    @abstractmethod
    def counted(self) -> int:
        """Number of battles in the published views."""

    def start(self) -> None:
        for name, supervisor in self._supervisors.items():
            if name not in self._down:
                supervisor.start()
        for name, worker in self.workers.items():
            if name not in self._down:
                worker.wait_ready()

    def stop(self) -> dict[str, int | None]:
        """Send SIGTERM to all processes, the last one first; returns the exit codes.

        A process that has just started may still be loading its modules, or may have checked Kafka and Redis but not
        reached Faust, which installs the SIGTERM handler. The signal would kill it, so this waits for the handler.
        """
        up = [name for name, child in self.children.items() if child.started and name not in self._down]
        try:
            self.watch_until(lambda: all(map(self._takes_sigterm, up)), RECOVERY_SECONDS)
        finally:
            for supervisor in reversed(self._supervisors.values()):
                supervisor.stop()
        self._down |= set(self.children)
        return {name: child.poll() for name, child in self.children.items() if child.started}

    def _takes_sigterm(self, name: str) -> bool:
        """Whether a process runs, is ready if it is a worker, and has a handler for SIGTERM."""
        child, worker = self.children[name], self.workers.get(name)
        if not child.alive or (worker is not None and not worker.is_ready()):
            return False
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except FileNotFoundError:  # it ended just now
            return False
        (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def hold(self, *names: str) -> None:
        """Stop processes with SIGTERM, and keep them down until `release`."""
        for name in names:
            self._supervisors[name].stop()
            self._down.add(name)
            self.log.say(f"stopped {name}")

    def release(self, *names: str) -> None:
        """Start held processes or spares."""
        for name in names:
            self._supervisors[name].start()
            self._down.discard(name)
            self.log.say(f"started {name}")

    def watch(self, seconds: float) -> None:
        """Let the stack run; processes that end are restarted."""
        self.watch_until(lambda: False, seconds)

    def watch_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let the stack run until a condition holds; returns False when it does not in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for supervisor in self._supervisors.values():
                supervisor.check()
            if condition():
                return True
            time.sleep(EVERY)
        return False

    def kill(self, name: str) -> None:
        """Send SIGKILL; waits first for a process that is being restarted."""
        self.watch_until(lambda: self.children[name].alive, RECOVERY_SECONDS)
        self._killed.add(name)
        self.children[name].kill()
        self.log.say(f"kill -9 {name}")

    def freeze(self, name: str) -> None:
        """Send SIGSTOP, let the others take over, and send SIGCONT."""
        self.watch_until(lambda: self.children[name].alive, RECOVERY_SECONDS)
        before = self.counted()
        self.children[name].freeze()
        self.log.say(f"froze {name} (SIGSTOP)")
        self.watch(FROZEN_SECONDS)
        counted = self.counted() - before
        self.children[name].thaw()
        self.log.say(
            f"thawed {name} (SIGCONT) after {FROZEN_SECONDS:.0f} s; {counted:,} battles were counted meanwhile"
        )

    def crash_broker(self) -> None:
        self.log.say("kill -9 broker")
        self.broker.crash()
        self.log.say("the broker is back, on the same data")

    def flush(self) -> None:
        self.redis.flush()
        self.log.say("flushed Redis")

    def tails(self) -> str:
        """The ends of all logs, for a failure message."""
        return "\n".join(f"--- {name}\n{child.log_tail(30)}" for name, child in self.children.items())

    def log_lines(self, *words: str) -> dict[str, int]:
        """Number of occurrences of each of these words in the logs of the processes."""
        texts = [Path(child.log_path).read_text(errors="replace") for child in self.children.values() if child.started]
        return {word: sum(text.count(word) for text in texts) for word in words}

    def _heard(self, report: ChildReport) -> None:
        if report.what is ChildEvent.EXITED:
            ours = report.name in self._killed
            self._killed.discard(report.name)
            self.exits[f"{report.name}: {report.code}"] += 1
            if not ours:
                self.log.say(f"{report.name} exited by itself with {report.code}")
        elif report.what is ChildEvent.START_FAILED:
            self.log.say(f"{report.name} could not start: {report.detail}")
        elif report.what is ChildEvent.RESTARTED:
            self.log.say(f"{report.name} started again")


class Sender(Protocol):
    """Sends votes, at most `pace` a second."""

    pace: float

    @property
    def remaining(self) -> int:
        """Number of votes that are not sent yet."""


def disturb(rng: random.Random, stack: Stack, sender: Sender, events: Sequence[Callable[[], None]]) -> None:
    """Perform all events in random order, each at a random moment after the stack has made progress."""
    for number, act in enumerate(rng.sample(events, len(events))):
        # The pace leaves enough votes for the remaining events.
        sender.pace = max(200.0, sender.remaining / (EXPECTED_SECONDS * (len(events) - number)))
        before = stack.counted()
        if not stack.watch_until(lambda before=before: stack.counted() > before, RECOVERY_SECONDS):  # type: ignore[misc]
            stack.log.say(f"NOT RECOVERED within {RECOVERY_SECONDS:.0f} s, going on")
        stack.watch(rng.uniform(0.0, 4.0))
        act()
    sender.pace = 20_000.0
