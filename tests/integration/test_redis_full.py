"""A Redis that is full or refuses writes: folds wait and report it, intake continues, and no board is half written."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from streams.contracts.keys import Keys
from streams.contracts.redis_away import Away, cause_of
from streams.fold.redis_store import FoldStore, WriteResult
from tests.support.board import board_process
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, Pipeline, Worker, comparable, fold_votes, make_votes, wait_same_boards
from tests.support.redis import OwnRedis
from tests.support.stack import TestBroker

pytestmark = pytest.mark.integration

ARENAS = ("text", "code", "vision")
WATCHDOG = 4.0
"""Seconds: shorter than Redis is full here."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def alone(
    broker: TestBroker, own: OwnRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path
) -> Iterator[Pipeline]:
    """A stream over a Redis of its own."""
    environ = {"ISONOMY_WATCHDOG_SECONDS": str(WATCHDOG)}
    pipeline = Pipeline(broker.bootstrap, own.url, topic_prefix, redis_prefix, tmp_path, environ)
    pipeline.create_topics()
    yield pipeline
    pipeline.stop()


def published(pipeline: Pipeline) -> dict[str, dict[str, bytes]]:
    return {arena: pipeline.boards(arena) for arena in ARENAS}


def wait_same(pipeline: Pipeline, votes: list[dict[str, Any]], tmp_path: Path) -> None:
    """Wait until every board is what the votes make in one process."""
    for arena, state in fold_votes(votes, tmp_path).items():
        pipeline.wait_counted(state.boards["overall"].battles, arena)

        def same(arena: str = arena, state: object = state) -> bool:
            wait_same_boards(pipeline, state)
            return True

        eventually(same, COUNTED)


def waits(worker: Worker, cause: Away, stage: str = "ratings") -> bool:
    return worker.metric("redis_away", stage=stage, cause=cause) == 1


def test_a_full_redis_is_waited_for_and_intake_goes_on(alone: Pipeline, own: OwnRedis, tmp_path: Path) -> None:
    votes = make_votes(900, seed=41, arenas=ARENAS)
    worker = alone.worker(stages="intake,ratings,fairness").start().wait_ready()
    board = board_process(alone.environment, tmp_path)
    with board.process:
        alone.produce(votes[:450])
        wait_same(alone, votes[:450], tmp_path)
        board.wait("/v1/arenas/text/leaderboard")
        eventually(lambda: board.get("/v1/arenas/text/leaderboard").json()["votes"] == alone.board().votes)
        before = published(alone)

        own.fill()
        new = [{**vote, "id": f"new-{vote['id']}", "arena": "chat"} for vote in make_votes(60, seed=42)]
        alone.produce(votes[450:] + new)
        eventually(lambda: worker.metric("intake_votes_total", outcome="counted") == 960, COUNTED)
        for stage in ("ratings", "fairness"):
            eventually(lambda stage=stage: waits(worker, Away.FULL, stage), COUNTED)
        # For longer than the watchdog allows a stage that hangs; more votes come meanwhile.
        late = make_votes(300, seed=43, arenas=ARENAS)
        for start in range(0, 300, 50):
            alone.produce(late[start : start + 50])
            taken = 960 + start + 50
            eventually(lambda taken=taken: worker.metric("intake_votes_total", outcome="counted") == taken, COUNTED)
        _outlast_the_watchdog(worker)

        assert published(alone) == before  # none of them is half new
        assert alone.boards("chat") == {}
        assert board.get("/v1/arenas/text/leaderboard").status_code == 200
        assert worker.process.alive
        said = [line for line in worker.log().splitlines() if "Redis is full" in line]
        assert len(said) == 2, said  # once for each stage

        own.make_room()
        wait_same(alone, votes + new + late, tmp_path)
        eventually(lambda: not waits(worker, Away.FULL) and not waits(worker, Away.FULL, "fairness"))
        assert "Redis is back, ratings waited for" in worker.log()
        eventually(lambda: board.get("/v1/arenas/text/leaderboard").json()["votes"] == alone.board().votes)
        board.process.kill()
    after = {arena: {name: comparable(text) for name, text in alone.boards(arena).items()} for arena in ARENAS}
    assert worker.stop() == 0

    # What was saved in the end carries a restart.
    second = alone.worker("second").start().wait_ready()
    assert "refolding" not in second.log()
    assert after == {arena: {name: comparable(text) for name, text in alone.boards(arena).items()} for arena in ARENAS}


def _outlast_the_watchdog(worker: Worker) -> None:
    """Wait until the watchdog has looked for twice as long as it allows a stage that hangs."""
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 2 * WATCHDOG or not worker.process.alive, 4 * WATCHDOG, every=0.2)


def test_a_worker_that_starts_with_a_full_redis_waits_for_room(alone: Pipeline, own: OwnRedis, tmp_path: Path) -> None:
    votes = make_votes(300, seed=44, arenas=ARENAS)
    first = alone.worker("first").start().wait_ready()
    alone.produce(votes[:200])
    wait_same(alone, votes[:200], tmp_path)
    assert first.stop() == 0
    own.fill()
    alone.produce(votes[200:])
    second = alone.worker("second").start()
    eventually(lambda: waits(second, Away.FULL), COUNTED)
    eventually(lambda: second.metric("intake_votes_total", outcome="counted") == 100, COUNTED)
    assert "Redis is full: it has reached its maxmemory and takes no writes, taking over has to wait" in second.log()
    own.make_room()
    second.wait_ready()
    wait_same(alone, votes, tmp_path)
    assert not waits(second, Away.FULL)


def test_a_redis_that_became_a_replica_is_waited_for(alone: Pipeline, own: OwnRedis, tmp_path: Path) -> None:
    votes = make_votes(300, seed=45, arenas=ARENAS)
    worker = alone.worker().start().wait_ready()
    alone.produce(votes[:150])
    wait_same(alone, votes[:150], tmp_path)
    with own.client() as client:
        client.replicaof("127.0.0.1", "1")  # nobody there: it keeps its data and takes no writes
        alone.produce(votes[150:])
        eventually(lambda: waits(worker, Away.READ_ONLY), COUNTED)
        client.replicaof("NO", "ONE")
    wait_same(alone, votes, tmp_path)
    assert worker.process.alive
    eventually(lambda: not waits(worker, Away.READ_ONLY))


async def test_a_script_that_meets_the_limit_has_written_all_or_nothing(own: OwnRedis, redis_prefix: str) -> None:
    """A publish of twenty boards, over and over until there is no room: Redis takes each one whole or refuses it."""
    keys = Keys(redis_prefix)
    with own.client() as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 4_000_000)
    async with Redis.from_url(own.url) as redis:
        store = FoldStore(redis, keys, "ratings")
        epoch = await store.claim("text")
        refused = None
        done = 0
        while refused is None:
            texts = {keys.board("text", f"{done}-{board}"): b"x" * 20_000 for board in range(20)}
            try:
                outcome = await store.publish("text", epoch, texts, {}, [f"{done}-{board}" for board in range(20)])
            except ResponseError as error:
                refused = error
            else:
                assert outcome is WriteResult.DONE
                done += 1
        assert cause_of(refused) is Away.FULL
        assert done > 1
        assert len(await redis.smembers(keys.boards("text"))) == 20 * done
        assert await redis.exists(*texts) == 0
        # What only reads is answered, and what only removes is done.
        assert await store.check([("text", epoch, ())]) == [WriteResult.DONE]
        assert await store.arenas() == ["text"]
