"""Sends votes to the gateway at a fixed pace, watches the board, and measures when each vote is first counted.

The pace does not wait for answers: a request without an idle connection waits in a queue, and its delay is reported.
A board has the watermark of each votes partition, and the topic, which is read afterwards, has the partition and offset
of each vote; so the first board that counts a vote is known exactly. The time of a board is that of its arrival from
Redis, a little after it was published.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from numpy.typing import NDArray
from redis.asyncio import Redis

from streams.contracts.settings import Settings
from streams.contracts.topics import VOTES
from streams.contracts.view import OVERALL
from tests.bench.programs.boards import Head, head
from tests.bench.programs.bodies import arrays, request_of
from tests.bench.programs.client import Connection, connect, request
from tests.bench.programs.talk import answer, given

ARENA = "text"
SETTLE_SECONDS = 20.0


@dataclass(slots=True)
class Seen:
    """Boards in order of arrival: their times and heads."""

    at: list[float] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)


async def watch(settings: Settings, seen: Seen) -> None:
    """Record every board until cancelled."""
    redis: Any = Redis.from_url(settings.redis.url)  # its pub/sub is not typed
    listening = redis.pubsub(ignore_subscribe_messages=True)
    await listening.subscribe(settings.redis.keys.changed(ARENA))
    key = settings.redis.keys.board(ARENA, OVERALL)
    async for _ in listening.listen():
        text = await redis.get(key)
        at = time.monotonic()
        seen.heads.append(head(text))
        seen.at.append(at)


async def offer(port: int, requests: list[bytes], every: float, connections: int) -> dict[str, NDArray[np.float64]]:
    """Send one request every `every` seconds; returns the times at which each was due, sent and acknowledged."""
    loop = asyncio.get_running_loop()
    times = {name: np.full(len(requests), np.nan) for name in ("due", "went", "acknowledged")}
    ended = loop.create_future()
    waiting: deque[int] = deque()
    left = len(requests)

    def answered(connection: Connection, accepted: bool, at: float) -> None:
        nonlocal left
        left -= 1
        if accepted:
            times["acknowledged"][connection.carries] = at
        if not left:
            ended.set_result(None)
        elif waiting:
            send(connection, waiting.popleft())
        else:
            idle.append(connection)

    def send(connection: Connection, number: int) -> None:
        times["went"][number] = time.monotonic()
        connection.send(number, requests[number])

    idle = deque(await connect(port, connections, answered))
    opened = list(idle)
    began = time.monotonic() + 0.05
    for number in range(len(requests)):
        due = times["due"][number] = began + number * every
        if (ahead := due - time.monotonic()) > 0:
            await asyncio.sleep(ahead)
        if idle:
            send(idle.popleft(), number)
        else:
            waiting.append(number)
            await asyncio.sleep(0)
    await asyncio.wait_for(ended, SETTLE_SECONDS)
    for connection in opened:
        connection.close()
    return times


async def places(settings: Settings, total: int) -> dict[str, NDArray[np.int64]]:
    """Request, partition and offset of every vote in the topic."""
    topic = settings.kafka.topic(VOTES.name)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap,
        group_id=None,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    columns: dict[str, list[int]] = {"request": [], "partition": [], "offset": []}
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, each) for each in range(VOTES.partitions)]
        consumer.assign(partitions)
        async with asyncio.timeout(SETTLE_SECONDS + total / 50_000):
            while len(columns["offset"]) < total:
                for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                    columns["request"] += [request_of(record.key) for record in records]
                    columns["offset"] += [record.offset for record in records]
                    columns["partition"] += [partition.partition] * len(records)
    finally:
        await consumer.stop()
    return {name: np.array(values, np.int64) for name, values in columns.items()}


def first_counted(seen: Seen, of: dict[str, NDArray[np.int64]]) -> NDArray[np.float64]:
    """Time of the first board that counts each vote; NaN if none does."""
    at = np.array([*seen.at, np.nan])
    counted = np.empty(len(of["offset"]))
    for partition in np.unique(of["partition"]).tolist():
        name = f"{VOTES.name}/{partition}"
        watermarks = np.array([each.position.watermark.get(name, -1) for each in seen.heads], np.int64)
        chosen = of["partition"] == partition
        counted[chosen] = at[np.searchsorted(watermarks, of["offset"][chosen], side="left")]
    return counted


async def measure(told: dict[str, Any]) -> dict[str, Any]:
    """Run the measurement; returns the figures."""
    settings = Settings.from_env(os.environ)
    votes, every = told["votes"], told["votes"] / told["rate"]
    warm = int(told["warm_seconds"] / every)
    count = warm + int(told["seconds"] / every)
    requests = [request(body, told["secret"]) for body in arrays(count, votes, told["rich"])]
    gc.collect()
    gc.freeze()
    gc.disable()  # all objects are kept to the end anyway
    seen = Seen()
    watching = asyncio.create_task(watch(settings, seen))
    times = await offer(told["port"], requests, every, told["connections"])
    last = float(np.nanmax(times["acknowledged"]))
    while (not seen.heads or seen.heads[-1].battles < count * votes) and time.monotonic() < last + SETTLE_SECONDS:
        if watching.done():
            watching.result()
        await asyncio.sleep(0.05)
    watching.cancel()
    of = await places(settings, count * votes)
    chosen = of["request"] >= warm
    freshness = (first_counted(seen, of) - times["acknowledged"][of["request"]])[chosen]
    publishes = np.diff([at for at in seen.at if times["due"][warm] <= at <= last])
    answered = (times["acknowledged"] - times["due"])[warm:]
    span = last - times["due"][warm]
    return {
        "freshness": _percentiles(freshness),
        "never": int(np.isnan(freshness).sum()),
        "answer": _percentiles(answered),
        "late": _percentiles((times["went"] - times["due"])[warm:]),
        "publishes": _percentiles(publishes),
        "refused": int(np.isnan(answered).sum()),
        "rate": float((count - warm) * votes / span),
    }


def _percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    """Percentiles in milliseconds, without NaN."""
    known = 1e3 * values[~np.isnan(values)]
    if not len(known):
        return {}
    return {f"p{at:g}": float(np.percentile(known, at)) for at in (5, 50, 90, 99, 100)}


if __name__ == "__main__":
    uvloop.install()
    answer(**asyncio.run(measure(given())))
