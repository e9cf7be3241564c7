"""Redis is never the only copy: what it loses, damages or cannot take is written again, to the same bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.local.supervisor import Supervisor
from streams.contracts.keys import Keys
from streams.contracts.topics import RATINGS_GROUP
from streams.fold.checkpoint import DamagedState
from streams.fold.redis_store import FoldStore, WriteResult
from tests.support.eventually import eventually
from tests.support.pipeline import (
    COUNTED,
    READY,
    Pipeline,
    Worker,
    assert_same_boards,
    assert_same_counts,
    comparable,
    fold_votes,
    make_votes,
    wait_same_boards,
)
from tests.support.stack import TestRedis

pytestmark = pytest.mark.integration

ARENAS = ("text", "code", "chat", "vision")
"""The last two share a ledger partition."""
REPUBLISHED = 20.0
"""Seconds: it is looked for every second; the rest is for a busy machine."""


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline) -> None:
    pipeline.create_topics()


def feed(pipeline: Pipeline, votes: list[dict[str, Any]]) -> None:
    pipeline.produce(votes)
    for arena in {vote["arena"] for vote in votes}:
        pipeline.wait_counted(sum(vote["arena"] == arena for vote in votes), arena)


def published(pipeline: Pipeline) -> dict[str, dict[str, bytes]]:
    """The bytes of every board of every arena, see `comparable`."""
    return {
        arena: {name: comparable(text) for name, text in pipeline.boards(arena).items() if text is not None}
        for arena in ARENAS
    }


def wait_saved(pipeline: Pipeline, votes: list[dict[str, Any]], tmp_path: Path) -> None:
    """Wait until the states in Redis hold these votes."""
    states = fold_votes(votes, tmp_path)

    def saved() -> bool:
        for arena, state in states.items():
            try:
                assert_same_counts(pipeline.state(arena), state)
            except DamagedState:
                return False
        return True

    eventually(saved, REPUBLISHED)


# --- losing everything ------------------------------------------------------------------------------------------------


def test_after_a_flush_everything_is_published_and_saved_again_without_a_new_vote(
    pipeline: Pipeline, redis_server: TestRedis, tmp_path: Path
) -> None:
    votes = make_votes(1_200, seed=21, arenas=ARENAS)
    worker = pipeline.worker().start().wait_ready()
    feed(pipeline, votes)
    before = published(pipeline)
    redis_server.flush()
    eventually(lambda: published(pipeline) == before, REPUBLISHED)
    wait_saved(pipeline, votes, tmp_path)
    assert worker.metric("fold_republished_total", stage="ratings") == len(ARENAS)
    assert worker.process.alive

    # What was saved again carries a restart: no refold.
    assert worker.stop() == 0
    second = pipeline.worker("second").start().wait_ready()
    feed(pipeline, votes + (more := make_votes(200, seed=21, arenas=ARENAS, start=1_200)))
    assert second.metric("ratings_votes_total") == len(more)
    assert "refolding" not in second.log()


def test_after_a_flush_of_a_worker_that_has_seen_no_vote_since_its_start_a_restart_need_not_refold(
    pipeline: Pipeline, redis_server: TestRedis, tmp_path: Path
) -> None:
    votes = make_votes(400, seed=22, arenas=ARENAS)
    first = pipeline.worker("first").start().wait_ready()
    feed(pipeline, votes)
    assert first.stop() == 0
    second = pipeline.worker("second").start().wait_ready()
    before = published(pipeline)
    redis_server.flush()
    eventually(lambda: published(pipeline) == before, REPUBLISHED)
    assert second.stop() == 0
    third = pipeline.worker("third").start().wait_ready()
    assert "refolding" not in third.log()
    assert published(pipeline) == before


def test_a_flush_while_no_worker_runs_leads_to_a_refold_that_says_so(
    pipeline: Pipeline, redis_server: TestRedis, tmp_path: Path
) -> None:
    votes = make_votes(600, seed=23, arenas=ARENAS)
    first = pipeline.worker("first").start().wait_ready()
    feed(pipeline, votes)
    assert first.stop() == 0
    redis_server.flush()
    second = pipeline.worker("second").start().wait_ready()
    states = fold_votes(votes, tmp_path)
    for arena in ARENAS:
        pipeline.wait_counted(sum(vote["arena"] == arena for vote in votes), arena)
        wait_same_boards(pipeline, states[arena])
    assert "refolding ledger partition" in second.log()
    assert second.metric("fold_refolds_total", stage="ratings", cause="missing") == 3  # ledger partitions in use


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["meta", "board:overall"])
def test_a_flipped_byte_in_a_saved_state_leads_to_a_refold_that_says_so(
    pipeline: Pipeline, tmp_path: Path, field: str
) -> None:
    votes = make_votes(600, seed=24, arenas=ARENAS)
    first = pipeline.worker("first").start().wait_ready()
    feed(pipeline, votes)
    before = published(pipeline)
    assert first.stop() == 0
    key = pipeline.settings.redis.keys.state("chat", RATINGS_GROUP)
    with pipeline.redis as redis:
        saved = bytearray(redis.hget(key, field))
        saved[len(saved) // 2] ^= 1
        redis.hset(key, field, bytes(saved))
    second = pipeline.worker("second").start().wait_ready()
    wait_saved(pipeline, votes, tmp_path)
    eventually(lambda: second.metric("fold_refolds_total", stage="ratings", cause="damaged") == 1)
    assert "the saved ratings state of arena chat is damaged" in second.log()
    # The other arena of the partition was not damaged, and nothing of it is counted twice.
    feed(pipeline, votes + make_votes(200, seed=24, arenas=ARENAS, start=600))
    assert published(pipeline).keys() == before.keys()
    expected = fold_votes(
        make_votes(600, seed=24, arenas=ARENAS) + make_votes(200, seed=24, arenas=ARENAS, start=600), tmp_path
    )
    for state in expected.values():
        wait_same_boards(pipeline, state)


def test_the_state_of_another_ledger_is_known_as_such_and_its_boards_go(
    pipeline: Pipeline, topic_prefix: str, tmp_path: Path
) -> None:
    first = pipeline.worker("first").start().wait_ready()
    feed(pipeline, make_votes(600, seed=25, arenas=("text", "code", "chat")))
    assert first.stop() == 0
    # The same Redis, and topics created again: fewer votes in one arena, more in another, none in the third.
    pipeline.topic_prefix = f"new-{topic_prefix}"
    pipeline.create_topics()
    votes = make_votes(50, seed=26, arenas=("text",))
    for start in range(0, 900, 100):  # more ledger records than the old ledger has
        votes += make_votes(100, seed=27, arenas=("code",), start=start)
        pipeline.produce(votes[-100:] if start else votes)
    expected = fold_votes(votes, tmp_path)
    intake = pipeline.worker("intake", stages="intake", ISONOMY_FETCH_RECORDS="20").start().wait_ready()
    eventually(lambda: intake.metric("intake_votes_total", outcome="counted") == len(votes), COUNTED)
    second = pipeline.worker("second", stages="ratings").start().wait_ready()

    def replaced() -> bool:
        for arena, state in expected.items():
            assert_same_boards(pipeline.boards(arena), state)
        return pipeline.boards("chat") == {}

    eventually(replaced, COUNTED)
    assert second.metric("fold_refolds_total", stage="ratings", cause="foreign") == 2  # ledger partitions in use
    assert "its state is foreign" in second.log()
    assert pipeline.ledger_states().keys() == expected.keys()
    with pipeline.redis as redis:
        assert {name.decode() for name in redis.smembers(pipeline.settings.redis.keys.arenas)} == {"text", "code"}


# --- being away -------------------------------------------------------------------------------------------------------


@pytest.fixture
def frozen(redis_server: TestRedis) -> Iterator[TestRedis]:
    """The Redis, to be frozen; thawed in the end."""
    if redis_server.server is None:
        pytest.skip("the Redis of REDIS_URL is not ours to freeze")
    try:
        yield redis_server
    finally:
        redis_server.server.process.thaw()


def test_a_worker_outlives_a_redis_that_does_not_answer_and_catches_up(
    pipeline: Pipeline, frozen: TestRedis, tmp_path: Path
) -> None:
    assert frozen.server is not None
    votes = make_votes(1_000, seed=28, arenas=("text", "code"))
    worker = pipeline.worker().start().wait_ready()
    feed(pipeline, votes[:400])
    frozen.server.process.freeze()
    pipeline.produce(votes[400:700])
    eventually(lambda: "Redis is away" in worker.log(), 60, every=0.2)
    # An arena that is new meanwhile has to wait for its epoch.
    new = [{**vote, "id": f"new-{vote['id']}", "arena": "chat"} for vote in make_votes(50, seed=29)]
    pipeline.produce(votes[700:] + new)
    frozen.server.process.thaw()
    states = fold_votes(votes + new, tmp_path)
    for arena, state in states.items():
        pipeline.wait_counted(state.boards["overall"].battles, arena)
        wait_same_boards(pipeline, state)
    assert worker.process.alive
    assert worker.stop() == 0


def test_a_redis_that_is_killed_and_comes_back_empty_is_filled_again(
    pipeline: Pipeline, redis_server: TestRedis, tmp_path: Path
) -> None:
    if redis_server.server is None:
        pytest.skip("the Redis of REDIS_URL is not ours to kill")
    votes = make_votes(800, seed=30, arenas=ARENAS)
    worker = pipeline.worker().start().wait_ready()
    feed(pipeline, votes[:400])
    redis_server.server.kill()
    pipeline.produce(votes[400:])
    eventually(lambda: "Redis is away" in worker.log(), 60, every=0.2)
    redis_server.server.start()
    states = fold_votes(votes, tmp_path)
    for arena, state in states.items():
        pipeline.wait_counted(sum(vote["arena"] == arena for vote in votes), arena)
        eventually(lambda arena=arena: len(pipeline.boards(arena)) == len(states[arena].boards), REPUBLISHED)
        wait_same_boards(pipeline, state)
    assert worker.process.alive


def test_a_worker_that_starts_without_redis_waits_for_it(pipeline: Pipeline, frozen: TestRedis) -> None:
    assert frozen.server is not None
    frozen.server.process.freeze()
    worker = pipeline.worker().start()
    pipeline.produce(make_votes(100, seed=31))
    eventually(lambda: "taking over has to wait" in worker.log(), READY, every=0.2)
    assert not worker.is_ready()
    frozen.server.process.thaw()
    worker.wait_ready()
    pipeline.wait_counted(100)


# --- on purpose -------------------------------------------------------------------------------------------------------


def test_a_rebuild_fences_the_worker_off_and_its_successor_publishes_the_same_bytes(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    votes = make_votes(1_500, seed=32, arenas=ARENAS)
    pipeline.declare("text", "model-1", provider="Acme")
    worker = pipeline.worker()
    with _supervised(worker) as supervisor:
        worker.wait_ready()
        for part in range(3):
            pipeline.produce(votes[part::3])
        for arena in ARENAS:
            pipeline.wait_counted(sum(vote["arena"] == arena for vote in votes), arena)
        before = published(pipeline)
        said = pipeline.isonomy("rebuild").stdout
        assert all(arena in said for arena in ARENAS)

        def folded_again() -> bool:
            supervisor.check()
            return worker.metric("ratings_votes_total") == 2 * len(votes)

        eventually(folded_again, 2 * READY, every=0.2)
        assert supervisor.restarts() == {"worker": 0}, "the stage begins anew, intake goes on"
        assert worker.metric("stage_failures_total", stage="ratings") == 1
        assert "has a newer owner" in worker.log()
        eventually(lambda: published(pipeline) == before, REPUBLISHED)
        wait_saved(pipeline, votes, tmp_path)


def test_a_rebuild_of_one_arena_leaves_the_others_right_and_an_unknown_one_is_a_mistake(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    votes = make_votes(600, seed=33, arenas=ARENAS)
    first = pipeline.worker("first").start().wait_ready()
    feed(pipeline, votes)
    assert first.stop() == 0
    before = published(pipeline)
    mistake = pipeline.isonomy("rebuild", "--arena", "nowhere", check=False)
    assert mistake.returncode == 1
    assert "no such arena: nowhere" in mistake.stderr
    pipeline.isonomy("rebuild", "--arena", "chat")
    assert published(pipeline) == before
    pipeline.worker("second").start().wait_ready()
    wait_saved(pipeline, votes, tmp_path)
    eventually(lambda: published(pipeline) == before, REPUBLISHED)


class _supervised:  # noqa: N801 -- read as a verb: with _supervised(worker)
    """Restarts a worker that exits; `check` looks."""

    def __init__(self, worker: Worker) -> None:
        self.supervisor = Supervisor({"worker": worker.process}, report=lambda _: None)

    def __enter__(self) -> Supervisor:
        self.supervisor.start()
        return self.supervisor

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop()


async def test_a_write_whose_answer_was_lost_hides_no_later_loss(redis_server: TestRedis, redis_prefix: str) -> None:
    """A master that hangs and is replaced: one write is done unanswered and kept, the next is answered and lost."""
    keys = Keys(redis_prefix)
    async with Redis.from_url(redis_server.url) as redis:
        store = FoldStore(redis, keys, RATINGS_GROUP)
        epoch = await store.claim("text")
        counted, store._counted = store._counted, unanswered  # type: ignore[method-assign]
        with pytest.raises(RedisTimeoutError):
            await store.publish("text", epoch, {keys.board("text", "overall"): b"1"}, {})
        kept = await redis.hgetall(keys.state("text", RATINGS_GROUP))
        store._counted = counted  # type: ignore[method-assign]
        assert await store.publish("text", epoch, {keys.board("text", "overall"): b"2"}, {}) is WriteResult.DONE
        assert await store.check([("text", epoch, ())]) == [WriteResult.DONE]
        await redis.hset(keys.state("text", RATINGS_GROUP), mapping=kept)
        assert await store.check([("text", epoch, ())]) == [WriteResult.LOST]


def unanswered(arena: str, serial: int, answer: int) -> WriteResult:
    raise RedisTimeoutError("the answer was lost on the way")
