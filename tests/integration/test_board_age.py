"""How old is what the board shows: measured by what the ledger has, and never taken for the present."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from services.board.stream_status import BEHIND_SECONDS
from streams.contracts.alert import Status, encode_alert
from streams.contracts.topics import ALERTS, VOTES
from tests.support.board import BoardProcess, board_process
from tests.support.eventually import eventually
from tests.support.pipeline import Pipeline, encode, make_votes
from tests.support.stack import TestRedis
from tests.support.views import alert
from tests.support.writers import aborted, committed, needs_transactions, transaction, without_codecs, write_packed

pytestmark = pytest.mark.integration
LEADERBOARD = "/v1/arenas/text/leaderboard"


def battles(board: BoardProcess) -> int:
    found: int = board.get(LEADERBOARD).json()["battles"]
    return found


def test_votes_in_the_ledger_that_no_fold_shows_make_a_stream_that_is_behind(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.create_topics()
    worker = pipeline.worker().start().wait_ready()
    pipeline.produce(make_votes(60, seed=1, labels=False))
    pipeline.wait_counted(60)
    board = board_process(pipeline.environment, tmp_path)
    with board.process:
        board.wait().wait(LEADERBOARD)
        with board.listen() as listener:
            eventually(lambda: listener.state().get("state") == "live")
            assert worker.stop() == 0
            pipeline.worker("intake", stages="intake").start().wait_ready()
            pipeline.produce(make_votes(40, seed=2, labels=False))
            eventually(lambda: listener.state().get("state") == "behind", 30)
            lag = listener.state()["lag"]
            eventually(lambda: listener.state()["lag"] > lag + 2, 30)
            old = board.get(LEADERBOARD)
            assert old.json()["battles"] == 60
            assert int(old.headers["age"]) >= BEHIND_SECONDS
            assert "Stale" in old.headers["warning"]

            pipeline.worker("ratings", stages="ratings").start().wait_ready()
            eventually(lambda: listener.state().get("state") == "live", 30)
        assert battles(board) == 100
        assert "age" not in board.get(LEADERBOARD).headers


def test_what_redis_lost_is_shown_as_old_and_never_as_empty(
    pipeline: Pipeline, redis_server: TestRedis, tmp_path: Path
) -> None:
    pipeline.create_topics()
    worker = pipeline.worker().start().wait_ready()
    pipeline.produce(make_votes(60, seed=3, labels=False))
    pipeline.wait_counted(60)
    board, blank = (board_process(pipeline.environment, tmp_path, name) for name in ("board", "blank"))
    with board.process:
        board.wait().wait(LEADERBOARD)
        with board.listen() as listener:
            eventually(lambda: listener.state().get("state") == "live")
            assert worker.stop() == 0
            redis_server.flush()
            eventually(lambda: listener.state().get("state") == "behind", 30)
            assert battles(board) == 60
            with blank.process:
                blank.wait()
                for path in ("/v1/arenas", LEADERBOARD):
                    assert "nothing is known yet" in blank.wait(path, 503).get(path).text
                pipeline.worker("again").start().wait_ready()
                blank.wait(LEADERBOARD)
                assert battles(blank) == 60
            eventually(lambda: listener.state().get("state") == "live", 30)
            assert not listener.of("reset")


def test_ended_alerts_that_cannot_be_read_do_not_blind_the_board(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.create_topics()
    pipeline.worker().start().wait_ready()
    pipeline.produce(make_votes(60, seed=9, labels=False))
    pipeline.wait_counted(60)
    ended, packed = alert(7, status=Status.RESOLVED), alert(8, status=Status.RESOLVED)
    pipeline.produce_raw(ALERTS.name, [(ended.fingerprint.encode(), encode_alert(ended))])
    board = board_process({**pipeline.environment, **without_codecs(tmp_path)}, tmp_path)
    with board.process:
        board.wait().wait(LEADERBOARD)
        eventually(lambda: [each["id"] for each in past(board).get("alerts", ())] == [ended.id])
        assert past(board)["past"] == "live"
        topic = pipeline.settings.kafka.topic(ALERTS.name)
        record = packed.fingerprint.encode(), encode_alert(packed)
        offset = asyncio.run(write_packed(pipeline.bootstrap, topic, *record))
        eventually(lambda: past(board)["past"] == "away")
        assert [each["id"] for each in past(board).get("alerts", ())] == [ended.id]
        said = board.get("/readyz").json()["kafka"]
        assert f"{topic}/0, offset {offset}" in said
        assert "snappy" in said
        with board.listen() as listener:
            eventually(lambda: listener.state().get("state") == "live")
            pipeline.produce(make_votes(1, seed=10, labels=False))
            listener.wait("board")
    assert "Traceback" not in board.process.log_path.read_text()


def past(board: BoardProcess) -> dict[str, Any]:
    found: dict[str, Any] = board.get("/v1/arenas/text/alerts?status=all").json()
    return found


@needs_transactions
def test_transactions_leave_the_board_live_and_a_replay_ends(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.create_topics()
    pipeline.worker().start().wait_ready()
    topic = pipeline.settings.kafka.topic(VOTES.name)

    def records(count: int, seed: int) -> list[tuple[bytes, bytes]]:
        return [(vote["id"].encode(), encode(vote)) for vote in make_votes(count, seed, labels=False)]

    pipeline.produce(make_votes(60, seed=4, labels=False))
    committed(pipeline.bootstrap, topic, records(40, 5))
    aborted(pipeline.bootstrap, topic, records(30, 6))
    pipeline.wait_counted(100)
    source = tmp_path / "arena.jsonl"
    source.write_bytes(b"\n".join(map(encode, make_votes(20, seed=7, labels=False))))
    board = board_process(pipeline.environment, tmp_path)
    with board.process:
        board.wait().wait(LEADERBOARD)
        with board.listen() as listener:
            eventually(lambda: listener.state().get("state") == "live")
            # `votes` ends in markers: nobody has anything to do, and a replay that is followed ends.
            assert "sent 20 votes" in pipeline.isonomy("replay", str(source), "--follow", timeout=60).stderr
            pipeline.wait_counted(120)
            with transaction(pipeline.bootstrap, topic, records(15, 8), commit=True):
                done = pipeline.isonomy("replay", str(source), "--follow", timeout=60)
                assert "wait behind an open transaction" in done.stderr
                time.sleep(BEHIND_SECONDS + 3)  # so long would it take to be told that it is behind
            pipeline.wait_counted(135)
            time.sleep(BEHIND_SECONDS + 3)
            states = [event.data["state"] for event in listener.of("stream")]
            assert set(states[states.index("live") :]) == {"live"}, states
