"""What fails, fails alone: one arena's ledger record, one stage of a worker. What must end says why, last."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.metrics import Metrics
from streams.contracts.partitioner import partitions_of
from streams.contracts.topics import DEAD_LETTERS, LEDGER, VOTES
from streams.fairness.stage import FairnessStage
from streams.intake.accept import PartitionMemory, accept
from streams.intake.dedup import SeenIds
from streams.intake.reject_limit import Refusals
from streams.ledger.codec import encode_block
from streams.ratings.stage import RatingsStage
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, READY, Pipeline, encode, fold_votes, make_votes, wait_same_boards
from tests.support.tasks import end
from tests.support.writers import aborted, cannot_unpack, committed, needs_transactions, write_packed
from tests.unit.intake.making import as_records

pytestmark = pytest.mark.integration

ARENAS = ("text", "code", "chat", "vision")
"""The last two share a ledger partition."""


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline) -> None:
    pipeline.create_topics()


def of_arena(votes: list[dict[str, Any]], arena: str) -> int:
    return sum(vote["arena"] == arena for vote in votes)


@pytest.mark.parametrize("value", [b"no ledger record", None], ids=["garbage", "empty"])
def test_a_ledger_record_that_cannot_be_read_stops_its_arena_and_no_other(
    pipeline: Pipeline, tmp_path: Path, value: bytes | None
) -> None:
    votes = make_votes(1_000, seed=51, arenas=ARENAS)
    worker = pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
    pipeline.produce(votes[:400])
    for arena in ARENAS:
        pipeline.wait_counted(of_arena(votes[:400], arena), arena)
    before = pipeline.boards("chat")
    pipeline.produce_raw(LEDGER.name, [(b"chat", value), (b"not an arena", b"x"), (None, b"x")])
    eventually(lambda: worker.metric("fold_arena_stopped", arena="chat") == 2)  # in both folds
    pipeline.produce(votes[400:])
    for arena in ("text", "code", "vision"):
        pipeline.wait_counted(of_arena(votes, arena), arena)
        wait_same_boards(pipeline, fold_votes(votes, tmp_path)[arena])
    eventually(lambda: worker.metric("consumer_lag") == 0)
    assert pipeline.boards("chat") == before, "what was published stays"
    assert "arena chat is stopped, the others continue" in worker.log()
    listed = [json.loads(line) for line in pipeline.isonomy("arena", "list", "--format", "json").stdout.splitlines()]
    assert [(each["arena"], each["stage"]) for each in listed] == [
        ("chat", "ratings"), ("chat", "fairness"), ("code", None), ("text", None), ("vision", None)
    ]  # fmt: skip
    assert all("cannot be folded" in each["why"] for each in listed[:2])
    in_vain = pipeline.isonomy("arena", "release", "chat", check=False)
    assert in_vain.returncode == 1
    assert "ratings has stopped chat again: ledger/" in in_vain.stderr
    assert "it is not stopped" in pipeline.isonomy("arena", "release", "text", check=False).stderr
    assert worker.metric("stage_failures_total") == 0
    assert worker.stop() == 0
    unanswered = pipeline.isonomy("arena", "release", "chat", "--wait", "0.5", check=False)
    assert "no worker has released chat within 0.5 s" in unanswered.stderr
    # The next owner meets it again, and says so again.
    second = pipeline.worker("second", stages="ratings,fairness").start().wait_ready()
    eventually(lambda: second.metric("fold_arena_stopped", arena="chat") == 2)
    eventually(lambda: second.metric("consumer_lag") == 0)
    assert pipeline.boards("chat") == before


def test_a_ledger_batch_that_cannot_be_read_stops_the_arenas_of_its_partition_that_nobody_knows_yet(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Without it they would be missing, and the stream would count as live."""
    ledger = pipeline.settings.kafka.topic(LEDGER.name)
    asyncio.run(write_packed(pipeline.bootstrap, ledger, b"chat", b"in a codec that the worker lacks"))
    votes = make_votes(400, seed=55, arenas=ARENAS)
    worker = pipeline.worker(stages="intake,ratings,fairness", **cannot_unpack(tmp_path)).start().wait_ready()
    pipeline.produce(votes)
    for arena in ("text", "code"):
        pipeline.wait_counted(of_arena(votes, arena), arena)
    (number,) = partitions_of([b"chat"], LEDGER.partitions)
    eventually(lambda: worker.metric("fold_arena_stopped", arena=f"ledger/{number}") == 2)  # in both folds
    eventually(lambda: worker.metric("consumer_lag") == 0)
    with pipeline.redis as redis:
        eventually(lambda: redis.get(pipeline.settings.redis.keys.shown(number)) == b"0")
    assert pipeline.board("chat") is pipeline.board("vision") is None
    assert worker.metric("stage_failures_total") == 0
    assert worker.stop() == 0


def foretell(pipeline: Pipeline, count: int) -> None:
    """Write a ledger of votes that are not in the topic: intake must not continue in any case."""
    records = as_records([(vote["id"].encode(), encode(vote)) for vote in make_votes(count, seed=52, arenas=("text",))])
    records.recorded[:] = time.time() * 1000
    (block,) = accept(records, {0: PartitionMemory(SeenIds(count, 1e9), Refusals(1, 1.0, 1), 0)}).blocks
    pipeline.produce_raw(LEDGER.name, [(b"text", piece) for piece in encode_block(block)])


def test_intake_that_must_stop_takes_no_fold_along(pipeline: Pipeline) -> None:
    foretell(pipeline, 300)
    worker = pipeline.worker(stages="intake,ratings").start()
    pipeline.wait_counted(300)
    eventually(lambda: worker.metric("stage_failures_total", stage="intake") >= 2, COUNTED)
    assert "votes/0 ends at 0, but 300 records of it are in the ledger" in worker.log()
    assert worker.metric("stage_ready", stage="ratings") == 1
    assert worker.metric("stage_failures_total", stage="ratings") == 0
    ready = worker.answer("/readyz")
    assert ready is not None
    assert ready.status_code == 503
    assert "intake" in ready.json()["waiting_for"]
    assert worker.stop() == 0


def test_a_worker_with_no_stage_left_ends_and_its_last_line_says_why(pipeline: Pipeline) -> None:
    foretell(pipeline, 300)
    worker = pipeline.worker(stages="intake").start()
    eventually(lambda: worker.process.poll() is not None, READY)
    assert worker.process.poll() != 0
    last = worker.log().rstrip().splitlines()[-1]
    assert "votes/0 ends at 0, but 300 records of it are in the ledger" in last, worker.log()[-3_000:]


def test_an_arena_that_has_only_declared_models_outlasts_a_refold(pipeline: Pipeline) -> None:
    worker = pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
    pipeline.declare("vision", "model-1", provider="Acme")
    pipeline.produce(make_votes(100, seed=53, arenas=("chat",)))  # in the same ledger partition
    pipeline.wait_counted(100, "chat")
    arenas = pipeline.settings.redis.keys.arenas

    def listed() -> set[bytes]:
        with pipeline.redis as redis:
            return set(redis.smembers(arenas))

    eventually(lambda: listed() == {b"chat", b"vision"})
    assert worker.stop() == 0
    pipeline.isonomy("rebuild")
    second = pipeline.worker("second", stages="ratings,fairness").start().wait_ready()
    eventually(lambda: "refolding ledger partition" in second.log())
    eventually(lambda: second.metric("consumer_lag") == 0)
    with pipeline.redis as redis:
        shown = pipeline.settings.redis.keys.shown(next(iter(second.partitions("ledger"))))
        eventually(lambda: redis.get(shown) is not None)
    eventually(lambda: second.metric("fold_snapshots_total", stage="ratings") >= 2, COUNTED)
    assert second.metric("stage_failures_total") == 0, second.log()[-2_000:]
    assert listed() == {b"chat", b"vision"}


def test_an_arena_that_moves_on_is_told_to_be_stopped_by_its_new_owner_only(pipeline: Pipeline) -> None:
    first = pipeline.worker(stages="ratings").start().wait_ready()
    pipeline.produce_raw(LEDGER.name, [(arena.encode(), b"no ledger record") for arena in ARENAS])
    eventually(lambda: first.metric("fold_arena_stopped") == len(ARENAS))
    second = pipeline.worker("second", stages="ratings").start().wait_ready()
    eventually(lambda: 0 < second.metric("fold_arena_stopped") < len(ARENAS), COUNTED)
    eventually(lambda: first.metric("fold_arena_stopped") + second.metric("fold_arena_stopped") == len(ARENAS))


async def test_a_batch_of_dead_letters_that_cannot_be_read_ends_no_worker(pipeline: Pipeline, tmp_path: Path) -> None:
    letters = pipeline.settings.kafka.topic(DEAD_LETTERS.name)
    for count in (5, 3):  # of one key, so in one partition
        pipeline.produce_raw(DEAD_LETTERS.name, [(b"k", b"of somebody")] * count)
        await write_packed(pipeline.bootstrap, letters, b"k", b"in a codec that the worker lacks")
    worker = pipeline.worker(stages="intake", **cannot_unpack(tmp_path)).start().wait_ready()
    eventually(lambda: worker.metric("dead_letters_total", reason="unknown") == 8 + 2, COUNTED)
    pipeline.produce_raw(VOTES.name, [(b"k", b"no vote")] * 2)
    eventually(lambda: worker.metric("dead_letters_total", reason="invalid_json") == 2, COUNTED)
    await write_packed(pipeline.bootstrap, letters, b"k", b"once more")
    pipeline.produce_raw(DEAD_LETTERS.name, [(b"k", b"of somebody")])
    eventually(lambda: worker.metric("dead_letters_total", reason="unknown") == 9 + 3, COUNTED)
    assert worker.log().count("cannot be read, the reasons of its letters are unknown") == 3
    assert worker.process.alive
    assert worker.metric("stage_failures_total") == 0


@needs_transactions
def test_a_batch_of_dead_letters_that_cannot_be_read_behind_a_transaction_ends_no_worker(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    letters = pipeline.settings.kafka.topic(DEAD_LETTERS.name)
    for write in (committed, aborted):
        write(pipeline.bootstrap, letters, [(b"k", b"of somebody")] * 2)
        asyncio.run(write_packed(pipeline.bootstrap, letters, b"k", b"in a codec that the worker lacks"))
    pipeline.produce_raw(DEAD_LETTERS.name, [(b"k", b"of somebody")])
    worker = pipeline.worker(stages="intake", **cannot_unpack(tmp_path)).start().wait_ready()
    # Faust reads what was aborted, too.
    eventually(lambda: worker.metric("dead_letters_total", reason="unknown") >= 2 + 2 + 1, COUNTED)
    assert worker.log().count("cannot be read, the reasons of its letters are unknown") == 2
    assert worker.process.alive
    assert worker.metric("stage_failures_total") == 0


def overwrite(pipeline: Pipeline) -> dict[str, str]:
    """Write foreign data to every key of arena chat that is not a view, and to the keys of all arenas.

    Returns the kind of each key as it was.
    """
    keys = pipeline.settings.redis.keys
    ours = [keys.arenas, keys.boards("chat"), keys.state("chat", "ratings"), keys.state("chat", "fairness")]
    with pipeline.redis as redis:
        eventually(lambda: redis.exists(*ours) == len(ours))
        ours += [key.decode() for key in redis.scan_iter(f"{keys.prefix}:ledger:*")]
        kinds = {key: redis.type(key).decode() for key in ours}
        with redis.pipeline(transaction=True) as together:  # or a worker writes in between
            for key, kind in kinds.items():
                together.delete(key)
                if kind == "string":
                    together.sadd(key, b"\xff not ours")
                else:
                    together.set(key, b"not ours")
            together.execute()
    return kinds


def test_what_somebody_else_writes_to_our_keys_in_redis_holds_nobody_up(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(1_200, seed=55, arenas=ARENAS)
    worker = pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
    keys = pipeline.settings.redis.keys

    def fold_and_compare(until: int) -> None:
        pipeline.produce(votes[until - 400 : until])
        for arena in ARENAS:
            pipeline.wait_counted(of_arena(votes[:until], arena), arena)
            wait_same_boards(pipeline, fold_votes(votes[:until], tmp_path)[arena])

    def mended(kinds: dict[str, str]) -> bool:
        with pipeline.redis as redis:
            if {key: redis.type(key).decode() for key in kinds} != kinds:
                return False
            return redis.smembers(keys.arenas) >= {arena.encode() for arena in ARENAS}

    fold_and_compare(400)
    kinds = overwrite(pipeline)
    assert set(kinds.values()) == {"set", "hash", "string"}
    listings = {key for key in kinds if key.endswith((":ratings", ":fairness")) and ":ledger:" in key}
    idle = {key: kind for key, kind in kinds.items() if key not in listings}
    eventually(lambda: mended(idle))  # though nothing moves
    with pipeline.redis as redis:
        redis.hset(keys.state("vision", "ratings"), mapping={"epoch": "inf", "serial": "many"})
    fold_and_compare(800)
    eventually(lambda: mended(kinds))
    assert worker.metric("stage_failures_total") == 0
    assert worker.metric("fold_arena_stopped") == 0
    assert worker.stop() == 0
    kinds = overwrite(pipeline)
    with pipeline.redis as redis:
        redis.delete(keys.arenas)
        redis.sadd(keys.arenas, b"\xff no arena", "no arena")
    second = pipeline.worker("second", stages="intake,ratings,fairness").start().wait_ready()
    fold_and_compare(1_200)
    eventually(lambda: mended(kinds))
    assert second.metric("stage_failures_total") == 0
    assert second.metric("redis_away") == 0


@pytest.mark.parametrize("stage", ["ratings", "fairness"])
async def test_a_state_that_cannot_be_written_is_its_arenas_trouble(pipeline: Pipeline, stage: str) -> None:
    pipeline.produce(make_votes(300, seed=54, arenas=ARENAS))
    pipeline.worker(stages="intake").start().wait_ready()
    fold = {"ratings": RatingsStage, "fairness": FairnessStage}[stage](pipeline.settings, Metrics())
    encode = fold._fields

    def failing(arena: Any) -> dict[str, bytes]:
        if arena.name == "chat":
            raise OverflowError("a number is too large")
        return encode(arena)

    fold._fields = failing
    running = asyncio.create_task(fold.run())
    try:
        async with asyncio.timeout(COUNTED):
            while "chat" not in fold._arenas or not fold._arenas["chat"].stopped:
                assert not running.done(), running
                await asyncio.sleep(0.05)
            with pipeline.redis as redis:
                key = pipeline.settings.redis.keys.state("vision", stage)  # of the same ledger partition
                while len(await asyncio.to_thread(redis.hgetall, key)) <= 2:  # epoch and serial
                    await asyncio.sleep(0.05)
        assert not running.done()
    finally:
        await end(running)
