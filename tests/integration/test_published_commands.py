"""Commands that read what the workers publish: a view that cannot be read is said, not shown as nothing."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from redis import Redis

from services.cli.alerts import command
from services.cli.errors import UserError
from services.cli.follow import read_board
from streams.contracts.settings import Settings
from tests.support.stack import TestRedis

NOT_OURS = [b"not ours", b"[]", b'{"alerts": [{"kind": 1}]}', b"\xff"]


@pytest.fixture
def settings(redis_server: TestRedis, redis_prefix: str) -> Settings:
    return Settings.from_env({"REDIS_URL": redis_server.url, "ISONOMY_REDIS_PREFIX": redis_prefix})


@pytest.fixture
def redis(redis_server: TestRedis) -> Iterator[Redis]:
    with redis_server.client() as client:
        yield client


@pytest.mark.parametrize("text", NOT_OURS)
def test_alerts_that_cannot_be_read_are_not_told_to_be_none(
    redis: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    redis.sadd(settings.keys.arenas, "text", b"\xff")
    redis.set(settings.keys.alerts("text"), text)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("ISONOMY_REDIS_PREFIX", settings.redis_prefix)
    refused = CliRunner().invoke(command, [])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: what Redis has of the alerts of arena text cannot be read here: ")


@pytest.mark.parametrize("text", NOT_OURS)
def test_a_board_that_cannot_be_read_is_no_trace(redis: Redis, settings: Settings, text: bytes) -> None:
    redis.set(settings.keys.board("text", "overall"), text)
    with pytest.raises(UserError, match="what Redis has of the board overall of arena text cannot be read here"):
        read_board(redis, settings, "text")
