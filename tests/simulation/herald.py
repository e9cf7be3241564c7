"""The herald in a simulated world: alerts and subscriptions as input, and endpoints that fail or answer late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

import services.herald.inbox
import services.herald.leader_election
import services.kafka.reader
from services.herald.leader_election import Herald
from streams.contracts.alert import Alert, Kind, Severity, Status, Subject, alert_id, encode_alert, fingerprint
from streams.contracts.delivery import Answer, Claim, Outcome, decode_record
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import HeraldSettings, KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.subscription import Channel, ChannelType, Match, Subscription, encode_subscription
from streams.contracts.topics import DELIVERIES
from tests.simulation.adapters import make_consumer, make_producer
from tests.simulation.broker import Partition
from tests.simulation.checker import Result
from tests.simulation.loop import PROCESS
from tests.simulation.network import Chances
from tests.simulation.plan import EMBEDDED, Batch, Fault, Plan, make_chances, make_faults
from tests.simulation.producer import EPOCH_MS
from tests.simulation.world import STAGES, World, run_world

FAULTS = ("kill", "freeze", "cut", "stop", "join", "broker down")
BEGAN = EPOCH_MS / 1000


class HeraldProcess:
    """A herald as a process of the world, with the process's name: a random name would not be reproducible."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.positions: dict[Any, int] = {}
        self._herald = Herald(settings, metrics)
        self._herald._by = PROCESS.get().name

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._herald.run()


STAGES["herald"] = HeraldProcess


class Endpoints:
    """Replaces `Channels`: the endpoints of all subscribers."""

    world: HeraldWorld

    def __init__(self, settings: Settings) -> None:
        pass

    async def __aenter__(self) -> Endpoints:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""

    async def send(
        self, subscription: Subscription, message: str, alerts: Sequence[Alert], still_ours: Callable[[], None]
    ) -> Answer:
        """Make one attempt."""
        world, random, loop = self.world, self.world.endpoint_random, self.world.loop
        began = loop.time()
        await asyncio.sleep(random.choice([0.001, 0.02] if world.quick else [0.001, 0.02, 0.3, 3.0]))  # connect
        still_ours()
        world.checker.attempted(subscription.id)
        fails = random.random()
        if fails < world.failing / 2:
            world.note("endpoint fails", subscription=subscription.id)
            await asyncio.sleep(random.choice([0.01, 0.5]))
            return Answer(Outcome.REJECTED, at=BEGAN + loop.time(), seconds=loop.time() - began, status=500)
        world.checker.received(subscription.id, message, alerts)
        await asyncio.sleep(random.choice([0.002, 0.05] if world.quick else [0.002, 0.05, 1.0]))
        outcome = Outcome.TIMEOUT if fails < world.failing else Outcome.DELIVERED
        return Answer(outcome, at=BEGAN + loop.time(), seconds=loop.time() - began)


class HeraldChecker:
    """Checks that all due deliveries are made, in order, by one herald at a time."""

    def __init__(self, world: HeraldWorld) -> None:
        self._world = world
        self.violations: list[str] = []
        self.accepted: list[Any] = []
        self._claims: dict[str, int] = {}
        self._latest_sender = -1
        self._got: dict[tuple[str, str, Status], int] = {}
        world.broker.stored.append(self._stored)

    def fail(self, rule: str, what: str) -> None:
        """Record a broken promise."""
        self._world.note("VIOLATION", rule=rule, what=what)
        self.violations.append(f"{self._world.loop.time():.3f} {rule}: {what}")

    def _stored(self, partition: Partition, base: int) -> None:
        if partition.topic != DELIVERIES.name:
            return
        for record in partition.records[base:]:
            if record is not None and record.value is not None:
                written = decode_record(record.value)
                if isinstance(written, Claim) and not written.released:
                    self._claims[written.by] = record.offset
                    self._world.note("claim", by=written.by)

    def owner(self) -> str:
        """Name of the process with the latest claim."""
        return max(self._claims, key=self._claims.__getitem__, default="")

    def attempted(self, subscription: str) -> None:
        """A message is sent: fails if a later owner has already sent one."""
        by = PROCESS.get().name
        claim = self._claims.get(by, -1)
        self._world.note("attempt", by=by, subscription=subscription)
        if claim < self._latest_sender:
            self.fail("one herald sends", f"{by} sends to {subscription} after a later owner has begun to")
        self._latest_sender = max(claim, self._latest_sender)

    def received(self, subscription: str, message: str, alerts: Sequence[Alert]) -> None:
        """An endpoint has received a message."""
        for alert in alerts:
            if alert.status is Status.RESOLVED and not self._got.get((subscription, alert.id, Status.FIRING)):
                self.fail("order", f"{subscription} was told of the end of {alert.id} before its beginning")
            place = (subscription, alert.id, alert.status)
            self._got[place] = self._got.get(place, 0) + 1
            self.accepted.append(place)

    def outcome(self) -> list[str]:
        """List missing and undue deliveries, and repeats in a calm run; empty when there are none."""
        owed = self._world.owed()
        missing = sorted(str(place) for place in owed - self._got.keys())
        wrong = [f"owed: {len(missing)} never delivered, such as {missing[0]}"] if missing else []
        if self._got.keys() - owed:
            wrong.append(f"not owed: {sorted(map(str, self._got.keys() - owed))[:2]}")
        if self._world.calm and any(count > 1 for count in self._got.values()):
            wrong.append("told twice, though nothing went wrong")
        return wrong


class HeraldWorld(World):
    """Heralds, their topics and the endpoints."""

    checker: HeraldChecker  # type: ignore[assignment]

    def __init__(self, plan: Plan, *, keep_trace: bool) -> None:
        super().__init__(plan, keep_trace=keep_trace)
        Endpoints.world = self
        self.endpoint_random = Random(f"endpoints {plan.seed}")
        self.calm = self.quick = not plan.faults
        self.failing = 0.0 if self.calm else self.endpoint_random.choice([0.0, 0.1, 0.4])

    def _make_checker(self) -> Any:
        return HeraldChecker(self)

    def owed(self) -> set[tuple[str, str, Status]]:
        """The due deliveries: every alert and status that was written, for every matching subscription."""
        alerts: dict[tuple[str, Status], Alert] = {}
        for record in self.broker.topics["alerts"][0].records:
            if record is not None and record.value is not None:
                alert = msgspec.json.decode(record.value, type=Alert)
                alerts[alert.id, alert.status] = alert
        subscriptions = [
            msgspec.json.decode(record.value or b"", type=Subscription)
            for record in self.broker.topics["subscriptions"][0].records
            if record is not None
        ]
        return {
            (subscription.id, alert.id, alert.status)
            for subscription in subscriptions
            for alert in alerts.values()
            if subscription.match.arena in (None, alert.arena)
        }

    def _candidates(self, fault: Fault) -> list[Any]:
        """Mostly the owner, because faults of the other heralds test little."""
        found = super()._candidates(fault)
        owner = self.checker.owner()
        return [each for each in found if each.process.name == owner or fault.choice % 4 == 0] or found

    def _unsettled(self) -> list[str]:
        return []

    def _heal(self) -> None:
        super()._heal()
        self.failing, self.quick = 0.0, True


def make_herald_plan(seed: int, kinds: tuple[str, ...] = ()) -> Plan:
    """Draw everything from the seed."""
    random = Random(f"herald {seed}")
    seconds = random.uniform(5.0, 12.0)
    calm = random.random() < 0.1
    faults = [] if calm else make_faults(random, seconds, kinds or FAULTS, stages=("herald",))
    settings = Settings(
        kafka=KafkaSettings(topic_prefix="", fetch_wait_ms=100),
        herald=HeraldSettings(
            retry_seconds=",".join([random.choice(["0.5", "4", "8"])] * 40),
            group_seconds=random.choice([0.0, 0.5]),
            group_size=random.choice([1, 3, 50]),
        ),
    )
    chances = Chances(stale=0.1) if calm else make_chances(random)
    embedded = Random(f"embedded {seed}").random() < EMBEDDED
    chances.skipped = 0.1 if embedded and not calm else 0.0
    return Plan(
        seed=seed,
        settings=settings,
        partitions=1,
        ledger_partitions=1,
        owners={"herald": random.choice([1, 2, 2, 3])},
        batches=_subscriptions(random) + _alerts(random, seconds),
        faults=faults,
        chances=chances,
        redis_answer_lost=0.0,
        redis_slow=0.0,
        write_ttl=10.0,
        load_seconds=seconds,
        embedded=embedded,
        solve=False,
        skews=[0.0],
    )


def _subscriptions(random: Random) -> list[Batch]:
    batches = []
    for number in range(random.randint(1, 3)):
        subscription = Subscription(
            id=f"s{number}",
            name=f"s{number}",
            owner="tests",
            match=Match(arena=random.choice([None, "text", "code"])),
            channel=Channel(type=ChannelType.WEBHOOK, url=f"https://s{number}.example/hook"),
            created_at=BEGAN - 100,
            updated_at=BEGAN - 100,
        )
        entry = (subscription.id.encode(), encode_subscription(subscription), ())
        batches.append(Batch(0.0, "subscriptions", [entry], None, 0.0))
    return batches


def _alerts(random: Random, seconds: float) -> list[Batch]:
    batches = []
    for number in range(random.randint(5, 25)):
        arena, subject = random.choice(["text", "code"]), Subject(model=f"m{number}")
        name = fingerprint(arena, Kind.SHARE_DRIFT, subject)
        at = random.uniform(0.0, seconds)
        firing = Alert(
            id=alert_id(name, f"{number}.0"),
            fingerprint=name,
            arena=arena,
            kind=Kind.SHARE_DRIFT,
            severity=Severity.WARNING,
            status=Status.FIRING,
            subject=subject,
            starts_at=BEGAN + at,
            detected_at=BEGAN + at,
            summary="drifts",
            evidence={},
            runbook_url="runbook",
            version=1,
        )
        told = [(at, firing)] * random.choice([1, 1, 2])
        if random.random() < 0.6:
            ends = at + random.choice([0.05, 1.0, 4.0])
            told.append((ends, msgspec.structs.replace(firing, status=Status.RESOLVED, ends_at=BEGAN + ends)))
        batches += [
            Batch(when, "alerts", [(name.encode(), encode_alert(alert), ())], None, 0.0) for when, alert in told
        ]
    return sorted(batches, key=lambda batch: batch.at)


def herald_changes() -> list[tuple[Any, str, Any]]:
    """Replacements in the herald's modules, in addition to those in the streams'."""
    return [
        (services.kafka.reader, "AIOKafkaConsumer", make_consumer),
        (services.kafka.reader, "AIOKafkaProducer", make_producer),
        (services.herald.leader_election, "Channels", Endpoints),
        # Ten reads a second instead of fifty are enough, and allow five times as many seeds.
        (services.herald.inbox, "WAIT_MS", 100),
    ]


def run_herald_seed(seed: int, *, kinds: tuple[str, ...] = (), keep_trace: bool = False) -> Result:
    """Run one seed of the herald; `simulated(herald_changes())` must be active."""
    return run_world(HeraldWorld(make_herald_plan(seed, kinds), keep_trace=keep_trace))
