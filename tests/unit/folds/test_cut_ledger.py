"""A ledger whose first records are gone: saved states continue, and nothing is folded from the rest."""

from typing import Any

import pytest

from tests.unit.folds.stages import KEYS, World

PARTITION = "ledger/0"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def stopped(fold: Any) -> set[str]:
    """Arenas and partitions that the gauge names."""
    [family] = fold._metrics.stopped.collect()
    return {sample.labels["arena"] for sample in family.samples if sample.value == 1}


def without_fence(value: Any) -> Any:
    """A state without what a claim changes."""
    return {key: value[key] for key in value.keys() - {b"epoch", b"serial"}} if isinstance(value, dict) else value


def lose_listing(world: World) -> None:
    del world.server.data[KEYS.partition(0, "ratings").encode()]


async def folded(world: World, *arenas: str) -> Any:
    """Fold one vote of each, and save."""
    for number, arena in enumerate(arenas):
        world.ledger.add(arena, first=number)
    fold = await world.take_over()
    await world.fold(fold)
    await fold.revoked(fold._log)
    return fold


async def test_a_saved_state_needs_nothing_of_what_is_gone(world: World) -> None:
    await folded(world, "text", "vision", "text")
    world.ledger.first = 2
    fold = await world.take_over()
    world.ledger.add("text", first=3)
    await world.fold(fold)
    assert world.board("text").votes == 3
    assert stopped(fold) == set()


@pytest.mark.parametrize("first", [1, 3], ids=["a part", "all"])
async def test_without_a_state_nothing_of_the_partition_is_folded(world: World, first: int) -> None:
    await folded(world, "text", "vision", "text")
    before = dict(world.server.data)
    lose_listing(world)
    world.ledger.first = first
    for _ in range(2):  # the next owner meets it again
        fold = await world.take_over()
        assert stopped(fold) == {PARTITION}
        world.ledger.add("text", first=len(world.ledger.records))
        await world.fold(fold)
        await fold.revoked(fold._log)
        assert world.board("text").votes == 2
        assert world.listed() == {"text", "vision"}, "nothing is swept away"
        assert KEYS.partition(0, "ratings").encode() not in world.server.data, "no listing vouches for it"
        assert {at: each.whole for at, each in fold._shown().items()} == {0: first}, "it is not told to be shown"
        assert stopped(fold) == set(), "the next owner tells"
    [refolds] = fold._metrics.refolds.collect()
    assert not [sample for sample in refolds.samples if sample.value], "it is no refold"
    views = {key: value for key, value in before.items() if b":board:" in key}
    assert views.items() <= world.server.data.items()


async def test_a_damaged_state_stops_its_arena_alone(world: World) -> None:
    await folded(world, "text", "vision", "text")
    state: Any = world.server.data[KEYS.state("vision", "ratings").encode()]
    state.update(dict.fromkeys(set(state) - {b"epoch", b"serial"}, b"damaged"))
    world.ledger.first = 2
    fold = await world.take_over()
    assert stopped(fold) == {"vision"}
    for arena in ("vision", "text"):
        world.ledger.add(arena, first=len(world.ledger.records))
    await world.fold(fold)
    assert world.board("text").votes == 3
    assert world.board("vision").votes == 1


async def test_an_arena_that_stopped_before_the_cut_holds_up_no_other(world: World) -> None:
    fold = await folded(world, "vision")
    fold = await world.take_over()
    fold._stops.stop(fold._arenas["vision"], "something of it cannot be folded")
    for number in (1, 2, 3):
        world.ledger.add("text", first=number)
    await world.fold(fold)
    await fold.revoked(fold._log)
    world.ledger.first = 3
    fold = await world.take_over()
    assert stopped(fold) == {"vision"}
    assert "ends at offset 1" in fold._arenas["vision"].stopped
    world.ledger.add("text", first=4)
    await world.fold(fold)
    assert world.board("text").votes == 4
    assert world.board("vision").votes == 1


async def test_a_whole_ledger_is_folded_anew(world: World) -> None:
    await folded(world, "text", "vision")
    lose_listing(world)
    fold = await world.take_over()
    await world.fold(fold)
    assert stopped(fold) == set()
    assert world.board("text").votes == 1


async def test_where_nobody_can_tell_whether_it_is_the_same_ledger_what_was_saved_stays(world: World) -> None:
    """A refold would write over it, and stop at the same batch."""
    await folded(world, "text", "vision")
    keys = [KEYS.partition(0, "ratings"), KEYS.state("text", "ratings"), KEYS.state("vision", "ratings")]
    saved = [without_fence(world.server.data[key.encode()]) for key in keys]
    world.ledger.broken = True
    fold = await world.take_over()
    assert stopped(fold) == {PARTITION, "text", "vision"}
    world.ledger.add("text", first=2)
    await world.fold(fold)
    await fold.revoked(fold._log)
    assert world.board("text").votes == 1
    assert [without_fence(world.server.data[key.encode()]) for key in keys] == saved
    world.ledger.broken = False
    fold = await world.take_over()
    await world.fold(fold)
    assert stopped(fold) == set()
    assert world.board("text").votes == 2
