"""Several producers at the same time in one partition: each record is read once, also where the broker skips some."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from streams.contracts.topics import VOTES
from streams.kafka.consumer import Batch, Log
from tests.support.pipeline import Pipeline
from tests.support.tasks import end

pytestmark = pytest.mark.integration

WRITERS, EACH = 8, 1_000


class Reader:
    """What a `Log` hands over, in order."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.assigned_to: asyncio.Event = asyncio.Event()

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        for at in partitions:
            log.seek(at, 0)
        self.assigned_to.set()

    async def process(self, log: Log, batch: Batch) -> None:
        for at, records in batch.items():
            if at.partition == 0:
                self.offsets += [record.offset for record in records]

    async def revoked(self, log: Log) -> None:
        """Nothing to save."""


async def test_each_record_of_many_writers_is_read_once(pipeline: Pipeline) -> None:
    """Without reading again behind a gap, a few may never be read on the embedded broker, on a busy machine."""
    pipeline.create_topics()
    topic, reader = pipeline.settings.kafka.topic(VOTES.name), Reader()
    log = Log(pipeline.settings.kafka, "reader", [VOTES.name], reader, max_records=1_000)
    running = asyncio.create_task(log.run())

    async def write(name: int) -> None:
        async with AIOKafkaProducer(bootstrap_servers=pipeline.bootstrap, acks="all", linger_ms=0) as producer:
            for number in range(EACH):
                await producer.send_and_wait(topic, f"{name} {number} {'x' * 100}".encode(), partition=0)

    try:
        async with asyncio.timeout(200):
            await reader.assigned_to.wait()
            await asyncio.gather(*map(write, range(WRITERS)))
            while len(reader.offsets) < WRITERS * EACH and not running.done():
                await asyncio.sleep(0.05)
    finally:
        await end(running)
        missing = sorted(set(range(WRITERS * EACH)) - set(reader.offsets))
        assert missing == []
    assert reader.offsets == list(range(WRITERS * EACH))
