"""The board on a real Redis and a real broker: changes are sent at once, and each fault is reported as what it is."""

import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from services.local.ports import HOST, free_port
from services.local.redis import RedisServer
from streams.contracts.alert import Alert, Status, encode_alert
from streams.contracts.keys import Keys
from streams.contracts.topics import ALERTS
from tests.support.board import BoardProcess, board_process
from tests.support.eventually import PATIENCE, eventually
from tests.support.pipeline import Pipeline, Worker, make_votes
from tests.support.stack import TestBroker, TestRedis
from tests.support.views import alert, alerts_view, board, fairness_view

pytestmark = pytest.mark.integration
LEADERBOARD = "/v1/arenas/text/leaderboard"
ENDS_WITHIN = 5.0
"""Seconds in which a board ends that is asked to: half a second of work, and an open stream would hold it for ever."""


@dataclass
class Stream:
    """A stream that runs, and a board that follows it."""

    pipeline: Pipeline
    worker: Worker
    board: BoardProcess


@pytest.fixture(scope="module")
def stream(broker: TestBroker, redis_server: TestRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A worker and a board that follow one stream; each test sends votes of its own."""
    tag, directory = secrets.token_hex(3), tmp_path_factory.mktemp("stream")
    pipeline = Pipeline(broker.bootstrap, redis_server.url, f"t{tag}.", f"t{tag}:", directory).create_topics()
    worker = pipeline.worker().start().wait_ready()
    pipeline.produce(make_votes(300, seed=5, labels=False))
    pipeline.wait_counted(300)
    follower = board_process(pipeline.environment, directory)
    try:
        with follower.process:
            follower.wait().wait(LEADERBOARD)
            yield Stream(pipeline, worker, follower)
    finally:
        pipeline.stop()


def test_a_vote_is_told_within_a_second_and_who_was_away_misses_nothing(stream: Stream) -> None:
    pipeline, follower = stream.pipeline, stream.board
    more = make_votes(6, seed=6, labels=False)
    before = follower.get(LEADERBOARD).json()["battles"]
    took = []
    with follower.listen() as listener:
        eventually(lambda: listener.state().get("state") == "live")
        for number, vote in enumerate(more[:3], 1):
            pipeline.produce([vote])
            began = time.monotonic()  # Kafka has acknowledged it
            event = listener.wait("board", number)[-1]
            took.append(event.at - began)
            assert event.data["boards"] == ["overall"]
            # Whoever reads now reads what the event was about.
            assert follower.get(LEADERBOARD).json()["battles"] == before + number
        last = listener.events[-1].id
    assert sorted(took)[1] < 1.0 * PATIENCE, took

    pipeline.produce(more[3:])
    eventually(lambda: follower.get(LEADERBOARD).json()["battles"] == before + 6)
    with follower.listen(last=last) as again:
        missed = again.wait("board")
        assert not again.of("reset")
        assert missed[-1].data["ledger"] == follower.get(LEADERBOARD).json()["position"]["ledger"]


def test_votes_that_wait_make_a_stream_that_is_behind(stream: Stream) -> None:
    before = stream.board.get(LEADERBOARD).json()["battles"]
    with stream.board.listen() as listener:
        eventually(lambda: listener.state().get("state") == "live")
        stream.worker.process.freeze()
        stream.pipeline.produce(make_votes(50, seed=8, labels=False))
        eventually(lambda: listener.state().get("state") == "behind", deadline=20)
        assert listener.state()["lag"] >= 5
        stream.worker.process.thaw()
        eventually(lambda: listener.state().get("state") == "live", deadline=40)
    eventually(lambda: stream.board.get(LEADERBOARD).json()["battles"] == before + 50, deadline=40)


def test_an_alert_that_ends_is_told_from_kafka_and_kept(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.create_topics()
    firing, ended = alert(1), alert(1, status=Status.RESOLVED)
    follower = board_process(pipeline.environment, tmp_path)
    with pipeline.redis as redis, follower.process:
        fill(redis, pipeline.settings.redis.keys, alerts=[firing])
        tell_alerts(pipeline, alert(7, status=Status.RESOLVED))
        eventually(lambda: follower.wait(LEADERBOARD).get("/readyz").json()["kafka"] == "followed")
        eventually(lambda: ids(follower, "all") == ["f1-1 firing", "f7-7 resolved"])
        with follower.listen() as listener:
            eventually(lambda: listener.state().get("state") == "live")
            tell_alerts(pipeline, firing, ended)
            (event,) = listener.wait("alert")
            assert event.data == json.loads(encode_alert(ended))
            fill(redis, pipeline.settings.redis.keys, alerts=[], ledger=2)
            listener.wait("fairness")
            eventually(lambda: ids(follower, "all") == ["f1-1 resolved", "f7-7 resolved"])
            assert ids(follower, "firing") == []
        assert b"resolved" in follower.get("/v1/arenas/text/alerts.atom").content
        began = time.monotonic()
        follower.process.send(signal.SIGTERM)
        assert follower.process.wait(10) == 0, follower.process.log_tail(40)
        assert time.monotonic() - began < ENDS_WITHIN * PATIENCE


def tell_alerts(pipeline: Pipeline, *alerts: Alert) -> None:
    pipeline.produce_raw(ALERTS.name, [(each.fingerprint.encode(), encode_alert(each)) for each in alerts])


def ids(follower: BoardProcess, status: str) -> list[str]:
    found = follower.get(f"/v1/arenas/text/alerts?status={status}").json()["alerts"]
    return [f"{each['id']} {each['status']}" for each in found]


@dataclass
class Alone:
    """A board with a Redis of its own, which may be stopped, and no Kafka."""

    board: BoardProcess
    server: RedisServer

    def publish(self, **views: Any) -> None:
        with Redis.from_url(self.server.url) as client:
            fill(client, Keys(), **views)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    environ = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{free_port()}"}
    with RedisServer(tmp_path / "redis") as server:
        made = Alone(board_process({**environ, "REDIS_URL": server.url}, tmp_path), server)
        made.publish()
        with made.board.process:
            made.board.wait().wait(LEADERBOARD)
            yield made
            made.board.process.kill()


def fill(
    client: Any, keys: Keys, votes: int = 10, ledger: int = 1, alerts: list[Alert] | None = None, pad: int = 3
) -> None:
    """Publish the arena as the workers do: all keys in one step, then the messages."""
    models = [f"model-{number}" for number in range(pad)]
    with client.pipeline(transaction=True) as together:
        together.sadd(keys.boards("text"), "overall")
        together.set(keys.board("text", "overall"), board(*models, votes=votes, ledger=ledger))
        together.set(keys.fairness("text"), fairness_view(ledger=ledger))
        together.set(keys.alerts("text"), alerts_view(*(alerts or []), ledger=ledger))
        together.publish(keys.changed("text"), json.dumps({"arena": "text", "boards": ["overall"], "ledger": ledger}))
        judged = {"arena": "text", "fairness": True, "alerts": len(alerts or []), "ledger": ledger}
        together.publish(keys.changed("text"), json.dumps(judged))
        together.execute()
    client.sadd(keys.arenas, "text")


def test_without_kafka_and_redis_the_last_known_is_served_and_what_comes_back_is_told(alone: Alone) -> None:
    assert "Kafka" in alone.board.get("/readyz").json()["kafka"]
    with alone.board.listen() as listener:
        eventually(lambda: listener.state().get("away") == "kafka")
        alone.server.kill()
        eventually(lambda: listener.state().get("away") == "redis", deadline=15)
        answer = alone.board.get(LEADERBOARD)
        assert (answer.status_code, answer.json()["votes"]) == (200, 10)
        assert int(answer.headers["age"]) >= 0
        assert alone.board.get("/readyz").status_code == 503
        alone.server.start()  # with nothing in it
        alone.board.wait()
        assert alone.board.get(LEADERBOARD).json()["votes"] == 10
        alone.publish(votes=44, ledger=9)
        eventually(lambda: listener.of("board"))
        assert listener.of("board")[-1].data == {"boards": ["overall"], "ledger": 9}
        assert alone.board.get(LEADERBOARD).json()["votes"] == 44
        assert "age" not in alone.board.get(LEADERBOARD).headers


def test_a_redis_that_stands_still_is_noticed(alone: Alone) -> None:
    with alone.board.listen() as listener:
        eventually(lambda: listener.state().get("away") == "kafka")
        alone.server.process.freeze()
        eventually(lambda: listener.state().get("away") == "redis", deadline=10)
        assert alone.board.get(LEADERBOARD).status_code == 200
        alone.server.process.thaw()
        eventually(lambda: listener.state().get("away") == "kafka", deadline=15)


def test_who_does_not_read_is_hung_up_on_and_nobody_else_notices(alone: Alone) -> None:
    with socket.socket() as slow, alone.board.listen() as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((HOST, alone.board.port))
        slow.sendall(b"GET /v1/arenas/text/events HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: alone.board.series("board_clients") == 2)
        text = "x" * 40_000
        rounds = 0

        def cut() -> bool:
            nonlocal rounds
            rounds += 1
            summary = f"{rounds} {text}"
            alone.publish(ledger=rounds, alerts=[alert(number, summary=summary) for number in range(25)])
            eventually(lambda: len(quick.of("alert")) == 25 * rounds)
            return alone.board.series("board_clients_cut_total") == 1

        eventually(cut, deadline=60)
        assert alone.board.series("board_clients") == 1
        assert ends(slow)
        assert quick.end is None


def ends(connection: socket.socket) -> bool:
    """Whether the server has hung up, once everything that was on its way is read."""
    connection.settimeout(10)
    try:
        while connection.recv(1 << 20):
            pass
    except ConnectionResetError:
        return True
    return True


def test_a_signal_ends_open_streams_and_the_process_soon(alone: Alone) -> None:
    with (
        alone.board.listen() as one,
        alone.board.listen() as two,
        socket.create_connection((HOST, alone.board.port)) as idle,
    ):
        one.wait("stream")
        two.wait("stream")
        idle.sendall(b"GET /healthz HTTP/1.1\r\n")  # half a request
        began = time.monotonic()
        alone.board.process.send(signal.SIGTERM)
        code = alone.board.process.wait(10)
        assert time.monotonic() - began < ENDS_WITHIN * PATIENCE
        assert code == 0, alone.board.process.log_tail(40)
        eventually(lambda: (one.end, two.end) == ("whole", "whole"))
    assert "Traceback" not in alone.board.process.log_tail(100)
