"""Commands that read published views: a view that cannot be read is an error, not an empty result."""

import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from services.cli.alerts import command
from services.cli.errors import UserError
from services.cli.progress import read_board
from streams.contracts.settings import Settings
from tests.support.stack import TestRedis
from tests.support.views import alerts_view, fairness_view

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
    redis.sadd(settings.redis.keys.arenas, "text", b"\xff")
    redis.set(settings.redis.keys.alerts("text"), text)
    monkeypatch.setenv("REDIS_URL", settings.redis.url)
    monkeypatch.setenv("ISONOMY_REDIS_PREFIX", settings.redis.prefix)
    refused = CliRunner().invoke(command, [])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: the alerts of arena text in Redis cannot be read: ")


@pytest.fixture
def run(redis_server: TestRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run `isonomy alerts` on this Redis."""
    monkeypatch.setenv("REDIS_URL", settings.redis.url)
    monkeypatch.setenv("ISONOMY_REDIS_PREFIX", settings.redis.prefix)
    return lambda *arguments: CliRunner().invoke(command, list(arguments))


def test_no_alert_is_told_with_what_was_judged(redis: Redis, settings: Settings, run: Callable[..., Result]) -> None:
    keys = settings.redis.keys
    assert "nothing was judged" in run().stdout
    redis.sadd(keys.arenas, "text", "quiet", "old")
    redis.mset({keys.alerts("text"): alerts_view(), keys.fairness("text"): fairness_view()})
    redis.mset({keys.alerts("old"): alerts_view(arena="old"), keys.fairness("old"): b"{}"})  # of an earlier worker
    said = " ".join(run().stdout.split())
    assert "text: no alert fires. Judged: share drift. Not judged: prompt reuse (no vote has a prompt hash)." in said
    assert "quiet: nothing was judged yet" in said
    assert "old: no alert fires. What was judged is not known." in said
    found = json.loads(run("--format", "json").stdout)
    assert found["alerts"] == []
    lines = {each.pop("arena"): each for each in found["arenas"]}
    assert lines["quiet"] == {"alerts": None, "judged": None}
    assert lines["old"] == {"alerts": 0, "judged": None}
    assert [each["judged"] for each in lines["text"]["judged"]] == [True, False]


def test_an_arena_that_there_is_not_is_no_quiet_one(
    redis: Redis, settings: Settings, run: Callable[..., Result]
) -> None:
    redis.sadd(settings.redis.keys.arenas, "text")
    for form in ("table", "json"):
        refused = run("--arena", "txet", "--format", form)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == "Error: there is no arena 'txet'; there are: text\n"


@pytest.mark.parametrize("text", NOT_OURS)
def test_a_board_that_cannot_be_read_is_no_trace(redis: Redis, settings: Settings, text: bytes) -> None:
    redis.set(settings.redis.keys.board("text", "overall"), text)
    with pytest.raises(UserError, match="the board overall of arena text in Redis cannot be read"):
        read_board(redis, settings.redis, "text")
