"""New arenas are claimed together, and only those that the records' keys may rightly name."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from streams.contracts.partitioner import partitions_of
from streams.fold.redis_store import FoldStore
from tests.unit.folds.stages import KEYS, LEDGER, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was claimed together."""
    found: list[list[str]] = []
    original = FoldStore.claim_new

    async def claim_new(self: FoldStore, arenas: Sequence[str]) -> dict[str, tuple[int, dict[str, bytes]]]:
        found.append(list(arenas))
        return await original(self, arenas)

    monkeypatch.setattr(FoldStore, "claim_new", claim_new)
    return found


async def test_all_new_arenas_of_a_fetch_are_claimed_in_one_go(world: World, claims: list[list[str]]) -> None:
    fold = await world.take_over()
    names = [f"arena-{number}" for number in range(30)]
    for number, name in enumerate([*names, *names]):
        world.ledger.add(name, first=number)
    await world.fold(fold)
    for _ in names:  # each turn publishes for a twentieth of a second, and one arena at least
        await world.fold(fold)
    assert claims == [names]
    assert {world.board(name).votes for name in names} == {2}


async def test_a_key_that_lies_takes_no_arena_from_its_owner(world: World, claims: list[list[str]]) -> None:
    fold = await world.take_over()
    fold._count = 4
    other = next(name for name in ("vision", "audio", "code", "search") if partitions_of([name.encode()], 4) != [0])
    world.ledger.add("text", first=0)
    [entry] = world.ledger.entries(0, 1)
    fold._log.reached[LEDGER] = 1
    lying = SimpleNamespace(offset=0, key=other.encode(), value=entry.value)
    await fold.process(fold._log, {LEDGER: [lying]})
    assert claims == [["text"]]
    assert KEYS.state(other, "ratings").encode() not in world.server.data
    assert world.board("text").votes == 1
