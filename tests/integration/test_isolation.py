"""What fails, fails alone: one arena's ledger record, one stage of a worker. What must end says why, last."""

from pathlib import Path

import pytest

from streams.contracts.topics import LEDGER, VOTES
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, READY, Pipeline, assert_same_boards, fold_votes, make_votes

pytestmark = pytest.mark.integration

ARENAS = ("text", "chat", "code", "vision")
"""The last two share a ledger partition."""


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline) -> None:
    pipeline.create_topics()


def of_arena(votes: list[dict], arena: str) -> int:
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
    before = pipeline.boards("code")
    pipeline.produce_raw(LEDGER.name, [(b"code", value), (b"not an arena", b"x"), (None, b"x")])
    eventually(lambda: worker.metric("fold_arena_stopped", arena="code") == 2)  # in both folds
    pipeline.produce(votes[400:])
    for arena in ("text", "chat", "vision"):
        pipeline.wait_counted(of_arena(votes, arena), arena)
        assert_same_boards(pipeline.boards(arena), fold_votes(votes, tmp_path)[arena])
    eventually(lambda: worker.metric("consumer_lag") == 0)
    assert pipeline.boards("code") == before, "what was published stays"
    assert "arena code stops here, the others go on" in worker.log()
    assert worker.metric("stage_failures_total") == 0
    assert worker.stop() == 0
    # The next owner meets it again, and says so again.
    second = pipeline.worker("second", stages="ratings,fairness").start().wait_ready()
    eventually(lambda: second.metric("fold_arena_stopped", arena="code") == 2)
    eventually(lambda: second.metric("consumer_lag") == 0)
    assert pipeline.boards("code") == before


def test_intake_that_must_stop_takes_no_fold_along_and_goes_on_when_it_may(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(600, seed=52, arenas=("text",))
    worker = pipeline.worker(stages="intake,ratings", ISONOMY_DEAD_LETTER_RUN="50").start().wait_ready()
    pipeline.produce(votes[:300])
    pipeline.wait_counted(300)
    pipeline.produce_raw(VOTES.name, ((b"k", b"garbage") for _ in range(400)))
    eventually(lambda: worker.metric("stage_failures_total", stage="intake") >= 2, COUNTED)
    assert "records were all refused (limit 50)" in worker.log()
    assert worker.metric("stage_ready", stage="ratings") == 1
    assert worker.metric("stage_failures_total", stage="ratings") == 0
    ready = worker.answer("/readyz")
    assert ready is not None
    assert ready.status_code == 503
    assert "intake" in ready.json()["waiting_for"]
    assert worker.stop() == 0
    second = pipeline.worker("second", ISONOMY_DEAD_LETTER_RUN="5000").start().wait_ready()
    pipeline.produce(votes[300:])
    pipeline.wait_counted(600)
    assert_same_boards(pipeline.boards(), fold_votes(votes, tmp_path)["text"])
    assert second.metric("stage_failures_total") == 0


def test_a_worker_with_no_stage_left_ends_and_its_last_line_says_why(pipeline: Pipeline) -> None:
    worker = pipeline.worker(stages="intake", ISONOMY_DEAD_LETTER_RUN="50").start().wait_ready()
    pipeline.produce_raw(VOTES.name, ((b"k", b"garbage") for _ in range(400)))
    eventually(lambda: worker.process.poll() is not None, READY)
    assert worker.process.poll() != 0
    last = worker.log().rstrip().splitlines()[-1]
    assert "records were all refused (limit 50)" in last, worker.log()[-3_000:]


def test_an_arena_that_has_only_declared_models_outlasts_a_refold(pipeline: Pipeline) -> None:
    worker = pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
    pipeline.declare("vision", "model-1", provider="Acme")
    pipeline.produce(make_votes(100, seed=53, arenas=("code",)))  # in the same ledger partition
    pipeline.wait_counted(100, "code")
    arenas = pipeline.settings.keys.arenas

    def listed() -> set[bytes]:
        with pipeline.redis as redis:
            return set(redis.smembers(arenas))

    eventually(lambda: listed() == {b"code", b"vision"})
    assert worker.stop() == 0
    pipeline.isonomy("rebuild")
    second = pipeline.worker("second", stages="ratings,fairness").start().wait_ready()
    eventually(lambda: "refolding ledger partition" in second.log())
    eventually(lambda: second.metric("consumer_lag") == 0)
    with pipeline.redis as redis:
        shown = pipeline.settings.keys.shown(next(iter(second.partitions("ledger"))))
        eventually(lambda: redis.get(shown) is not None)
    eventually(lambda: second.metric("fold_snapshots_total", stage="ratings") >= 2, COUNTED)
    assert second.metric("stage_failures_total") == 0, second.log()[-2_000:]
    assert listed() == {b"code", b"vision"}
