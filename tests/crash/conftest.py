"""A broker and a Redis for each test, because tests break both, and a log of events."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.stack import EventLog
from tests.support.stack import TestBroker, TestRedis, make_broker, make_redis


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TestBroker]:
    """A broker for this test only, which kills it."""
    chosen = make_broker(tmp_path / "broker")
    if chosen.server is None:
        pytest.skip("the broker of KAFKA_BOOTSTRAP_SERVERS is not ours to kill")
    with chosen.server:
        yield chosen


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[TestRedis]:
    """A Redis for this test only, which flushes it."""
    chosen = make_redis(tmp_path / "redis")
    if chosen.server is None:
        pytest.skip("the Redis of REDIS_URL is not ours to flush")
    with chosen.server:
        yield chosen


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> EventLog:
    def show(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True, file=sys.stderr)

    show("")
    return EventLog(show)
