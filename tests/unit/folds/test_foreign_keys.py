"""Foreign data in our keys: it counts as a loss, stops no fold, and is not taken for our own data."""

from typing import Any
from zlib import crc32

import pytest

from streams.fairness.stage import FairnessStage
from streams.fold.partition import ArenaFenced
from streams.fold.redis_store import FoldStore, WriteResult
from streams.fold.runner import FoldStage
from streams.ratings.stage import RatingsStage
from tests.unit.folds.stages import KEYS, World

DEEP = b"\x81\xa1x" + b"\x91" * 3_000 + b"\xc0"
"""MessagePack of too many arrays in one another."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize(("kind", "field"), [(RatingsStage, "meta"), (FairnessStage, "fairness")])
@pytest.mark.parametrize("packed", [DEEP, b"", b"\xc1", b"\x80"], ids=["deep", "empty", "noise", "nothing"])
async def test_a_state_that_cannot_be_read_is_damaged_whatever_reading_raises(
    world: World, kind: type[FoldStage[Any]], field: str, packed: bytes
) -> None:
    for arena in ("text", "vision"):
        world.ledger.add(arena, first=len(world.ledger.records))
    first = await world.take_over(kind)
    await world.fold(first)
    key = KEYS.state("text", first.name)
    await world.redis.hset(key, field, crc32(packed).to_bytes(4, "little") + packed)
    second = await world.take_over(kind)
    await world.fold(second)
    assert not second._arenas["text"].stopped
    assert second._position(second._arenas["text"]) == second._position(second._arenas["vision"]) == 2


async def test_a_serial_above_all_of_its_owner_ends_the_owner_who_begins_anew(world: World) -> None:
    world.ledger.add("text", first=0)
    owner = await world.take_over()
    await world.fold(owner)
    await world.redis.hset(KEYS.state("text", "ratings"), "serial", "1000000000000")
    owner._next_check = 0.0
    with pytest.raises(ArenaFenced):
        await world.fold(owner)
    world.ledger.add("text", first=1)
    await world.fold(await world.take_over())
    assert world.board("text").votes == 2


@pytest.mark.parametrize("epoch", ["9007199254740991", "4503599627370496", "inf", "nan", "-5", "9" * 5_000, "x"])
async def test_any_epoch_is_followed_by_one_that_can_write(world: World, epoch: str) -> None:
    store, key = FoldStore(world.redis, KEYS, "ratings"), KEYS.state("text", "ratings")
    await world.redis.hset(key, "epoch", epoch)
    assert await store.epoch("text") in (0, int(epoch) if len(epoch) <= 16 and epoch.isdigit() else 0)
    ours = await store.claim("text")
    assert await store.save("text", ours, {"meta": b"x"}, whole=False) is WriteResult.DONE
    assert await store.check([("text", ours, ())]) == [WriteResult.DONE]
    assert await store.save("text", ours, {"meta": b"y"}, whole=False) is WriteResult.DONE
    assert await store.claim("text") > ours


async def test_an_arena_that_one_fold_forgets_is_listed_no_more(world: World) -> None:
    world.ledger.add("vision", first=0)
    await world.redis.sadd(KEYS.arenas, "text")
    await world.redis.set(KEYS.fairness("text"), "{}")
    await world.fold(await world.take_over(FairnessStage))
    assert world.listed() == {"vision"}
    assert KEYS.fairness("text").encode() not in world.server.data
