"""Workers share the work, take it over from each other, and end as they are asked to, or loudly."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.local.supervisor import Supervisor
from streams.contracts.topics import DEAD_LETTERS, LEDGER
from tests.support.eventually import eventually
from tests.support.pipeline import (
    COUNTED,
    READY,
    Pipeline,
    Worker,
    assert_same_counts,
    encode,
    fold_votes,
    make_votes,
    wait_same_boards,
)
from tests.support.stack import TestBroker, TestRedis, make_broker

pytestmark = pytest.mark.integration

ARENAS = ("text", "code", "search", "chat")
"""One on each ledger partition."""
ENDED = 30.0
"""Seconds for a process that has failed or was asked to end to be gone, on a busy machine."""


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline) -> None:
    pipeline.create_topics()


def assert_all_counted(pipeline: Pipeline, votes: list[dict[str, Any]], tmp_path: Path) -> None:
    expected = fold_votes(votes, tmp_path)
    for arena, state in expected.items():
        pipeline.wait_counted(sum(vote["arena"] == arena for vote in votes), arena)
        wait_same_boards(pipeline, state)
    ledger = pipeline.ledger_states()
    for arena, state in expected.items():
        assert_same_counts(ledger[arena], state)


# --- sharing ----------------------------------------------------------------------------------------------------------


def test_partitions_move_to_a_second_worker_and_back_and_nothing_is_lost_or_doubled(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    votes: list[dict[str, Any]] = []

    def send_more() -> None:
        more = make_votes(300, seed=11, arenas=ARENAS, start=len(votes))
        pipeline.produce(more)
        votes.extend(more)

    def held(*workers: Worker) -> list[tuple[int, int]]:
        return [(len(worker.partitions("votes")), len(worker.partitions("ledger"))) for worker in workers]

    first, second = pipeline.worker("first"), pipeline.worker("second")
    first.start().wait_ready()
    send_more()
    second.start()

    def shared() -> bool:
        send_more()
        return held(first, second) == [(2, 2), (2, 2)] and first.is_ready() and second.is_ready()

    eventually(shared, READY, every=0.2)
    assert not first.partitions("votes") & second.partitions("votes")
    assert not first.partitions("ledger") & second.partitions("ledger")
    for _ in range(3):
        send_more()
    assert_all_counted(pipeline, votes, tmp_path)

    assert second.stop() == 0

    def back() -> bool:
        send_more()
        return held(first) == [(4, 4)] and first.is_ready()

    eventually(back, READY, every=0.2)
    send_more()
    assert_all_counted(pipeline, votes, tmp_path)
    assert "refolding" not in first.log() + second.log()
    assert first.stop() == 0


def test_one_process_may_take_in_and_another_rate(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(2_000, seed=12, arenas=ARENAS)
    intake = pipeline.worker("intake", stages="intake").start()
    ratings = pipeline.worker("ratings", stages="ratings").start()
    intake.wait_ready()
    ratings.wait_ready()
    pipeline.produce(votes)
    assert_all_counted(pipeline, votes, tmp_path)
    assert intake.metric("intake_votes_total", outcome="counted") == 2_000
    assert intake.metric("ratings_votes_total") == 0
    assert eventually(lambda: ratings.metric("ratings_votes_total") == 2_000)
    assert (intake.stop(), ratings.stop()) == (0, 0)


def test_a_worker_that_has_nothing_to_do_waits_and_takes_over_when_the_other_is_killed(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    # The models topic has one partition and every arena here is in one ledger partition: much of the second is idle.
    votes = make_votes(400, seed=13)
    first = pipeline.worker("first").start().wait_ready()
    second = pipeline.worker("second").start().wait_ready()
    pipeline.produce(votes[:200])
    pipeline.wait_counted(200)
    owner, other = (first, second) if 3 in first.partitions("ledger") else (second, first)
    owner.process.kill()
    pipeline.produce(votes[200:])
    assert_all_counted(pipeline, votes, tmp_path)
    assert other.process.alive


# --- ending -----------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_asked_to_end_saves_and_the_next_goes_on_without_refolding(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    votes = make_votes(2_400, seed=14, arenas=ARENAS)
    # No snapshot by the clock: what is there after the end was saved by the end.
    first = pipeline.worker("first", ISONOMY_SNAPSHOT_SECONDS="3600").start().wait_ready()
    pipeline.produce(votes[:1_200])
    assert_all_counted(pipeline, votes[:1_200], tmp_path)
    assert first.stop() == 0
    states = fold_votes(votes[:1_200], tmp_path)
    for arena in ARENAS:
        assert_same_counts(pipeline.state(arena), states[arena])

    pipeline.produce(votes[1_200:1_800])  # while nobody listens
    second = pipeline.worker("second").start().wait_ready()
    pipeline.produce(votes[1_800:])
    assert_all_counted(pipeline, votes, tmp_path)
    assert "refolding" not in second.log()
    assert second.metric("ratings_votes_total") == 1_200
    assert second.metric("ratings_rows_dropped_total") == 0
    assert second.stop() == 0


def test_a_worker_ends_when_asked_although_it_has_not_joined_its_groups_yet(pipeline: Pipeline) -> None:
    worker = pipeline.worker().start()
    eventually(lambda: worker.answer("/healthz") is not None, READY)
    assert worker.stop(ENDED) == 0, worker.log()


def test_an_arena_of_which_too_much_is_refused_holds_up_nobody_and_is_told_until_it_is_mended(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    limit = {"ISONOMY_DEAD_LETTER_RUN": "50", "ISONOMY_DEAD_LETTER_WINDOW": "400"}
    good = make_votes(400, seed=15, arenas=("text", "code"))
    bad = [{**vote, "id": f"bad-{vote['id']}", "winner": "left"} for vote in make_votes(4_000, seed=18)]
    worker = pipeline.worker("first", **limit).start().wait_ready()
    pipeline.produce(good[:200])
    pipeline.produce(bad)
    letters = eventually(lambda: len(found := _letters(pipeline)) == 4_000 and found, COUNTED)
    assert sorted(letters.values()) == sorted(map(encode, bad))
    eventually(lambda: worker.metric("intake_arena_refused_ratio", arena="text") > 3.8)  # four partitions
    assert worker.metric("intake_arena_refused_ratio", arena="code") == 0
    assert worker.stop() == 0
    again = pipeline.worker("again", **limit).start().wait_ready()  # it is logged again
    assert again.metric("intake_arena_refused_ratio", arena="text") > 3.8
    pipeline.produce(good[200:])
    assert_all_counted(pipeline, good, tmp_path)
    more = make_votes(2_000, seed=17)
    pipeline.produce(more)
    eventually(lambda: again.metric("intake_arena_refused_ratio") == 0, COUNTED)
    assert_all_counted(pipeline, good + more, tmp_path)
    assert "fewer are refused again" in again.log()
    assert again.metric("stage_failures_total") == 0
    assert again.stop() == 0


def _letters(pipeline: Pipeline) -> dict[bytes, bytes]:
    return {letter.key: letter.value for letter in pipeline.topic(DEAD_LETTERS.name)}


def test_a_ledger_record_of_a_later_version_stops_its_arena_within_seconds_and_is_named(pipeline: Pipeline) -> None:
    worker = pipeline.worker().start().wait_ready()
    pipeline.produce_raw(LEDGER.name, [(b"text", b"\x81\xa1v\x63")])  # {"v": 99}
    eventually(lambda: worker.metric("fold_arena_stopped", stage="ratings", arena="text") == 1, ENDED)
    assert "ledger record of version 99" in worker.log()
    assert worker.process.alive


# --- the broker -------------------------------------------------------------------------------------------------------


@pytest.fixture
def own(
    redis_server: TestRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path
) -> Iterator[tuple[TestBroker, Pipeline]]:
    """A broker for one test and a pipeline on it: the shared one is not for stopping."""
    broker = make_broker(tmp_path / "own")
    with broker.owned():
        pipeline = Pipeline(broker.bootstrap, redis_server.url, topic_prefix, redis_prefix, tmp_path)
        try:
            yield broker, pipeline.create_topics()
        finally:
            pipeline.stop()


@pytest.mark.parametrize("seconds_away", [0, 40])  # what waits for the broker gives up after 30 s
def test_when_the_broker_is_killed_and_comes_back_the_worker_or_its_successor_goes_on(
    own: tuple[TestBroker, Pipeline], tmp_path: Path, seconds_away: int
) -> None:
    broker, pipeline = own
    if not broker.durable:
        pytest.skip("the embedded broker comes back empty")
    votes = make_votes(1_500, seed=18, arenas=ARENAS)
    worker = pipeline.worker()
    reports = []
    supervisor = Supervisor({"worker": worker.process}, report=reports.append)
    supervisor.start()
    try:
        worker.wait_ready()
        for part in range(1 if seconds_away else 2):
            pipeline.produce(votes[part * 500 : part * 500 + 500])
            broker.owned().kill()
            away = time.monotonic() + seconds_away
            eventually(lambda away=away: supervisor.check() or time.monotonic() >= away, seconds_away + 5)
            broker.owned().start()
        pipeline.produce(votes[500 if seconds_away else 1_000 :])

        def counted() -> bool:
            supervisor.check()
            boards = [pipeline.board(arena) for arena in ARENAS]
            return sum(board.battles for board in boards if board is not None) == len(votes)

        eventually(counted, 2 * COUNTED, every=0.1)
        assert_all_counted(pipeline, votes, tmp_path)
    finally:
        supervisor.stop()


def test_a_worker_that_is_asked_to_end_while_the_broker_is_frozen_does_not_wait_for_ever(
    own: tuple[TestBroker, Pipeline],
) -> None:
    broker, pipeline = own
    worker = pipeline.worker().start().wait_ready()
    pipeline.produce(make_votes(100, seed=19))
    pipeline.wait_counted(100)
    broker.owned().process.freeze()
    try:
        worker.process.send(15)
        assert eventually(lambda: worker.process.poll() is not None, 60)
    finally:
        broker.owned().process.thaw()
