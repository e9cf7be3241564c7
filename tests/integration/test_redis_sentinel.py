"""Redis behind Sentinels: the master is killed, the replica takes its place, and worker and board continue with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.connect import COMMAND, redis_client
from tests.support.board import BoardProcess, board_process
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, Pipeline, assert_same_boards, fold_votes, make_votes, read_board
from tests.support.redis import Replicated
from tests.support.stack import TestBroker

pytestmark = pytest.mark.integration

ARENAS = ("text", "code")
PROMOTED = 90.0
"""Seconds: a Sentinel waits for one, asks the others, and promotes; one that a busy machine let stand for two seconds
does nothing for another thirty (its TILT mode)."""
CONVERTED = 120.0
"""Seconds: a Sentinel asks a server that came back every ten, and makes it a replica when two answers say otherwise:
twenty on an idle machine."""


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Replicated]:
    with Replicated(tmp_path / "replicated") as servers:
        yield servers


@pytest.fixture
def stream(
    broker: TestBroker, replicated: Replicated, topic_prefix: str, redis_prefix: str, tmp_path: Path
) -> Iterator[Pipeline]:
    pipeline = Pipeline(broker.bootstrap, replicated.url, topic_prefix, redis_prefix, tmp_path)
    pipeline.create_topics()
    yield pipeline
    pipeline.stop()


def wait_same(stream: Pipeline, votes: list[dict[str, Any]], tmp_path: Path) -> None:
    """Wait until every board of the present master is what the votes make in one process."""
    expected = fold_votes(votes, tmp_path)
    keys = stream.settings.redis.keys

    def same() -> bool:
        with redis_client(stream.settings.redis, COMMAND) as redis:
            for arena, state in expected.items():
                names = sorted(name.decode() for name in redis.smembers(keys.boards(arena)))
                assert_same_boards({name: redis.get(keys.board(arena, name)) for name in names}, state)
        return True

    eventually(same, COUNTED, every=0.1)


def shown(board: BoardProcess) -> int:
    return int(board.get("/v1/arenas/text/leaderboard").json()["battles"])


def on_the_board(board: BoardProcess, votes: list[dict[str, Any]]) -> bool:
    return shown(board) == sum(vote["arena"] == "text" for vote in votes)


@pytest.mark.parametrize("how", ["killed", "frozen", "asked"])
def test_a_replica_that_is_promoted_is_followed_by_worker_and_board(
    stream: Pipeline, replicated: Replicated, tmp_path: Path, how: str
) -> None:
    votes = make_votes(900, seed=61, arenas=ARENAS)
    worker = stream.worker(stages="intake,ratings,fairness").start().wait_ready()
    board = board_process(stream.environment, tmp_path)
    try:
        with board.process:
            stream.produce(votes[:300])
            wait_same(stream, votes[:300], tmp_path)
            board.wait("/v1/arenas/text/leaderboard")
            eventually(lambda: on_the_board(board, votes[:300]))

            if how == "killed":
                replicated.first.kill()
            elif how == "frozen":
                replicated.first.process.freeze()
            else:
                replicated.ask()
            stream.produce(votes[300:600])
            eventually(replicated.promoted, PROMOTED, every=0.1)
            # One that was asked takes writes for a moment longer, and they go with it: the owner notices by its serial.
            wait_same(stream, votes[:600], tmp_path)
            eventually(lambda: on_the_board(board, votes[:600]), COUNTED)

            # The old master comes back as the replica of the new one, and nobody writes to it.
            if how == "killed":
                replicated.first.start()
            elif how == "frozen":
                replicated.first.process.thaw()
            eventually(lambda: replicated.role(replicated.first) == "slave", CONVERTED, every=0.1)
            stream.produce(votes[600:])
            wait_same(stream, votes, tmp_path)
            eventually(lambda: on_the_board(board, votes), COUNTED)
            assert worker.process.alive
            eventually(lambda: worker.metric("redis_away") == 0)
            assert "stack" not in worker.log()
            assert "Traceback" not in worker.log()
            board.process.kill()
    finally:
        if how == "frozen":
            replicated.first.process.thaw()
    # And the commands.
    assert stream.isonomy("alerts").returncode == 0
    assert "dropped the state of" in stream.isonomy("rebuild").stdout
    with replicated.second.client() as redis:
        assert read_board(redis.get(stream.settings.redis.keys.board("text", "overall"))).battles > 0


def test_with_one_sentinel_gone_the_next_one_is_asked(stream: Pipeline, replicated: Replicated, tmp_path: Path) -> None:
    replicated.sentinels[0].kill()
    votes = make_votes(100, seed=62, arenas=ARENAS)
    stream.worker().start().wait_ready()
    stream.produce(votes)
    wait_same(stream, votes, tmp_path)


def test_a_service_that_the_sentinels_do_not_know_is_waited_for_and_named(
    stream: Pipeline, replicated: Replicated
) -> None:
    stream.redis_url = replicated.url.replace("/arena/", "/other/")
    refused = stream.isonomy("alerts", check=False)
    assert refused.returncode == 1
    assert "No master found for 'other'" in refused.stderr
    assert "Traceback" not in refused.stderr
