"""Compares votes in transactions with plain votes on Apache Kafka: freshness, and that no process hangs or ends.

Freshness is measured from outside: from the moment before a vote is passed to the client until a board that counts it
can be read. Rounds alternate, and each vote is in its own batch or transaction.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from services.local.redis import RedisServer
from streams.contracts.topics import VOTES
from tests.bench import machine
from tests.support.eventually import eventually_async
from tests.support.kafka_node import KafkaNode
from tests.support.pipeline import Pipeline, Vote, Worker, encode, fold_votes, make_votes, wait_same_boards

PACE = 50
ROUNDS = 3
ROUND_SECONDS = 20.0
OPEN_SECONDS = 30.0
FOLLOWED = 2_000
LOOK = 0.005
STAGES = "intake,ratings,fairness"
Write = Callable[[Vote], Awaitable[None]]


class Trial:
    """The stream, a plain and a transactional client, and the acknowledged votes."""

    def __init__(self, pipeline: Pipeline, worker: Worker, plain: AIOKafkaProducer, bound: AIOKafkaProducer) -> None:
        self.pipeline, self.worker, self.plain, self.bound = pipeline, worker, plain, bound
        self.topic = pipeline.settings.kafka.topic(VOTES.name)
        self.acknowledged: list[Vote] = []
        self._made = 0

    def make(self, count: int) -> list[Vote]:
        """New votes, each of which counts on the overall board."""
        self._made += 1
        return [vote | {"winner": "model_a"} for vote in make_votes(count, seed=self._made, labels=False)]

    async def put(self, producer: AIOKafkaProducer, vote: Vote) -> None:
        await producer.send_and_wait(self.topic, encode(vote), key=vote["id"].encode())

    async def send(self, vote: Vote) -> None:
        """Send one plain vote."""
        await self.put(self.plain, vote)
        self.acknowledged.append(vote)

    async def commit(self, vote: Vote) -> None:
        """Send one vote in its own transaction."""
        async with self.bound.transaction():
            await self.put(self.bound, vote)
        self.acknowledged.append(vote)

    async def abort(self, vote: Vote) -> None:
        """Send one vote in a transaction, and abort it."""
        await self.bound.begin_transaction()
        await self.put(self.bound, vote)
        await self.bound.abort_transaction()

    async def counted(self, within: float = 60.0) -> None:
        """Wait until the board counts all acknowledged votes; more votes are a failure."""
        await asyncio.to_thread(self.pipeline.wait_counted, len(self.acknowledged), "text", within)

    async def round(self, write: Write) -> list[float]:
        """Write votes at `PACE`; returns the age of each in seconds when a board first counted it."""
        before, ages, seen, done = len(self.acknowledged), list[float](), list[tuple[float, int]](), threading.Event()
        looking = asyncio.create_task(asyncio.to_thread(self._look, seen, done))
        starts = []
        began = time.monotonic()
        for number, vote in enumerate(self.make(round(PACE * ROUND_SECONDS))):
            await asyncio.sleep(max(0.0, began + number / PACE - time.monotonic()))
            starts.append(time.monotonic())
            await write(vote)
        await self.counted()
        done.set()
        await looking
        boards = iter(seen)
        at, battles = next(boards)
        for number, start in enumerate(starts, start=before + 1):
            while battles < number:
                at, battles = next(boards)
            ages.append(at - start)
        return ages

    def _look(self, seen: list[tuple[float, int]], done: threading.Event) -> None:
        while not done.wait(LOOK):
            board = self.pipeline.board()
            seen.append((time.monotonic(), board.battles if board is not None else 0))
        board = self.pipeline.board()
        seen.append((time.monotonic(), board.battles if board is not None else 0))


async def held_open(trial: Trial) -> str | None:
    """Keep a transaction open while plain votes continue; returns the finding, if any."""
    first, *others = trial.make(PACE * 4)
    await trial.bound.begin_transaction()
    await trial.put(trial.bound, first)
    until = time.monotonic() + OPEN_SECONDS
    for number, vote in enumerate(others):
        await trial.send(vote)
        await asyncio.sleep(max(0.0, until - OPEN_SECONDS + number * OPEN_SECONDS / len(others) - time.monotonic()))
    await eventually_async(lambda: time.monotonic() >= until or not trial.worker.process.alive, OPEN_SECONDS + 10)
    await trial.bound.commit_transaction()
    trial.acknowledged.append(first)
    await trial.counted()
    return None if trial.worker.process.alive else "the worker ended while a transaction was open"


async def followed(trial: Trial, directory: Path) -> str | None:
    """Run `isonomy replay --follow` while transactions are committed and aborted; returns the finding, if any."""
    votes = trial.make(FOLLOWED)
    path = directory / "followed.jsonl"
    path.write_bytes(b"\n".join(map(encode, votes)))
    replay = asyncio.create_task(
        asyncio.to_thread(trial.pipeline.isonomy, "replay", str(path), "--follow", check=False)
    )
    beside = trial.make(10_000)
    while not replay.done():
        await trial.commit(beside.pop())
        await trial.abort(beside.pop())
    trial.acknowledged += votes
    done = await replay
    await trial.counted()
    return None if done.returncode == 0 else f"replay --follow ended with {done.returncode}: {done.stderr[-500:]}"


async def silent(trial: Trial, minutes: float) -> str | None:
    """Write nothing for a while after a commit and an abort; returns the finding, if any."""
    vote, taken_back = trial.make(2)
    await trial.commit(vote)
    await trial.abort(taken_back)
    await trial.counted()
    until = time.monotonic() + minutes * 60
    await eventually_async(
        lambda: time.monotonic() >= until or not trial.worker.process.alive, minutes * 60 + 60, every=0.5
    )
    if not trial.worker.process.alive:
        return f"the worker ended in the silence:\n{trial.worker.process.log_tail(20)}"
    lag, age = trial.worker.metric("consumer_lag"), trial.worker.metric("watchdog_age_seconds")
    return f"after the silence lag is {lag:g}, the watchdog waits for {age:g} s" if lag or age else None


async def _measure(pipeline: Pipeline, worker: Worker, directory: Path, minutes: float) -> dict[str, Any]:
    async with (
        AIOKafkaProducer(bootstrap_servers=pipeline.bootstrap, acks="all") as plain,
        AIOKafkaProducer(bootstrap_servers=pipeline.bootstrap, acks="all", transactional_id="transactional") as bound,
    ):
        trial = Trial(pipeline, worker, plain, bound)
        await trial.round(trial.send)  # warm-up
        rounds = [(await trial.round(trial.send), await trial.round(trial.commit)) for _ in range(ROUNDS)]
        wrong = [await held_open(trial), await followed(trial, directory), await silent(trial, minutes)]
        exactly = fold_votes(trial.acknowledged, directory)["text"]
        try:
            wait_same_boards(pipeline, exactly)
        except AssertionError as error:
            wrong.append(f"the boards are not those of what was committed: {error}")
    p99 = [[float(np.quantile(ages, 0.99)) for ages in pair] for pair in rounds]
    return {
        "plain p99": [plain for plain, _ in p99],
        "transactions p99": [bound for _, bound in p99],
        "ratio": statistics.median(bound / plain for plain, bound in p99),
        "votes": len(trial.acknowledged),
        "silence minutes": minutes,
        "findings": [each for each in wrong if each is not None],
        "machine": dict(machine.facts()),
    }


def measure(directory: Path, minutes: float) -> dict[str, Any]:
    """Run the whole comparison on one Apache Kafka and one Redis.

    Parameters
    ----------
    directory
        Directory of logs and data.
    minutes
        Duration of the silence.
    """
    with KafkaNode(directory / "kafka") as broker, RedisServer(directory / "redis") as redis:
        pipeline = Pipeline(broker.bootstrap, redis.url, "t.", "t:", directory).create_topics()
        try:
            worker = pipeline.worker(stages=STAGES).start().wait_ready()
            found = asyncio.run(_measure(pipeline, worker, directory, minutes))
            if code := worker.stop():
                found["findings"].append(f"asked to end, the worker ended with {code}")
            return found
        finally:
            pipeline.stop()
