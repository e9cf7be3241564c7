"""The board's side of Redis: foreign data in one arena's keys does not affect other arenas."""

import pytest

from services.board.redis_source import RedisSource
from streams.contracts.setting_groups import RedisSettings
from streams.contracts.settings import Settings
from streams.contracts.shown import Shown
from tests.support.stack import TestRedis


@pytest.fixture
def settings(redis_server: TestRedis, redis_prefix: str) -> Settings:
    return Settings(redis=RedisSettings(url=redis_server.url, prefix=redis_prefix))


async def test_what_is_no_list_of_boards_leaves_the_other_arenas(redis_server: TestRedis, settings: Settings) -> None:
    keys = settings.redis.keys
    with redis_server.client() as redis:
        redis.sadd(keys.arenas, "text", "code", b"\xff")
        redis.sadd(keys.boards("text"), "overall", b"\xff")
        redis.set(keys.boards("code"), b"not ours")
        redis.mset({keys.shown(0): b"17", keys.shown(1): b"many"})
        redis.sadd(keys.shown(2), b"not ours")
        redis.set(keys.board("text", "overall"), b"{}")
        redis.sadd(keys.fairness("text"), b"not ours")
    source = RedisSource(settings.redis)
    try:
        assert await source.names() == {"text": {"overall"}, "code": set()}
        assert await source.shown([0, 1, 2, 3]) == {0: Shown(17)}
        with redis_server.client() as redis:
            redis.mset({keys.shown(3): b"4", keys.lagging(3): b'{"reached":9,"behind":{"slow":4}}'})
            redis.mset({keys.shown(4): b"5", keys.lagging(4): b'{"reached":9,"behind":{"slow":4}}'})
            redis.mset({keys.shown(5): b"6", keys.lagging(5): b"not ours"})
        # What is not of one moment, or not ours, says no more than the number.
        assert await source.shown([3, 4, 5]) == {3: Shown(9, {"slow": 4}), 4: Shown(5), 5: Shown(6)}
        assert await source.shown([]) == {}
        assert await source.read("text", ["overall"], judged=True) == [b"{}", None, None]
        with redis_server.client() as redis:
            redis.delete(keys.arenas)
            redis.set(keys.arenas, b"not ours")
        assert await source.names() == {}
    finally:
        await source.close()
