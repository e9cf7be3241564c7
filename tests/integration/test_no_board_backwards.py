"""No reader sees a board of fewer votes than before: not when its owner is killed, a refold cut off, Redis set back."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.topics import FAIRNESS_GROUP, LEDGER, RATINGS_GROUP
from streams.fold.checkpoint import decode_listing
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, Pipeline, comparable, fold_votes, make_votes, wait_same_boards
from tests.support.stack import TestRedis

pytestmark = pytest.mark.integration

MOMENT = 0.002
_POSITION = re.compile(rb'"(position|as_of)":(\{.*?\}\}|[^,]+),')
"""How far the ledger was read when a view was published: further, when it is published again without a new vote."""


class Reader:
    """Reads a board again and again, in a thread, and keeps how many battles it showed."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._halt = pipeline, threading.Event()
        self.seen: list[int] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._halt.wait(MOMENT):
            board = self._pipeline.board()
            if board is not None and (not self.seen or self.seen[-1] != board.battles):
                self.seen.append(board.battles)

    @contextmanager
    def reading(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._halt.set()
            self._thread.join()


def test_when_the_owner_is_killed_the_next_one_holds_back_until_it_is_as_far(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.create_topics(ledger=1)
    votes = make_votes(6_000, seed=41, labels=False)
    intake = pipeline.worker("intake", stages="intake", ISONOMY_FETCH_RECORDS="40").start().wait_ready()
    # Rarely saved: what the next owner finds is older than what was published.
    owner = pipeline.worker("ratings-0", stages="ratings", ISONOMY_SNAPSHOT_SECONDS="3").start().wait_ready()
    reader = Reader(pipeline)
    with reader.reading():
        for number, start in enumerate(range(0, 6_000, 2_000), start=1):
            pipeline.produce(votes[start : start + 2_000])
            eventually(lambda: (reader.seen or [0])[-1] > start + 1_000, COUNTED)  # noqa: B023
            owner.process.kill()
            owner = pipeline.worker(f"ratings-{number}", stages="ratings", ISONOMY_SNAPSHOT_SECONDS="3").start()
        pipeline.wait_counted(6_000)
    assert reader.seen == sorted(reader.seen)
    assert intake.process.alive
    wait_same_boards(pipeline, fold_votes(votes, tmp_path)["text"])


def test_a_refold_that_is_cut_off_is_gone_on_with_and_publishes_no_past(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.create_topics(ledger=1)
    votes = make_votes(8_000, seed=42, labels=False)
    first = pipeline.worker("first", ISONOMY_FETCH_RECORDS="20").start().wait_ready()
    pipeline.produce(votes)
    pipeline.wait_counted(8_000)
    assert first.stop() == 0
    listing = pipeline.settings.redis.keys.partition(0, RATINGS_GROUP)
    with pipeline.redis as redis:
        end = decode_listing(redis.get(listing)).position
        redis.delete(listing)
        reader = Reader(pipeline)
        with reader.reading():
            second = pipeline.worker("second", stages="ratings", ISONOMY_SNAPSHOT_SECONDS="0.001").start()

            def cut_off() -> bool:
                saved = decode_listing(redis.get(listing))
                assert saved is None or saved.position < end, "too late"
                if saved is None:
                    return False
                second.process.kill()
                return True

            eventually(cut_off, COUNTED, every=0.001)
            saved = decode_listing(redis.get(listing))
            assert saved.refold_until == end
            third = pipeline.worker("third", stages="ratings").start().wait_ready()
            assert "continuing the refold" in third.log()
            pipeline.produce(more := make_votes(10, seed=43))
            pipeline.worker("intake", stages="intake").start()
            pipeline.wait_counted(8_010)
    assert reader.seen == [8_000, *reader.seen[1:]] == sorted(reader.seen)
    wait_same_boards(pipeline, fold_votes(votes + more, tmp_path)["text"])


def test_a_redis_that_comes_back_with_an_older_state_is_written_again(
    pipeline: Pipeline, redis_server: TestRedis, tmp_path: Path
) -> None:
    if redis_server.server is None:
        pytest.skip("the Redis of REDIS_URL is not ours to set back")
    pipeline.create_topics()
    arenas = ("text", "code", "chat")
    votes = make_votes(900, seed=44, arenas=arenas)
    worker = pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
    for arena in arenas:
        pipeline.declare(arena, "model-1", provider="Acme")

    def feed(part: list[dict[str, Any]]) -> None:
        pipeline.produce(part)
        upto = votes[: votes.index(part[-1]) + 1]
        for arena in arenas:
            pipeline.wait_counted(sum(vote["arena"] == arena for vote in upto), arena)
        eventually(lambda: all_saved(pipeline), COUNTED)
        looks: list[dict[str, bytes]] = []

        def still() -> bool:  # the fairness view is written once a second
            looks.append(views(pipeline))
            return len(looks) > 1 and looks[-1] == looks[-2]

        eventually(still, COUNTED, every=2.5)

    feed(votes[:300])
    with pipeline.redis as redis:
        old = {key: redis.dump(key) for key in redis.keys(f"{pipeline.redis_prefix}*")}
        feed(votes[300:])
        new = views(pipeline)
        # As after a failover that lost the last seconds: everything is there, as it was.
        with redis.pipeline(transaction=True) as together:
            together.delete(*redis.keys(f"{pipeline.redis_prefix}*"))
            for key, dumped in old.items():
                together.restore(key, 0, dumped)
            together.execute()
    eventually(lambda: unequal(pipeline, new) == [], 30)
    assert worker.metric("fold_republished_total", stage="ratings") == len(arenas)
    assert worker.metric("fold_republished_total", stage="fairness") == len(arenas)
    for state in fold_votes(votes, tmp_path).values():
        wait_same_boards(pipeline, state)
    # And what was saved again carries the next owner.
    assert worker.stop() == 0
    second = pipeline.worker("second", stages="ratings,fairness").start().wait_ready()
    assert "refolding" not in second.log()


def views(pipeline: Pipeline) -> dict[str, bytes]:
    """Every published view, byte by byte; not when it was published."""
    with pipeline.redis as redis:
        found = {}
        for key in redis.keys(f"{pipeline.redis_prefix}*"):
            if redis.type(key) == b"string" and (b":board:" in key or key.endswith((b":fairness", b":alerts"))):
                found[key.decode()] = _POSITION.sub(b"", comparable(redis.get(key)))
        return found


def unequal(pipeline: Pipeline, wanted: dict[str, bytes]) -> list[str]:
    found = views(pipeline)
    assert found.keys() == wanted.keys()
    return [key for key in wanted if found[key] != wanted[key]]


def all_saved(pipeline: Pipeline) -> bool:
    """Both folds have saved all that is in the ledger."""
    ends = {record.partition: record.offset + 1 for record in pipeline.topic(LEDGER.name)}
    with pipeline.redis as redis:
        for fold in (RATINGS_GROUP, FAIRNESS_GROUP):
            for number, end in ends.items():
                listing = decode_listing(redis.get(pipeline.settings.redis.keys.partition(number, fold)))
                if listing is None or listing.position < end:
                    return False
    return True
