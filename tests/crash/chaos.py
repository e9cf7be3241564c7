"""A chaos run: votes stream in while random faults happen and are recovered from; then all promises are checked."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError
from redis.exceptions import RedisError

from services.local.process import StartError
from services.local.supervisor import GaveUpError
from streams.contracts.subscription import encode_subscription
from streams.contracts.topics import SUBSCRIPTIONS
from tests.crash import checker
from tests.crash.faults import CATALOGUE, Fault, available
from tests.crash.observer import Observer, Probes
from tests.crash.scene import FAIRNESS, SPARES, Ground, Scene, ground
from tests.crash.sender import Sender
from tests.crash.stack import EventLog
from tests.crash.verdict import Evidence, judge
from tests.crash.workload import ARENAS, DECLARED, MODELS, DirectWriter, Votes
from tests.support.herald import Endpoints, make_subscription
from tests.support.pipeline import Pipeline

RECOVERED_WITHIN = 90.0
SETTLED_WITHIN = 300.0
DIRECT_SHARE = 10
"""One vote in this many is not sent through the gateway."""
QUIET, GIVEN_UP = 5.0, 60.0
LEAST_PACE, CLOSING_PACE = 100.0, 3_000.0
BETWEEN = 8.0
"""Approximate seconds between faults: recovery, mending and a pause."""
READY_WITHIN = 30.0
UNABLE = (KafkaError, RedisError, OSError, StartError, AssertionError)
SUBSCRIBER = "/all"
FALLEN = "refolding ledger", "has a newer owner", "Redis lost arena", "made no progress", "Traceback"


@dataclass(frozen=True)
class Plan:
    """A run: votes, faults, seed, kinds (empty: all possible ones), and minutes after which no fault starts."""

    votes: int
    faults: int
    seed: int
    kinds: tuple[str, ...] = ()
    minutes: float = 150.0

    def draw(self, possible: Sequence[Fault], rng: random.Random) -> list[Fault]:
        """Draw the faults: every kind once in random order, before any kind repeats."""
        unknown = set(self.kinds) - CATALOGUE.keys()
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(sorted(CATALOGUE))}")
        chosen = [each for each in possible if not self.kinds or each.name in self.kinds]
        if not chosen:
            raise ValueError("none of these faults is possible on this broker and this machine")
        drawn: list[Fault] = []
        while len(drawn) < self.faults:
            drawn += rng.sample(chosen, len(chosen))
        return drawn[: self.faults]


@dataclass
class Done:
    """One performed fault: its start, its duration, and the seconds to recovery (None: not in time)."""

    kind: str
    at: float
    lasted: float
    recovery: float | None


@dataclass
class Result:
    """Result of a run; empty `findings` mean success."""

    plan: dict[str, Any]
    broker: str
    done: list[Done] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def recoveries(self) -> list[checker.Recovery]:
        return checker.sum_up((each.kind, each.recovery) for each in self.done)

    def write(self, path: Path) -> None:
        """Write the result as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = asdict(self) | {"recoveries": [asdict(each) for each in self.recoveries()]}
        path.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")


def run(plan: Plan, directory: Path, prefix: str, show: Callable[[str], None]) -> Result:
    """Perform a whole run in its own directory."""
    log, rng = EventLog(show), random.Random(plan.seed)
    with ground(directory) as below, Endpoints() as endpoints:
        possible, lacking = available(below.broker)
        drawn = plan.draw(possible, rng)
        result = Result(asdict(plan), below.broker.kind, lacking=lacking)
        log.say(
            f"{plan.votes:,} votes, {len(drawn)} faults of {len(set(drawn))} kinds, seed {plan.seed}, {result.broker}"
        )
        with staged(below, directory, prefix, endpoints, log, rng) as scene:
            _Run(plan, scene, endpoints, result).go(drawn)
    return result


@contextmanager
def staged(
    below: Ground, directory: Path, prefix: str, endpoints: Endpoints, log: EventLog, rng: random.Random
) -> Iterator[Scene]:
    """Create topics, registry and subscription, and start all processes."""
    settings = directory / "fairness.toml"
    settings.write_text(FAIRNESS)
    environ = {
        "ISONOMY_WATCHDOG_SECONDS": "40",  # detects a hanging stage sooner than in production
        "ISONOMY_SNAPSHOT_SECONDS": "5",
        "ISONOMY_FAIRNESS_FILE": str(settings),
        "ISONOMY_REPLICATION": str(below.broker.replication),
        "ISONOMY_HERALD_GROUP_SECONDS": "0.5",
    }
    pipeline = Pipeline(below.broker.bootstrap, below.redis.url, f"{prefix}.", prefix, directory, environ)
    pipeline.create_topics()
    subscription = make_subscription("all", endpoints.url(SUBSCRIBER))
    pipeline.produce_raw(SUBSCRIPTIONS.name, [(subscription.id.encode(), encode_subscription(subscription))])
    scene = Scene(below, pipeline, log, rng)
    try:
        scene.start()
        for arena in DECLARED:
            for model in MODELS:
                pipeline.declare(arena, model, provider=f"lab-{int(model[-2:]) % 6}")
        yield scene
    finally:
        scene.stop()


class _Run:
    """The senders, the observer and the faults of one run."""

    def __init__(self, plan: Plan, scene: Scene, endpoints: Endpoints, result: Result) -> None:
        self.plan, self.scene, self.endpoints, self.result = plan, scene, endpoints, result
        self.log = scene.log
        start = time.time() - 3_600.0
        direct = plan.votes // DIRECT_SHARE
        shun_every = max(3_000, plan.votes // 24)
        self.votes = Votes("g", plan.seed, plan.votes - direct, shun_every, start)
        self.direct_votes = Votes("d", plan.seed, direct, max(1, shun_every // DIRECT_SHARE), start)
        self.sender = Sender(scene.gateway.url, scene.gateway.headers, self.votes)
        self.writer = DirectWriter(scene.pipeline, self.direct_votes, scene.books)
        self.doing = "nothing"
        self.observer = Observer(scene.web.url, lambda: self.log.seconds, lambda: self.doing)
        self.probes = Probes(scene.gateway.url, scene.gateway.headers, self.observer, start)

    def go(self, drawn: Sequence[Fault]) -> None:
        began = time.monotonic()
        self.observer.start()
        self.sender.pace = self.writer.pace = LEAST_PACE
        self.sender.start()
        self.writer.start()
        try:
            self._disturb(drawn, began)
            self._finish()
            self._settle()
        except GaveUpError as error:
            self.result.findings.append(str(error))
        finally:
            self.sender.stop()
            self.writer.stop()
            self.observer.stop()
        codes = self.scene.stop()
        self.result.figures["seconds"] = round(time.monotonic() - began)
        self._sum_up(codes)

    def _disturb(self, drawn: Sequence[Fault], began: float) -> None:
        self._recover("the start")
        for number, fault in enumerate(drawn):
            if time.monotonic() - began > 60 * self.plan.minutes:
                self.result.findings.append(f"only {number} of {len(drawn)} faults in {self.plan.minutes:g} minutes")
                return
            self._set_pace(drawn[number:])
            self._do(number, len(drawn), fault)

    def _finish(self) -> None:
        """Let the senders send the remaining votes."""
        self.doing = "the rest of the votes"
        self.sender.pace, self.writer.pace = CLOSING_PACE, CLOSING_PACE / DIRECT_SHARE
        left = max(self.sender.remaining / CLOSING_PACE, self.writer.remaining * DIRECT_SHARE / CLOSING_PACE)
        self.log.say(f"the rest: {self.sender.remaining:,} votes through the gateway, {self.writer.remaining:,} not")
        if not self.scene.watch_until(lambda: self.sender.done and self.writer.done, 2 * left + SETTLED_WITHIN):
            self.result.findings.append("the senders were not done in the end")

    def _do(self, number: int, of: int, fault: Fault) -> None:
        scene = self.scene
        # A kill must hit a working process, so wait for those that are starting.
        usual = [name for name in scene.workers if scene.children[name].started and name not in SPARES]
        scene.watch_until(lambda: all(scene.workers[name].is_ready() for name in usual), READY_WITHIN)
        scene.watch(scene.rng.uniform(0.0, 2.0))
        self.doing = fault.name
        at = self.log.seconds
        self.log.say(f"--- {number + 1}/{of} {fault.name}")
        self._attempt(fault.name, fault.act)
        lasted = self.log.seconds - at
        recovery = self._recover(fault.name)
        self.result.done.append(Done(fault.name, round(at, 1), round(lasted, 1), recovery))
        if fault.mend is not None:
            self._attempt(f"mending {fault.name}", fault.mend)
            self._recover(f"mending {fault.name}")

    def _attempt(self, what: str, act: Callable[[Scene], None]) -> None:
        """Perform an action; a failure becomes a finding, and does not end a run of hours."""
        try:
            act(self.scene)
        except UNABLE as error:
            self.log.say(f"{what} could not be done: {error!r}")
            self.result.findings.append(f"{what} could not be done: {type(error).__name__}")

    def _recover(self, what: str) -> float | None:
        """Seconds until the board of every arena counts a vote that is sent now; None when not in time."""
        began = time.monotonic()
        counted = self.probes.send()
        if self.scene.watch_until(counted, RECOVERED_WITHIN):
            took = round(time.monotonic() - began, 2)
            self.log.say(f"recovered from {what} after {took:.1f} s")
            return took
        self.log.say(f"NOT RECOVERED from {what} within {RECOVERED_WITHIN:.0f} s")
        self.result.findings.append(f"not recovered from {what} within {RECOVERED_WITHIN:.0f} s")
        return None

    def _set_pace(self, ahead: Sequence[Fault]) -> None:
        """Set a pace that leaves enough votes for the remaining faults."""
        seconds = sum(fault.seconds + BETWEEN for fault in ahead)
        self.sender.pace = max(LEAST_PACE, self.sender.remaining / seconds)
        self.writer.pace = max(LEAST_PACE / DIRECT_SHARE, self.writer.remaining / seconds)

    def _settle(self) -> None:
        """Wait until all acknowledged votes are counted and nothing changes for 5 s, or nothing changes for 60 s."""
        self.doing = "settling"
        due = len(self._acknowledged())
        last, since = -1, time.monotonic()

        def still() -> bool:
            nonlocal last, since
            counted = self.scene.counted()
            if counted + len(self.endpoints.acknowledged) != last:
                last, since = counted + len(self.endpoints.acknowledged), time.monotonic()
            return time.monotonic() - since > (QUIET if counted >= due else GIVEN_UP)

        self.scene.watch_until(still, SETTLED_WITHIN)
        self.log.say(f"{self.scene.counted():,} battles counted, {due:,} votes acknowledged")

    def _acknowledged(self) -> set[str]:
        return self.sender.tally.acknowledged | self.scene.books.acknowledged | self.probes.acknowledged

    def _sum_up(self, codes: dict[str, int | None]) -> None:
        tally, scene = self.sender.tally, self.scene
        probes = {vote["id"] for vote in self.probes.sent}
        evidence = Evidence(
            scene.pipeline,
            ARENAS,
            sent=tally.sent | scene.books.sent | probes,
            acknowledged=self._acknowledged(),
            aborted=scene.books.aborted,
            votes=itertools.chain(self.votes, self.direct_votes, scene.own_votes, self.probes.sent),
            delivered=[each for got in self.endpoints.acknowledged_of(SUBSCRIBER) for each in got.alerts],
            heights=self.observer.heights,
            codes=codes,
        )
        findings, figures = judge(evidence, scene.pipeline.directory)
        self.result.findings += map(str, findings)
        self.result.figures |= {
            "sent": len(evidence.sent),
            "acknowledged": len(evidence.acknowledged),
            "aborted": len(evidence.aborted),
            **figures,
            "regresses": [asdict(each) for each in checker.sum_up_regresses(self.observer.heights)],
            "answers of the gateway": dict(tally.requests),
            "errors of the direct writer": dict(self.writer.failures),
            "boards looked at": self.observer.looks,
            "answers of the board": dict(self.observer.answers),
            "exits on the way": dict(scene.exits),
            "exit codes": codes,
            "in the logs": scene.log_lines(*FALLEN),
        }
