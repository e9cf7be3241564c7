"""Votes in transactions: the committed ones count as plain votes do, the others do not, and no lag is left behind."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams.contracts.topics import DEAD_LETTERS, MODELS, VOTES
from tests.support.eventually import PATIENCE, eventually, eventually_async
from tests.support.pipeline import Pipeline, Vote, Worker, encode, fold_votes, make_votes, wait_same_boards
from tests.support.stack import TestBroker

pytestmark = pytest.mark.integration

STAGES = "intake,ratings,fairness"


@pytest.fixture(autouse=True)
def _topics(broker: TestBroker, pipeline: Pipeline) -> None:
    if not broker.durable:
        pytest.skip("the embedded broker has no transactions")
    pipeline.create_topics()


@asynccontextmanager
async def transactional(pipeline: Pipeline, name: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=pipeline.bootstrap, transactional_id=f"{pipeline.topic_prefix}{name}", acks="all"
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def put(producer: AIOKafkaProducer, pipeline: Pipeline, votes: list[Vote]) -> None:
    topic = pipeline.settings.kafka.topic(VOTES.name)
    for future in [await producer.send(topic, encode(vote), key=vote["id"].encode()) for vote in votes]:
        await future


async def commit(producer: AIOKafkaProducer, pipeline: Pipeline, votes: list[Vote]) -> None:
    async with producer.transaction():
        await put(producer, pipeline, votes)


async def abort(producer: AIOKafkaProducer, pipeline: Pipeline, votes: list[Vote]) -> None:
    await producer.begin_transaction()
    await put(producer, pipeline, votes)
    await producer.abort_transaction()


def lag(worker: Worker) -> float:
    return worker.metric("consumer_lag")


async def test_committed_votes_count_aborted_ones_do_not_and_no_lag_stays(pipeline: Pipeline, tmp_path: Path) -> None:
    worker = pipeline.worker(stages=STAGES).start().wait_ready()
    votes = make_votes(600, seed=1, arenas=("text", "code"))
    never = make_votes(200, seed=2, arenas=("text", "code"))
    async with transactional(pipeline, "a") as first, transactional(pipeline, "b") as second:
        await commit(first, pipeline, votes[:200])
        await abort(second, pipeline, never[:100])
        await asyncio.to_thread(pipeline.produce, votes[200:400])
        for vote in votes[400:450]:
            await commit(second, pipeline, [vote])
        await commit(first, pipeline, votes[450:])
        await abort(first, pipeline, never[100:])
        async with first.transaction():
            await first.send_and_wait(pipeline.settings.kafka.topic(MODELS.name), b"no model", key=b"text/x")
    expected = fold_votes(votes, tmp_path)
    for arena, state in expected.items():
        await asyncio.to_thread(pipeline.wait_counted, state.boards["overall"].battles, arena)
        wait_same_boards(pipeline, state)
    eventually(lambda: worker.metric("watchdog_age_seconds") == 0 and lag(worker) == 0, 20)
    assert len(pipeline.topic(DEAD_LETTERS.name)) == 1
    assert worker.stop() == 0

    # What was committed of the group is behind the markers: the next owner reads nothing again.
    second_worker = pipeline.worker("second", stages=STAGES).start().wait_ready()
    eventually(lambda: lag(second_worker) == 0, 20)
    assert second_worker.metric("intake_votes_total") == 0
    assert "intake did not write the group's commit" not in second_worker.log()


async def test_a_topic_that_ends_in_markers_keeps_no_watchdog_waiting(pipeline: Pipeline) -> None:
    worker = pipeline.worker(stages=STAGES, ISONOMY_WATCHDOG_SECONDS="5").start().wait_ready()
    async with transactional(pipeline, "a") as producer:
        await commit(producer, pipeline, make_votes(20, seed=3))
    await asyncio.to_thread(pipeline.wait_counted, 20)
    quiet_until = time.monotonic() + 15
    await eventually_async(lambda: time.monotonic() > quiet_until or not worker.process.alive, 20)
    assert worker.process.alive, worker.log()[-2_000:]
    assert worker.metric("watchdog_age_seconds") == 0


async def test_an_open_transaction_holds_up_what_is_behind_it_and_ends_nothing(pipeline: Pipeline) -> None:
    worker = pipeline.worker(stages=STAGES, ISONOMY_WATCHDOG_SECONDS="4").start().wait_ready()
    votes = make_votes(300, seed=4)
    async with transactional(pipeline, "open") as producer:
        await producer.begin_transaction()
        await put(producer, pipeline, votes[:100])  # in every partition
        await asyncio.to_thread(pipeline.produce, votes[100:200])
        held_until = time.monotonic() + 10
        await eventually_async(lambda: time.monotonic() > held_until or not worker.process.alive, 15)
        assert worker.process.alive, worker.log()[-2_000:]
        assert pipeline.board() is None, "no reader gets past an open transaction"
        await producer.commit_transaction()
    await asyncio.to_thread(pipeline.wait_counted, 200)
    await asyncio.to_thread(pipeline.produce, votes[200:])
    await asyncio.to_thread(pipeline.wait_counted, 300)
    eventually(lambda: lag(worker) == 0, 20)


async def test_one_vote_a_transaction_is_as_fresh_as_a_plain_one(pipeline: Pipeline) -> None:
    worker = pipeline.worker(stages=STAGES).start().wait_ready()
    votes = make_votes(220, seed=5, labels=False)
    async with transactional(pipeline, "a") as producer:
        await commit(producer, pipeline, votes[:20])
        await asyncio.to_thread(pipeline.wait_counted, 20)
        ages = []
        for number, vote in enumerate(votes[20:100], start=21):
            began = time.monotonic()
            await commit(producer, pipeline, [vote])
            await eventually_async(lambda: (board := pipeline.board()) and board.battles >= number, 20)  # noqa: B023
            ages.append(time.monotonic() - began)
    # A partition that ends in a marker was taken for one that has more to give, and votes waited up to 5 s for it.
    assert sorted(ages)[len(ages) // 2] < 1.0 * PATIENCE, sorted(ages)
    assert sorted(ages)[-4] < 3.0 * PATIENCE, sorted(ages)  # a busy machine may hold a few up
    assert worker.process.alive
