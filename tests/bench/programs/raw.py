"""The baseline for intake: aiokafka's `getmany` on the votes topic, which only counts records.

`Log` creates the consumer, so that it has the settings of intake's.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence

from aiokafka import TopicPartition

from streams.contracts.settings import Settings
from streams.contracts.topics import VOTES
from streams.kafka.consumer import Batch, Log
from tests.bench.programs.begin import begin_at_the_start
from tests.bench.programs.talk import answer, given, like_a_worker


class Nobody:
    """A follower that does nothing; `measure` drives the consumer."""

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None: ...

    async def process(self, log: Log, batch: Batch) -> None: ...

    async def revoked(self, log: Log) -> None: ...


async def measure(group: str, total: int) -> tuple[int, float, float]:
    """Number of records after the first fetch, and their seconds and processor seconds."""
    settings = Settings.from_env(os.environ)
    await begin_at_the_start(settings.kafka, group)
    consumer = Log(settings.kafka, group, [VOTES.name], Nobody(), max_records=settings.intake.fetch_records).consumer
    consumer.subscribe([settings.kafka.topic(VOTES.name)])
    await consumer.start()
    seen = first = 0
    began = cpu = 0.0
    while seen < total:
        batch = await consumer.getmany(
            timeout_ms=settings.kafka.fetch_wait_ms, max_records=settings.intake.fetch_records
        )
        count = sum(map(len, batch.values()))
        if count and not first:
            began, cpu, first = time.perf_counter(), time.process_time(), count
        seen += count
    took = time.perf_counter() - began, time.process_time() - cpu
    await consumer.stop()
    return seen - first, *took


if __name__ == "__main__":
    parameters = given()
    like_a_worker()
    records, seconds, cpu_seconds = asyncio.run(measure(parameters["group"], parameters["total"]))
    answer(records=records, seconds=seconds, cpu_seconds=cpu_seconds)
