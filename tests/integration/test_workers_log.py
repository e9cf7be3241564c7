"""A rebalance never stops a member of a group for good, and a stage that is over never goes unnoticed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from streams.app import StageEnded, StageService
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.settings import Settings
from streams.kafka.consumer import Batch, Log
from tests.support.eventually import eventually_async
from tests.support.stack import TestBroker
from tests.support.tasks import end
from tests.support.topics import create_topic

pytestmark = pytest.mark.integration

PARTITIONS = 4
REBALANCED = 40.0
"""Seconds for two members to share the partitions: a session timeout or two, on a busy machine."""


class Recorder:
    """A follower that keeps what it is given; taking over reads each partition from its start, as a rebuild does."""

    def __init__(self, rebuild_seconds: float = 0.0) -> None:
        self.rebuild_seconds = rebuild_seconds
        self.held: list[TopicPartition] = []
        self.taken: list[int] = []
        self.rebuilding = 0

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        self.rebuilding += 1
        for partition in partitions:
            log.seek(partition, 0)
        end = time.monotonic() + self.rebuild_seconds
        while time.monotonic() < end and partitions:
            await log.fetch(*partitions, timeout_ms=50, max_records=100)
            for partition in partitions:
                log.seek(partition, 0)
        self.held = list(partitions)

    async def process(self, log: Log, batch: Batch) -> None:
        self.taken += [record.offset for records in batch.values() for record in records]

    async def revoked(self, log: Log) -> None:
        self.held = []


@contextlib.asynccontextmanager
async def member(settings: Settings, recorder: Recorder) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Log(settings.kafka, "g", ["votes"], recorder, max_records=500).run())
    try:
        yield task
    finally:
        await end(task)


@contextlib.asynccontextmanager
async def stream_of_records(settings: Settings) -> AsyncIterator[None]:
    """Keep every partition busy, so that fetches keep returning while the group rebalances."""

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap) as producer:
            while True:
                for partition in range(PARTITIONS):
                    await producer.send_and_wait(settings.kafka.topic("votes"), b"x", partition=partition)
                await asyncio.sleep(0.005)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        await end(task)


@pytest.fixture
def settings(broker: TestBroker, topic_prefix: str) -> Settings:
    create_topic(broker.bootstrap, f"{topic_prefix}votes", partitions=PARTITIONS)
    return Settings(kafka=KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=topic_prefix))


async def test_a_rebalance_while_records_stream_in_is_over_soon(settings: Settings) -> None:
    first, second = Recorder(), Recorder()
    async with stream_of_records(settings), member(settings, first):
        await eventually_async(lambda: len(first.held) == PARTITIONS and first.taken, REBALANCED)
        for _ in range(3):
            async with member(settings, second):
                await eventually_async(lambda: len(first.held) == len(second.held) == PARTITIONS // 2, REBALANCED)
                before = len(first.taken), len(second.taken)
                await eventually_async(lambda: len(first.taken) > before[0] and len(second.taken) > before[1])  # noqa: B023
            await eventually_async(lambda: len(first.held) == PARTITIONS, REBALANCED)


async def test_a_rebalance_in_the_middle_of_a_rebuild_ends_the_rebuild_and_not_the_member(settings: Settings) -> None:
    first, second = Recorder(rebuild_seconds=20.0), Recorder()
    async with stream_of_records(settings), member(settings, first) as task:
        await eventually_async(lambda: first.rebuilding == 1, REBALANCED)
        first.rebuild_seconds = 0.0
        async with member(settings, second):
            await eventually_async(lambda: len(first.held) == len(second.held) == PARTITIONS // 2, REBALANCED)
            assert first.rebuilding == 2
        assert not task.done()


class Ending:
    """A stage that is over at once."""

    name = "ending"

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.positions: dict[TopicPartition, int] = {}
        self.steps = 0
        self.doing = ""
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        raise self.error

    def told(self) -> str:
        return ""


@pytest.mark.parametrize(
    ("error", "crash"),
    [(ValueError("bad"), ValueError), (asyncio.CancelledError(), StageEnded)],
    ids=["error", "cancel"],
)
async def test_a_stage_that_is_over_unasked_crashes_the_application_however_it_ended(
    error: BaseException, crash: type[BaseException]
) -> None:
    # aiokafka's consumer may end in a CancelledError when it is stopped while the broker is away.
    service = StageService("ending", lambda: Ending(error), Metrics())
    await service.start()
    await eventually_async(lambda: service.crashed)
    assert isinstance(service.crash_reason, crash)
    await service.stop()


class Lasting(Ending):
    """A stage that is well until it is stopped."""

    async def run(self) -> None:
        await asyncio.Event().wait()


async def test_a_stage_that_fails_is_begun_anew_while_another_of_its_worker_is_well() -> None:
    metrics = Metrics()
    made: list[Ending] = []

    def make() -> Ending:
        # The first two fail, the third stays.
        made.append(Ending(ValueError("bad")) if len(made) < 2 else Lasting(ValueError("never")))
        return made[-1]

    failing = StageService("failing", make, metrics)
    well = StageService("well", lambda: Lasting(ValueError("never")), metrics)
    failing.others, well.others = [well], [failing]
    await well.start()
    await failing.start()
    await eventually_async(lambda: len(made) == 3, 20)
    assert metrics.registry.get_sample_value("isonomy_stage_failures_total", {"stage": "failing"}) == 2
    assert not failing.crashed
    assert not well.crashed
    await failing.stop()
    await well.stop()
    assert not failing.crashed


async def test_a_stage_that_cannot_be_made_anew_counts_its_tries_so_that_the_watchdog_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.app.AGAIN_SECONDS", (0.01,))
    made: list[Ending] = []

    def make() -> Ending:
        if made:
            raise ValueError("the file is broken")
        made.append(Ending(ValueError("bad")))
        return made[-1]

    failing = StageService("failing", make, Metrics())
    well = StageService("well", lambda: Lasting(ValueError("never")), Metrics())
    failing.others, well.others = [well], [failing]
    await well.start()
    await failing.start()
    before = failing.steps
    await eventually_async(lambda: failing.steps > before + 3)
    assert not failing.crashed
    await failing.stop()
    await well.stop()


async def test_when_no_stage_is_well_the_worker_ends() -> None:
    services = [StageService(name, lambda: Ending(ValueError("bad")), Metrics()) for name in ("one", "two")]
    services[0].others, services[1].others = [services[1]], [services[0]]
    for service in services:
        await service.start()
    await eventually_async(lambda: any(service.crashed for service in services), 20)
    for service in services:
        await service.stop()
