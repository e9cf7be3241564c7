"""One world: the real stages on a simulated Kafka, Redis, clock and processes, from the start until all settles."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections import Counter
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from streams.contracts.metrics import Metrics
from streams.contracts.partitioner import partitions_of
from streams.contracts.topics import ACCEPTED_GROUP, INTAKE_GROUP, TOPICS
from streams.fairness.stage import FairnessStage
from streams.fold.partition import ArenaFenced
from streams.intake.begin import RecordsGone
from streams.intake.stage import IntakeStage
from streams.kafka.fetch import OutOfReach
from streams.ratings.stage import RatingsStage
from tests.simulation.adapters import BOOK, CURRENT
from tests.simulation.broker import Broker, Slot
from tests.simulation.checker import Checker, Result
from tests.simulation.consumer import of_world
from tests.simulation.loop import Process, Running, VirtualLoop, causes_of
from tests.simulation.network import Chances, Network
from tests.simulation.plan import SETTLE_SECONDS, Batch, Fault, Plan, make_plan
from tests.simulation.producer import EPOCH_MS, SimulatedProducer
from tests.simulation.redis import Server

STAGES: dict[str, Callable[..., Any]] = {"intake": IntakeStage, "ratings": RatingsStage, "fairness": FairnessStage}
METRICS = Metrics()
FOREIGN_NUMBERS = (b"9007199254740991", b"-7", b"1" * 400)
SWITCHES = {"broker down": ("broker", "down"), "redis away": ("server", "away"), "redis full": ("server", "full")}
EXPECTED_ENDS = (ArenaFenced, KafkaError, OutOfReach, RecordsGone, RedisError)
"""Exceptions that may end a stage; any other is a bug in the stage."""
LOOK_SECONDS, STAY_SECONDS = 0.5, 2.0


class World:
    """The simulation of one seed."""

    def __init__(self, plan: Plan, *, keep_trace: bool) -> None:
        self.plan, self._keep = plan, keep_trace
        self._random = Random(f"world {plan.seed}")
        self.loop = VirtualLoop(Random(f"order {plan.seed}"))
        self._digest, self.trace = 0, []  # type: int, list[str]
        self.broker = Broker(self.loop, self.note)
        settings = plan.settings
        partitions = {"votes": plan.partitions, "models": 1, "ledger": plan.ledger_partitions}
        for topic in TOPICS:
            self.broker.create(settings.kafka.topic(topic.name), partitions.get(topic.name, 1))
        self.network = Network(self.loop, self.broker, Random(f"network {plan.seed}"), self.note)
        self.server = Server(self.loop, Random(f"redis {plan.seed}"), self.note)
        self.checker = self._make_checker()
        self.consumer = of_world(self.network)
        self.metrics = METRICS
        self.faults: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self._running: list[Running] = []
        self._kept: list[Any] = []
        self._born = 0
        self._steps = 0
        self._over = False
        self._down: set[str] = set()
        """Stages of which no process is started now."""
        self._older: dict[bytes, Any] | None = None

    def _make_checker(self) -> Checker:
        plan = self.plan
        return Checker(
            self.loop, self.broker, self.server, plan.settings, self.note, book=BOOK, watched="fairness" in plan.owners
        )

    def producer(self) -> SimulatedProducer:
        """Make a producer; its options are ignored."""
        return SimulatedProducer(self.network, self.plan.write_ttl)

    def note(self, what: str, /, **detail: Any) -> None:
        """Add a line to the trace and its digest."""
        line = f"{self.loop.time():9.4f} {what} {detail}"
        self._digest = crc32(line.encode(), self._digest)
        if self._keep:
            self.trace.append(line)

    def run(self) -> Result:
        """Run until everything has settled, or the time is over."""
        loop = self.loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(loop.world.context.run(loop.create_task, self._main()))
        finally:
            self._end()
        return Result(
            seed=self.plan.seed,
            violations=self.checker.violations,
            counted=len(self.checker.accepted),
            faults=self.faults + Counter(self.network.faults) + Counter(self.server.faults),
            ends=self.ends,
            rebalances=self.broker.rebalances,
            seconds=loop.time(),
            steps=self._steps,
            digest=self._digest,
            trace=self.trace,
        )

    async def _main(self) -> None:
        plan, loop = self.plan, self.loop
        for kind, count in plan.owners.items():
            for _ in range(count):
                self._start(kind)
        for batch in plan.batches:
            loop.later(batch.at, self._send, batch)
        self.network.chances = plan.chances
        # The stages recognise the embedded broker by its API versions.
        self.network.conns[0] = SimpleNamespace(_versions=(75,) if plan.embedded else (23, 75))
        self.server.answer_lost, self.server.slow = plan.redis_answer_lost, plan.redis_slow
        for fault in plan.faults:
            loop.later(fault.at, self._strike, fault)
        last = max([plan.load_seconds, *(fault.at + fault.seconds for fault in plan.faults)])
        await asyncio.sleep(last + 0.1)
        self._heal()
        if await self._settles():
            # The outcome must stay correct while processes end and start.
            await asyncio.sleep(STAY_SECONDS)
            await self._settles()

    async def _settles(self) -> bool:
        deadline = self.loop.time() + SETTLE_SECONDS
        wrong = ["not looked yet"]
        while wrong and self.loop.time() < deadline and not self.checker.violations:
            await asyncio.sleep(LOOK_SECONDS)
            wrong = self._unsettled() or self.checker.outcome()
        for each in wrong if not self.checker.violations else []:
            self.checker.fail("at the end", each)
        return not wrong

    def _unsettled(self) -> list[str]:
        """List what is written but not read yet: lag, as the watchdog computes it."""
        wrong = []
        if self.network.late:
            wrong.append("writes are still under way")
        for name in ("votes", "models"):
            for log in self.broker.topics[name]:
                if not self._held(INTAKE_GROUP, TopicPartition(name, log.number), log.stable, log.start):
                    wrong.append(f"stuck: lag of intake on {name}/{log.number}, which ends at {log.stable}")
        for group in self.plan.owners.keys() - {"intake"}:
            for log in self.broker.topics["ledger"]:
                if not self._held(group, TopicPartition("ledger", log.number), log.stable, log.start):
                    wrong.append(f"stuck: lag of {group} on ledger/{log.number}, which ends at {log.stable}")
        return wrong

    def _held(self, kind: str, at: TopicPartition, end: int, start: int) -> bool:
        positions = [each.stage.positions.get(at) for each in self._running if each.kind == kind]
        return end in positions or (end == 0 and 0 in positions)

    # --- processes ---------------------------------------------------------------------------------------------------

    def _start(self, kind: str) -> None:
        if self._over:
            return
        if kind in self._down:
            self.loop.later(0.5, self._start, kind)
            return
        self._born += 1
        process = Process(f"{kind}-{self._born}")
        process.skew = self.plan.skews[self._born % len(self.plan.skews)]
        self.note("start", process=process.name)

        def begin() -> None:
            running = Running(kind, process, STAGES[kind](self.plan.settings, self.metrics))
            self._running.append(running)
            running.task = self.loop.create_task(running.stage.run())
            running.task.add_done_callback(lambda task: self._ended(running, task), context=self.loop.world.context)

        process.context.run(begin)

    def _ended(self, running: Running, task: asyncio.Task[None]) -> None:
        if not running.process.alive:
            return
        error = None if task.cancelled() else task.exception()
        causes = causes_of(error)
        for cause in causes:
            self.ends[type(cause).__name__] += 1
            if isinstance(cause, RecordsGone):
                self._accept_gap(cause)
            if not isinstance(cause, EXPECTED_ENDS):
                self.checker.fail("ends", f"{running.process.name} ended with {cause!r}")
        self.note("ended", process=running.process.name, why=[repr(cause) for cause in causes])
        self._kill(running)

    def _kill(self, running: Running) -> None:
        """Kill a process at once, and start a replacement after a while."""
        if not running.process.alive:
            return
        self.note("dead", process=running.process.name)
        self._kept += self.loop.kill(running.process)
        self._steps += running.process.steps
        self._running.remove(running)
        if sum(each.kind == running.kind for each in self._running) < self.plan.owners.get(running.kind, 0):
            self.loop.later(0.2 + 1.5 * self._random.random(), self._start, running.kind)

    # --- faults ------------------------------------------------------------------------------------------------------

    def _strike(self, fault: Fault) -> None:
        candidates = self._candidates(fault)
        of = candidates[fault.choice % len(candidates)] if candidates else None
        if fault.kind in SWITCHES:
            self._switch(fault)
            return
        strike = getattr(self, "_strike_" + fault.kind.replace(" ", "_"))
        if fault.kind in ("kill", "freeze", "cut", "stop"):
            if of is not None and of.process.alive:
                self.faults[fault.kind] += 1
                # The fault strikes between two steps of the process, at any await.
                of.process.doom = (of.process.steps + fault.steps, lambda: strike(of, fault))
            return
        self.faults[fault.kind] += 1
        self.note("fault", kind=fault.kind, seconds=fault.seconds)
        strike(fault)

    def _switch(self, fault: Fault) -> None:
        """Make a server unavailable or full for a while."""
        self.faults[fault.kind] += 1
        self.note("fault", kind=fault.kind, seconds=fault.seconds)
        what, switch = SWITCHES[fault.kind]
        of = getattr(self, what)
        setattr(of, switch, True)
        self.loop.later(fault.seconds, setattr, of, switch, False)

    def _candidates(self, fault: Fault) -> list[Running]:
        """Processes of which a fault strikes one."""
        return [each for each in self._running if each.kind == fault.stage]

    def _strike_kill(self, running: Running, fault: Fault) -> None:
        self._kill(running)

    def _strike_freeze(self, running: Running, fault: Fault) -> None:
        process = running.process
        process.frozen = True
        self.note("frozen", process=process.name, seconds=fault.seconds)
        self.loop.later(fault.seconds, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        self.note("thawed", process=process.name)
        self.loop.thaw(process)

    def _strike_cut(self, running: Running, fault: Fault) -> None:
        process = running.process
        process.cut = True
        self.note("cut", process=process.name, seconds=fault.seconds)
        self.loop.later(fault.seconds, lambda: setattr(process, "cut", False))

    def _strike_stop(self, running: Running, fault: Fault) -> None:
        self.note("asked to stop", process=running.process.name)
        if running.task is not None:
            running.task.cancel()

    def _strike_join(self, fault: Fault) -> None:
        self._start(fault.stage)

    def _strike_redis_stalls(self, fault: Fault) -> None:
        if self.server.stalled is None:
            self.server.stall()
            self.loop.later(fault.seconds, self.server.resume)

    def _strike_redis_flushed(self, fault: Fault) -> None:
        self.checker.flushed()
        self.server.data.clear()

    def _strike_redis_key_overwritten(self, fault: Fault) -> None:
        """A foreign client overwrites one of our keys: with another type, or with an invalid epoch or serial.

        Views are never overwritten, because nothing would write them again.
        """
        data = self.server.data
        keys = sorted(key for key, value in data.items() if not isinstance(value, bytes) or b":ledger:" in key)
        if keys:
            key = keys[fault.choice % len(keys)]
            self.note("overwritten", key=key.decode())
            self.checker.overwritten(key)
            value = data[key]
            if isinstance(value, dict) and fault.steps % 2:
                value[(b"epoch", b"serial")[fault.steps // 2 % 2]] = FOREIGN_NUMBERS[fault.steps // 4 % 3]
            else:
                data[key] = {b"not ours"} if isinstance(value, bytes) else b"not ours"

    def _strike_redis_rolled_back(self, fault: Fault) -> None:
        older = self.server.snapshot()
        self.loop.later(fault.seconds, self._roll_back, older)

    def _roll_back(self, older: dict[bytes, Any]) -> None:
        self.note("rolled back")
        self.checker.rolled_back()
        self.server.data = older

    def _strike_offsets_reset(self, fault: Fault) -> None:
        """An operator resets the group's offsets while intake is stopped: to the start, to the end, or in between."""
        for running in [each for each in self._running if each.kind == "intake"]:
            self._kill(running)
        offsets = {}
        for log in self.broker.topics["votes"]:
            to = [log.start, log.stable, log.start + fault.choice % max(1, log.stable - log.start)]
            offsets[TopicPartition("votes", log.number)] = (to[fault.steps % 3], "")
        self.broker.reset(INTAKE_GROUP, offsets)
        for at in offsets:
            self._doubt(at)

    def _strike_votes_cut(self, fault: Fault) -> None:
        """Retention or an operator deletes the first records of a partition of votes, while intake is down or runs."""
        if fault.steps % 4:
            self._down.add("intake")
            for running in [each for each in self._running if each.kind == "intake"]:
                self._kill(running)
            self.loop.later(fault.seconds, self._cut_votes, fault)
        else:
            self._cut_votes(fault)

    def _cut_votes(self, fault: Fault) -> None:
        self._down.discard("intake")
        log = self.broker.topics["votes"][fault.choice % self.plan.partitions]
        if not self.checker.taken(log.number):
            return  # records deleted before intake has read the partition are not intake's loss
        self.checker.oracle.advance()
        log.start += (1 + fault.choice) % (1 + log.stable - log.start)
        self.note("cut", at=f"votes/{log.number}", start=log.start)
        self._doubt(TopicPartition("votes", log.number))

    def _doubt(self, at: TopicPartition) -> None:
        """Accept a gap up to the log start if intake has no commit of its own at a partition.

        Then only the ledger shows its position, and blocks of some arenas of its last fetch may be missing: it is
        unknown which records before the log start were counted.
        """
        if not self.broker.group(INTAKE_GROUP).offsets.get(at, (0, ""))[1]:
            self.checker.gap_accepted(at, self.broker.at(at).start)

    def _accept_gap(self, error: BaseException) -> None:
        """Intake has stopped because records are gone: an operator accepts the gap, and intake continues."""
        at = TopicPartition("votes", int(str(error).split()[0].partition("/")[2]))
        self.faults["gap accepted"] += 1
        start = self.broker.at(at).start
        self.checker.gap_accepted(at, start)
        self.broker.reset(ACCEPTED_GROUP, {at: (start, "")})

    def _heal(self) -> None:
        self.note("healed")
        self.network.chances = Chances(stale=self.plan.chances.stale)
        self.server.answer_lost = self.server.slow = 0.0
        for each in self._running:
            each.process.doom = None

    # --- votes -------------------------------------------------------------------------------------------------------

    def _send(self, batch: Batch) -> None:
        now = EPOCH_MS + int(self.loop.time() * 1000)
        by_partition: dict[int, list[Any]] = {}
        count = len(self.broker.topics[batch.topic])
        for entry in batch.entries:
            number = 0 if entry[0] is None else partitions_of([entry[0]], count)[0]
            by_partition.setdefault(number, []).append(entry)
        for number, entries in by_partition.items():
            at = TopicPartition(batch.topic, number)
            transaction = None if batch.transaction is None else object()
            slot = Slot.UNREADABLE if batch.unreadable else Slot.PLAIN
            self.broker.append(at, entries, now, slot, transaction)
            self.note("sent", at=f"{at.topic}/{at.partition}", count=len(entries), transaction=batch.transaction)
            if transaction is not None:
                self.loop.later(batch.open_seconds, self._finish, at, transaction, batch.transaction == "commit")

    def _finish(self, at: TopicPartition, transaction: object, commit: bool) -> None:
        self.broker.at(at).finish(transaction, commit=commit)
        self.broker.wake(at.topic)

    def _end(self) -> None:
        """End this world, so that no cleanup of its tasks runs in the next one."""
        self._over = self.loop.over = True
        for running in list(self._running):
            self._kept += self.loop.kill(running.process)
            self._steps += running.process.steps
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for task in self._kept:
                task._log_destroy_pending = False
                with contextlib.suppress(BaseException):
                    task.get_coro().close()
        self.loop._timers.clear()
        self.loop.close()
        asyncio.set_event_loop(None)


def run_seed(seed: int, *, kinds: tuple[str, ...] = (), keep_trace: bool = False) -> Result:
    """Run one seed, with these kinds of faults or with any; `simulated` must be active."""
    return run_world(World(make_plan(seed, kinds), keep_trace=keep_trace))


def run_world(world: World) -> Result:
    """Run a world to its end."""
    CURRENT.append(world)
    try:
        return world.run()
    finally:
        CURRENT.pop()
        if world.plan.seed % 50 == 0:
            gc.collect()
