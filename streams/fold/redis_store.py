"""Store of a fold's state and views in Redis, fenced by an epoch.

An owner claims an arena and gets an epoch, larger than any before, from Redis's own clock, so that epochs grow even
after Redis lost everything. Every write names its epoch and is refused once a later owner has claimed: a process that
was frozen and resumes cannot overwrite newer state. Scripts make each write atomic: a reader never sees half of it.

Every write also has a serial. After Redis returns with an older state, for example after a failover, it holds a smaller
serial than it acknowledged, which tells the owner that writes are lost. A write that its owner gave up because Redis
hung may reach Redis after its replacement: its serial is smaller, so it is dropped.

Only the folds may write these keys. Foreign values, of another type or not a number, count as lost and are overwritten.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from enum import Enum
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, ResponseError

from streams.contracts.history import TIERS
from streams.contracts.keys import Keys, names_of, number_of
from streams.contracts.redis_away import is_foreign
from streams.contracts.shown import Shown, encode_shown
from streams.contracts.stopped import Stopped, encode_stopped
from streams.fold import redis_scripts as scripts

logger = logging.getLogger(__name__)


class WriteResult(Enum):
    """Result of a fenced write."""

    REFUSED = 0
    DONE = 1
    LOST = 2
    """Redis holds no state of this owner, or an older one: write the complete state again."""


class FoldStore:
    """A fold's access to Redis.

    Parameters
    ----------
    redis
        A client that returns bytes.
    keys
        Names of the keys.
    fold
        Name of the fold.
    """

    def __init__(self, redis: Redis, keys: Keys, fold: str) -> None:
        self._redis, self._keys, self._fold = redis, keys, fold
        self._claim = redis.register_script(scripts.CLAIM)
        self._check = redis.register_script(scripts.CHECK)
        self._save = redis.register_script(scripts.SAVE)
        self._publish = redis.register_script(scripts.PUBLISH)
        self._prune = redis.register_script(scripts.PRUNE)
        self._withdraw = redis.register_script(scripts.WITHDRAW)
        self._tell_stopped = redis.register_script(scripts.TELL_STOPPED)
        self._serials: dict[str, int] = {}
        """By arena, the serial of the last write that Redis acknowledged."""
        self._begun: dict[str, int] = {}
        """By arena, the serial of the last write that was sent."""
        self._listed: set[str] = set()
        """Arenas for which this owner has published a view."""

    async def claim(self, arena: str) -> int:
        """Become the arena's owner; returns the epoch."""
        epoch = int(await self._claim(keys=[self._state(arena)]))
        self._serials[arena] = self._begun[arena] = 0
        return epoch

    async def load(self, arena: str) -> dict[str, bytes]:
        """Fields of the saved state; empty when there is none."""
        return _fields(await self._redis.hgetall(self._state(arena)))

    async def claim_new(self, arenas: Sequence[str]) -> dict[str, tuple[int, dict[str, bytes]]]:
        """Claim several arenas together; returns epoch and `load`ed state of each."""
        states = [self._state(arena) for arena in arenas]
        answers = await self._together(self._claim, [([state], ()) for state in states], then=states)
        self._serials |= dict.fromkeys(arenas, 0)
        self._begun |= dict.fromkeys(arenas, 0)
        return {
            arena: (int(epoch), _fields(fields))
            for arena, epoch, fields in zip(arenas, answers[: len(arenas)], answers[len(arenas) :], strict=True)
        }

    async def check(self, owned: Iterable[tuple[str, int, Iterable[str]]]) -> list[WriteResult]:
        """Check for each (arena, epoch, boards) that this owner still holds the arena and that its writes are there.

        All are checked in one round trip; the check also adds an owned arena's boards to its set of boards.
        """
        calls: list[tuple[list[str], list[str | int]]] = []
        for arena, epoch, boards in owned:
            keys = [self._state(arena), self._keys.boards(arena)]
            calls.append((keys, [epoch, self._serials[arena], self._begun[arena], *boards]))
        return [WriteResult(answer) for answer in await self._together(self._check, calls)]

    async def _together(
        self, script: AsyncScript, calls: Sequence[tuple[Sequence[str], Sequence[str | int]]], then: Sequence[str] = ()
    ) -> list[Any]:
        """Run a script once per (keys, arguments), then read the hashes `then`, all in one round trip.

        redis-py's own scripts in a pipeline call SCRIPT EXISTS first: one more round trip, and a permission that
        nothing else here needs.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            for keys, arguments in calls:
                pipe.evalsha(script.sha, len(keys), *keys, *arguments)
            for key in then:
                pipe.hgetall(key)
            answers: list[Any] = await pipe.execute(raise_on_error=False)  # raising would wrap the messages
        errors = [each for each in answers if isinstance(each, Exception)]
        if not errors:
            return answers
        if not isinstance(errors[0], NoScriptError):
            raise errors[0]
        await self._redis.script_load(script.script)
        return await self._together(script, calls, then)

    async def save(self, arena: str, epoch: int, fields: Mapping[str, bytes], *, whole: bool) -> WriteResult:
        """Write fields of the state atomically.

        `whole`: `fields` is the complete state, which is required after Redis lost it.
        """
        arguments = [*self._next(arena, epoch), int(whole)]
        for name, value in fields.items():
            arguments += [name, value]
        serial = self._begun[arena]
        return self._counted(arena, serial, await self._save(keys=[self._state(arena)], args=arguments))

    async def publish(
        self,
        arena: str,
        epoch: int,
        texts: Mapping[str, bytes],
        message: Mapping[str, object],
        boards: Sequence[str] = (),
    ) -> WriteResult:
        """Write texts by key atomically and notify subscribers; the first write also lists the arena.

        Callers call `list_arenas` from time to time, which restores a list that was lost later.

        Parameters
        ----------
        texts
            Redis key to value; all keys belong to this arena.
        message
            Sent to the arena's channel.
        boards
            Names to add to the arena's set of boards.
        """
        keys = [self._state(arena), self._keys.boards(arena), *texts]
        arguments = self._next(arena, epoch)
        arguments += [self._keys.changed(arena), json.dumps(message), len(boards), *boards, *texts.values()]
        serial = self._begun[arena]
        outcome = self._counted(arena, serial, await self._publish(keys=keys, args=arguments))
        if outcome is WriteResult.DONE and arena not in self._listed:
            self._listed.add(arena)
            await self.list_arenas([arena])  # outside the script: the list is shared by all arenas
        return outcome

    async def list_arenas(self, arenas: Iterable[str]) -> None:
        """Add those of the arenas that this owner has published to the list of arenas, replacing a foreign value."""
        names = sorted(self._listed.intersection(arenas))
        if not names:
            return
        try:
            await self._redis.sadd(self._keys.arenas, *names)
        except ResponseError as error:
            if not is_foreign(error):
                raise
            logger.warning("%s is not a list of arenas, it is written again: %s", self._keys.arenas, error)
            await self._redis.delete(self._keys.arenas)
            await self._redis.sadd(self._keys.arenas, *names)

    def _next(self, arena: str, epoch: int) -> list[str | int | bytes]:
        """First arguments of every write; each write gets a new serial, also after one that failed."""
        self._begun[arena] += 1
        return [epoch, self._serials[arena], self._begun[arena]]

    def _counted(self, arena: str, serial: int, answer: int) -> WriteResult:
        outcome = WriteResult(answer)
        if outcome is WriteResult.DONE:
            self._serials[arena] = serial
        return outcome

    async def arenas(self) -> list[str]:
        """List the arenas that have views."""
        return await self._members(self._keys.arenas)

    async def _members(self, key: str) -> list[str]:
        """List a set's members that are valid names; empty when the key is not a set."""
        try:
            return names_of(map(_bytes, await self._redis.smembers(key)))
        except ResponseError as error:
            if not is_foreign(error):
                raise
            return []

    async def epoch(self, arena: str) -> int:
        """Epoch of the arena's last owner; 0 when it has had none."""
        try:
            found = await self._redis.hget(self._state(arena), "epoch") or b"0"
        except ResponseError as error:
            if not is_foreign(error):
                raise
            return 0
        return number_of(_bytes(found)) or 0

    async def prune(self, arena: str, epoch: int, keep: Set[str]) -> WriteResult:
        """Remove the boards that are not in `keep`; refused when a later owner has claimed the arena.

        An arena with only declared models has an owner and no board.
        """
        names = await self._members(self._keys.boards(arena))
        gone = [name for name in names if name not in keep]
        if not gone:
            return WriteResult.DONE
        keys = [self._state(arena), self._keys.boards(arena), *(self._keys.board(arena, name) for name in gone)]
        arguments = [*self._next(arena, epoch), *gone]
        serial = self._begun[arena]
        return self._counted(arena, serial, await self._prune(keys=keys, args=arguments))

    async def board_views(self, arena: str) -> list[str]:
        """Name the keys of an arena's boards, their list and their history."""
        names = await self._members(self._keys.boards(arena))
        views = [self._keys.boards(arena), *(self._keys.board(arena, name) for name in names)]
        return views + [self._keys.history(arena, tier.name) for tier in TIERS]

    async def forget_arena(self, arena: str, epoch: int, views: Sequence[str]) -> None:
        """Remove an arena that the ledger does not hold: views and state of this fold, and the name; see `withdraw`.

        Where another fold still has the arena, its owner lists it again.
        """
        stops = [self._keys.stopped(arena, self._fold), self._keys.release(arena, self._fold)]
        if await self.withdraw(arena, epoch, [*views, *stops]) is WriteResult.REFUSED:
            return
        await self._redis.srem(self._keys.arenas, arena)
        if await self._redis.hget(self._state(arena), "serial") not in (None, scripts.NO_OWNER):
            # Claimed between the two calls, and perhaps listed before it was removed from the list.
            await self._redis.sadd(self._keys.arenas, arena)

    async def withdraw(self, arena: str, epoch: int, views: Sequence[str]) -> WriteResult:
        """Remove an arena's views and this fold's state of it, unless a later owner has claimed it.

        The epoch is kept and raised, so that no earlier owner can write them again.

        Parameters
        ----------
        epoch
            The last owner's, read before the ledger was found not to hold the arena.
        """
        return WriteResult(await self._withdraw(keys=[self._state(arena), *views], args=[epoch]))

    async def list_partition(self, partition: int) -> bytes | None:
        """Return the saved listing of a ledger partition, encoded; None when there is none."""
        try:
            found = await self._redis.get(self._keys.partition(partition, self._fold))
        except ResponseError as error:
            if not is_foreign(error):
                raise
            return None
        return None if found is None else _bytes(found)

    async def save_partition(self, partition: int, listing: bytes) -> None:
        """Save the encoded listing of a ledger partition."""
        await self._redis.set(self._keys.partition(partition, self._fold), listing)

    async def save_shown(self, partition: int, shown: Shown) -> None:
        """Write up to which offset a ledger partition is on the boards, and which of its arenas lag."""
        # One call each: behind a sharding proxy the keys may be on different servers.
        await self._redis.set(self._keys.shown(partition), shown.whole)
        await self._redis.set(self._keys.lagging(partition), encode_shown(shown))

    async def tell_stopped(self, arena: str, epoch: int, stopped: Stopped | None, *, answers: bool) -> None:
        """Write whether this fold has stopped an arena and notify readers; `answers`: delete the release request."""
        arguments: list[str | int | bytes] = [epoch, 0, 0, encode_stopped(stopped) if stopped else b""]
        arguments += [self._keys.changed(arena), json.dumps({"arena": arena, "stopped": True})]
        keys = [self._state(arena), self._keys.stopped(arena, self._fold), self._keys.release(arena, self._fold)]
        await self._tell_stopped(keys=keys if answers else keys[:2], args=arguments)
        if stopped:
            await self._redis.sadd(self._keys.arenas, arena)  # it may never have been published

    async def is_released(self, arena: str) -> bool:
        """Whether the operator has requested to retry an arena."""
        try:
            return bool(await self._redis.hgetall(self._keys.release(arena, self._fold)))
        except ResponseError as error:
            if not is_foreign(error):
                raise
            return False

    def _state(self, arena: str) -> str:
        return self._keys.state(arena, self._fold)


def _fields(answer: Mapping[bytes | str, bytes | str]) -> dict[str, bytes]:
    return {_bytes(name).decode("utf-8", "replace"): _bytes(value) for name, value in answer.items()}


def _bytes(value: bytes | str) -> bytes:
    """Narrow the type: the client may return text by its annotations, but this one returns bytes."""
    return value if isinstance(value, bytes) else value.encode()


async def forget(redis: Redis, keys: Keys, fold: str, arenas: Sequence[str], partitions: int) -> None:
    """Delete the saved states, so that the fold refolds the ledger; the current owner is fenced off and restarts."""
    store = FoldStore(redis, keys, fold)
    for partition in range(partitions):
        await redis.delete(keys.partition(partition, fold))
    for arena in arenas:
        await redis.delete(keys.state(arena, fold))
        await store.claim(arena)
