"""What a refold removes from Redis in the end: what was there before and is not in the ledger, and nothing else."""

import math
from typing import Any

import pytest

from streams.fairness.stage import FairnessStage
from streams.fold.partition import ArenaFenced
from streams.fold.redis_store import FoldStore, WriteResult
from streams.fold.runner import FoldStage
from streams.ratings.stage import RatingsStage
from tests.unit.folds.stages import KEYS, DirectRedis, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def publish(world: World, arena: str, *names: str) -> tuple[FoldStore, int]:
    """Publish boards as an owner."""
    store = FoldStore(world.redis, KEYS, "ratings")
    epoch = await store.claim(arena)
    texts = {KEYS.board(arena, name): b"{}" for name in names}
    assert await store.publish(arena, epoch, texts, {}, names) is WriteResult.DONE
    return store, epoch


async def test_views_of_another_ledger_go(world: World) -> None:
    await publish(world, "old", "overall")
    await publish(world, "text", "overall", "language:fr")
    world.ledger.add("text", first=0)
    fold = await world.take_over()
    assert world.listed() == {"old", "text"}
    await world.fold(fold)
    assert world.listed() == {"text"}
    assert world.listed(KEYS.boards("text")) == {"overall"}
    assert world.board("text").votes == 1
    left = {key for key in world.server.data if b"old" in key}
    assert left == {KEYS.state("old", "ratings").encode()}
    assert set(world.server.data[left.pop()]) == {b"epoch", b"serial"}


async def test_an_owner_that_was_frozen_before_its_sweep_removes_nothing_of_the_next_one(world: World) -> None:
    world.ledger.add("text", first=0)
    frozen = await world.take_over()
    frozen._retry_at = math.inf  # it folds, and is frozen before it does what is due
    await world.fold(frozen)
    world.ledger.add("vision", first=1)
    owner = await world.take_over()
    await world.fold(owner)
    assert world.board("vision").votes == 1
    frozen._retry_at = 0.0
    with pytest.raises(ArenaFenced):
        await world.fold(frozen, 1)
    assert world.board("vision").votes == 1
    assert world.listed() == {"text", "vision"}
    world.ledger.add("vision", first=2)
    await world.fold(owner)  # and it was not fenced off
    assert world.board("vision").votes == 2


async def test_a_leftover_that_the_next_owner_claimed_is_that_owners(world: World) -> None:
    await publish(world, "vision", "overall")
    world.ledger.add("text", first=0)
    frozen = await world.take_over()
    frozen._retry_at = math.inf
    await world.fold(frozen)
    world.ledger.add("vision", first=1)
    owner = await world.take_over()
    await world.fold(owner)
    frozen._retry_at = 0.0
    with pytest.raises(ArenaFenced):
        await world.fold(frozen, 1)
    assert world.board("vision").votes == 1
    assert world.listed() == {"text", "vision"}


@pytest.mark.parametrize("kind", [RatingsStage, FairnessStage])
async def test_what_was_listed_behind_the_end_of_the_refold_stays(world: World, kind: type[FoldStage[Any]]) -> None:
    world.ledger.add("text", first=0)
    fold = await world.take_over(kind)
    await world.redis.sadd(KEYS.arenas, "vision")  # the other fold is further on
    await world.redis.set(KEYS.fairness("vision"), "{}")
    fold._partitions[0].reached = 1
    await fold._sweep_all()
    assert world.listed() == {"vision"}
    assert KEYS.fairness("vision").encode() in world.server.data
    assert KEYS.state("vision", fold.name).encode() not in world.server.data


async def test_a_board_is_not_pruned_before_its_arena_may_be_published(world: World) -> None:
    """The owner before went on after our take-over, until we met the arena and claimed it."""
    world.ledger.add("text", first=0)
    fold = await world.take_over()
    world.ledger.add("text", first=1, language="fr")
    await publish(world, "text", "overall", "language:fr")
    fold._partitions[0].unswept["text"] = 0  # it was listed before, too
    await world.fold(fold, 1)
    assert world.listed(KEYS.boards("text")) == {"overall", "language:fr"}
    await world.fold(fold)
    assert world.board("text", "language:fr").votes == 1
    assert fold._partitions[0].unswept == {}


# --- the store --------------------------------------------------------------------------------------------------------


async def test_a_withdrawal_whose_answer_was_lost_is_done_again(world: World) -> None:
    _, epoch = await publish(world, "text", "overall")
    store = FoldStore(world.redis, KEYS, "ratings")
    assert await store.withdraw("text", epoch, [KEYS.board("text", "overall")]) is WriteResult.DONE
    assert world.board("text") is None
    await store.forget_arena("text", epoch, await store.board_views("text"))
    assert world.listed() == set()


async def test_who_owned_a_withdrawn_arena_writes_no_more(world: World) -> None:
    store, epoch = await publish(world, "text", "overall")
    await FoldStore(world.redis, KEYS, "ratings").forget_arena("text", epoch, [KEYS.boards("text")])
    assert await store.publish("text", epoch, {KEYS.board("text", "overall"): b"{}"}, {}) is WriteResult.REFUSED
    assert await store.save("text", epoch, {}, whole=True) is WriteResult.REFUSED
    assert await store.claim("text") > epoch


async def test_an_arena_that_is_claimed_while_it_is_struck_off_is_listed(world: World) -> None:
    class Slow(DirectRedis):
        """Another owner claims and publishes right before the list is changed."""

        async def srem(self, key: str, arena: str) -> None:
            await publish(world, arena, "overall")
            await world.redis.srem(key, arena)

    _, epoch = await publish(world, "text", "overall")
    slow: Any = Slow(world.server)
    await FoldStore(slow, KEYS, "ratings").forget_arena("text", epoch, [KEYS.boards("text")])
    assert world.listed() == {"text"}
    assert world.listed(KEYS.boards("text")) == {"overall"}
