"""Reads the views in Redis and follows their changes through one subscription: the protocol, and its implementation."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError, ResponseError

from streams.contracts.connect import FOLLOWING, async_redis_client, resolve_anew
from streams.contracts.history import PARTS
from streams.contracts.keys import names_of
from streams.contracts.redis_away import is_foreign
from streams.contracts.setting_groups import RedisSettings
from streams.contracts.shown import Shown, read_shown
from streams.contracts.stopped import FOLDS, Stopped, read_stopped

if TYPE_CHECKING:
    from redis.asyncio import Redis

SILENT_SECONDS = 1.0
"""After this long without a message, the board sends Redis a PING."""
ANSWER_SECONDS = 2.0
"""Longest wait for the answer."""
TOGETHER = 32
"""Maximum of views read at once: a board of 2,000 models is half a megabyte."""

_GLOB = re.compile(r"([*?\[\]\\])")


class SourceAway(Exception):  # noqa: N818 -- the caller tries again
    """Redis does not answer."""


class ChangeFeed(Protocol):
    """An active subscription."""

    async def next(self) -> list[bytes]:
        """Messages since the last call, possibly none; returns at least every few seconds. Raises `SourceAway`."""


class ViewSource(Protocol):
    """Reads what the workers publish."""

    def changes(self) -> AbstractAsyncContextManager[ChangeFeed]:
        """Subscribe to all arenas' changes; entered once Redis confirmed. Raises `SourceAway`."""

    async def names(self) -> dict[str, set[str]]:
        """Every arena with the names of its boards. Raises `SourceAway`."""

    async def stopped(self, arenas: Iterable[str]) -> dict[str, dict[str, Stopped]]:
        """Which folds have stopped each of the arenas. Raises `SourceAway`."""

    async def read(self, arena: str, boards: Sequence[str], judged: bool) -> list[bytes | None]:
        """JSON of each board, then of fairness and alerts when `judged`. Raises `SourceAway`."""

    async def shown(self, partitions: Iterable[int]) -> dict[int, Shown]:
        """How far the boards count each ledger partition; partitions of which Redis has no report are left out.

        Raises `SourceAway`.
        """

    async def history(self, arena: str) -> dict[str, bytes | None]:
        """Every part of an arena's history, as `streams.contracts.history` reads them. Raises `SourceAway`."""


class RedisSource:
    """Reads from Redis; never writes.

    Parameters
    ----------
    settings
        Address and credentials of Redis.

    Raises
    ------
    InvalidSetting
        When a file of secrets or certificates cannot be used.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._keys = settings.keys
        self._redis = async_redis_client(settings, FOLLOWING, client_name="isonomy-board")

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[ChangeFeed]:
        """Subscribe; see `ViewSource`."""
        prefix, _, rest = self._keys.changed("\0").partition("\0")
        pattern = _GLOB.sub(r"\\\1", prefix) + "*" + rest
        async with self._redis.pubsub() as pubsub:
            async with self._asked():
                await pubsub.psubscribe(pattern)
                confirmed = await pubsub.get_message(timeout=ANSWER_SECONDS)
            if confirmed is None:
                raise SourceAway("Redis does not confirm the subscription")
            yield _ChangeSubscription(pubsub)

    async def names(self) -> dict[str, set[str]]:
        """List arenas and boards; see `ViewSource`."""
        async with self._asked():
            arenas = sorted(await _members(self._redis, self._keys.arenas))
            return {arena: await _members(self._redis, self._keys.boards(arena)) for arena in arenas}

    async def stopped(self, arenas: Iterable[str]) -> dict[str, dict[str, Stopped]]:
        """Read what is stopped; see `ViewSource`."""
        async with self._asked():
            found: dict[str, dict[str, Stopped]] = {}
            names = sorted(arenas)
            for at in range(0, len(names), TOGETHER):
                some = names[at : at + TOGETHER]
                asked = ([self._keys.stopped(arena, fold) for fold in FOLDS] for arena in some)
                texts = await asyncio.gather(*(_texts(self._redis, keys) for keys in asked))
                found |= {arena: read_stopped(each) for arena, each in zip(some, texts, strict=True)}
            return found

    async def read(self, arena: str, boards: Sequence[str], judged: bool) -> list[bytes | None]:
        """Read views; see `ViewSource`."""
        keys = [self._keys.board(arena, board) for board in boards]
        batches = [keys[at : at + TOGETHER] for at in range(0, len(keys), TOGETHER)]
        if judged:  # in one call: these two are of one moment
            batches.append([self._keys.fairness(arena), self._keys.alerts(arena)])
        found: list[bytes | None] = []
        async with self._asked():
            for batch in batches:
                found += await _texts(self._redis, batch)
        return found

    async def shown(self, partitions: Iterable[int]) -> dict[int, Shown]:
        """Read how far the boards count; see `ViewSource`."""
        found = {}
        async with self._asked():
            for each in partitions:
                # One key per call: behind a sharding proxy they are on different servers.
                (number,) = await _texts(self._redis, [self._keys.shown(each)])
                (text,) = await _texts(self._redis, [self._keys.lagging(each)])
                if (shown := read_shown(number, text)) is not None:
                    found[each] = shown
        return found

    async def history(self, arena: str) -> dict[str, bytes | None]:
        """Read the history; see `ViewSource`."""
        async with self._asked():
            found = await _texts(self._redis, [self._keys.history(arena, part) for part in PARTS])
        return dict(zip(PARTS, found, strict=True))

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        """Raise `SourceAway` when Redis does not answer; drop connections to a server that is loading or cut off."""
        try:
            yield
        except (RedisError, OSError) as error:
            await resolve_anew(self._redis, error)
            raise SourceAway(str(error)) from None


class _ChangeSubscription:
    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    async def next(self) -> list[bytes]:
        try:
            message = await self._pubsub.get_message(timeout=SILENT_SECONDS)
            if message is None:
                await self._pubsub.ping()
                message = await self._pubsub.get_message(timeout=ANSWER_SECONDS)
                if message is None:
                    raise SourceAway("Redis does not answer")
            found = []
            # Take further messages that have arrived: the views of many changes in a row are read once.
            end = time.monotonic() + SILENT_SECONDS
            while message is not None:
                if message["type"] == "pmessage":
                    found.append(message["data"])
                message = await self._pubsub.get_message(timeout=0.0) if time.monotonic() < end else None
        except (RedisError, OSError) as error:
            raise SourceAway(str(error)) from None
        return found


async def _texts(redis: Redis, keys: list[str]) -> list[bytes | None]:
    """Read strings; None for a key that is missing or no string. The client's types allow str; ours returns bytes."""
    return [text if isinstance(text, bytes) else None for text in await redis.mget(keys)]


async def _members(redis: Redis, key: str) -> set[str]:
    """Members of a set that are names; none while the key is of another type, until its worker has replaced it."""
    try:
        members = await redis.smembers(key)
    except ResponseError as error:
        if not is_foreign(error):
            raise
        return set()
    return set(names_of(members))
