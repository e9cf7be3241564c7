"""Where a fold keeps its state and publishes its views: Redis, fenced by an epoch.

An owner claims an arena and gets an epoch, larger than any before, from Redis's own clock, so that it grows even when
Redis lost everything. Every write names its epoch and is refused when a later owner has claimed: a process that was
frozen and wakes cannot write back. Scripts make each write one step: a reader never sees half of it.

Every write also has a serial. A Redis that comes back with an older state, after a failover for instance, holds a
smaller one than was acknowledged, and that is how the owner learns that writes are lost. A write that its owner gave
up, because Redis stood still, may reach Redis after the one that was sent in its place: its serial is the smaller one,
and it is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from enum import Enum

from redis.asyncio import Redis

from streams.contracts.history import TIERS
from streams.contracts.keys import Keys

_CLAIM = """
local now = redis.call('TIME')
local epoch = tonumber(now[1]) * 1000000 + tonumber(now[2])
local held = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0)
if epoch <= held then epoch = held + 1 end
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch), 'serial', '0')
return string.format('%.0f', epoch)
"""

# Each of the next begins with the fence. ARGV: epoch, the serial of the owner's last write, and that of this one.
# 0: refused. 2: the state is gone, or older than that (or an older owner wrote after it was gone).
_FENCE = """
local held = redis.call('HMGET', KEYS[1], 'epoch', 'serial')
local epoch, serial = tonumber(held[1] or 0), tonumber(held[2] or 0)
if epoch > tonumber(ARGV[1]) then return 0 end
local lost = epoch < tonumber(ARGV[1]) or serial < tonumber(ARGV[2])
"""
_UNLESS_LOST = _FENCE + "if lost then return 2 end\n"
# A write that its owner gave up may be done by a Redis that wakes after all, and after the next one: it must not be.
_COUNT = """
if not lost and serial >= tonumber(ARGV[3]) then return 1 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'serial', ARGV[3])
"""

_CHECK = _UNLESS_LOST + "return 1"

# ARGV, further: 1 if the fields are all of the state, then field and value in turns. Only a whole state may follow a
# loss, and it sets the epoch too; a part of one would hide the loss, and be no state.
_SAVE = (
    _FENCE
    + "if lost and ARGV[4] == '0' then return 2 end\n"
    + _COUNT
    + """
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
"""
)

# KEYS: state, set of names, one key per text; ARGV, further: channel, message, number of names, names, texts.
_PUBLISH = (
    _UNLESS_LOST
    + _COUNT
    + """
local names = tonumber(ARGV[6])
for i = 7, 6 + names do redis.call('SADD', KEYS[2], ARGV[i]) end
for i = 3, #KEYS do redis.call('SET', KEYS[i], ARGV[4 + names + i]) end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
"""
)

# KEYS: state, set of names, one key per board; ARGV, further: the boards' names.
_PRUNE = (
    _UNLESS_LOST
    + _COUNT
    + """
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
for i = 4, #ARGV do redis.call('SREM', KEYS[2], ARGV[i]) end
return 1
"""
)


class Outcome(Enum):
    """What became of a fenced write."""

    REFUSED = 0
    DONE = 1
    LOST = 2
    """Redis no longer holds this owner's state, or an older one: write all of it again."""


class Store:
    """A fold's side of Redis.

    Parameters
    ----------
    redis
        A client that returns bytes.
    keys
        Names.
    fold
        Whose state.
    """

    def __init__(self, redis: Redis, keys: Keys, fold: str) -> None:
        self._redis, self._keys, self._fold = redis, keys, fold
        self._claim = redis.register_script(_CLAIM)
        self._check = redis.register_script(_CHECK)
        self._save = redis.register_script(_SAVE)
        self._publish = redis.register_script(_PUBLISH)
        self._prune = redis.register_script(_PRUNE)
        self._serials: dict[str, int] = {}
        """Of each arena, the serial of the last write that Redis acknowledged."""
        self._begun: dict[str, int] = {}
        """Of each arena, the serial of the last write that was begun."""

    async def claim(self, arena: str) -> int:
        """Become the arena's owner; returns the epoch."""
        epoch = int(await self._claim(keys=[self._state(arena)]))
        self._serials[arena] = self._begun[arena] = 0
        return epoch

    async def load(self, arena: str) -> dict[str, bytes]:
        """Fields of the saved state; empty when there is none."""
        fields = await self._redis.hgetall(self._state(arena))
        return {_bytes(name).decode("utf-8", "replace"): _bytes(value) for name, value in fields.items()}

    async def check(self, arena: str, epoch: int) -> Outcome:
        """Ask whether the arena is still this owner's, and what it wrote still there."""
        return Outcome(await self._check(keys=[self._state(arena)], args=[epoch, self._serials[arena]]))

    async def save(self, arena: str, epoch: int, fields: Mapping[str, bytes], *, whole: bool) -> Outcome:
        """Write fields of the state, all in one step; `whole` when they are all of it, as they must be after a loss."""
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
    ) -> Outcome:
        """Write texts by key, all in one step, and tell subscribers; the list of arenas is kept beside.

        Parameters
        ----------
        texts
            Redis key to value, all keys of this arena.
        message
            What subscribers of the arena's channel get.
        boards
            Names to add to the arena's set of boards.
        """
        keys = [self._state(arena), self._keys.boards(arena), *texts]
        arguments = self._next(arena, epoch)
        arguments += [self._keys.changed(arena), json.dumps(message), len(boards), *boards, *texts.values()]
        serial = self._begun[arena]
        outcome = self._counted(arena, serial, await self._publish(keys=keys, args=arguments))
        if outcome is Outcome.DONE:
            await self._redis.sadd(self._keys.arenas, arena)  # another slot in a cluster: beside the script, not in it
        return outcome

    def _next(self, arena: str, epoch: int) -> list[str | int | bytes]:
        """What every write begins with; each has a serial of its own, whatever becomes of it."""
        self._begun[arena] += 1
        return [epoch, self._serials[arena], self._begun[arena]]

    def _counted(self, arena: str, serial: int, answer: int) -> Outcome:
        outcome = Outcome(answer)
        if outcome is Outcome.DONE:
            self._serials[arena] = serial
        return outcome

    async def arenas(self) -> list[str]:
        """List the arenas that have views."""
        return sorted(_bytes(name).decode() for name in await self._redis.smembers(self._keys.arenas))

    async def prune(self, arena: str, epoch: int, keep: Set[str]) -> Outcome:
        """Remove boards that the owner of an arena does not have; who owned it before removes nothing of its owner's.

        An arena of which only models are declared has an owner and no board.
        """
        names = [_bytes(name).decode() for name in await self._redis.smembers(self._keys.boards(arena))]
        gone = [name for name in names if name not in keep]
        if not gone:
            return Outcome.DONE
        keys = [self._state(arena), self._keys.boards(arena), *(self._keys.board(arena, name) for name in gone)]
        arguments = [*self._next(arena, epoch), *gone]
        serial = self._begun[arena]
        return self._counted(arena, serial, await self._prune(keys=keys, args=arguments))

    async def forget_arena(self, arena: str) -> None:
        """Remove an arena that the ledger does not hold: its boards, its list and its state.

        The epoch stays, so that nobody who owned the arena before can bring them back.
        """
        names = [_bytes(name).decode() for name in await self._redis.smembers(self._keys.boards(arena))]
        views = [self._keys.boards(arena), *(self._keys.board(arena, name) for name in names)]
        await self.withdraw(arena, [*views, *(self._keys.history(arena, tier.name) for tier in TIERS)])
        await self._redis.srem(self._keys.arenas, arena)

    async def withdraw(self, arena: str, views: Sequence[str]) -> None:
        """Remove an arena's views and this fold's state of it, all but the epoch."""
        epoch = await self.claim(arena)
        async with self._redis.pipeline(transaction=True) as together:
            together.delete(*views, self._state(arena))
            together.hset(self._state(arena), mapping={"epoch": str(epoch), "serial": "0"})
            await together.execute()

    async def list_partition(self, partition: int) -> bytes | None:
        """What was saved of a ledger partition."""
        found = await self._redis.get(self._keys.partition(partition, self._fold))
        return None if found is None else _bytes(found)

    async def save_partition(self, partition: int, listing: bytes) -> None:
        """Save what is known of a ledger partition."""
        await self._redis.set(self._keys.partition(partition, self._fold), listing)

    async def save_shown(self, partition: int, position: int) -> None:
        """Say up to where a ledger partition is on the boards."""
        await self._redis.set(self._keys.shown(partition), position)

    def _state(self, arena: str) -> str:
        return self._keys.state(arena, self._fold)


def _bytes(value: bytes | str) -> bytes:
    """The client's type allows text; ours returns bytes."""
    return value if isinstance(value, bytes) else value.encode()


async def forget(redis: Redis, keys: Keys, fold: str, arenas: Sequence[str], partitions: int) -> None:
    """Drop the saved states, so that the fold refolds the ledger; its present owner is fenced off and starts again."""
    store = Store(redis, keys, fold)
    for partition in range(partitions):
        await redis.delete(keys.partition(partition, fold))
    for arena in arenas:
        await redis.delete(keys.state(arena, fold))
        await store.claim(arena)
