"""A stopped arena is marked in Redis, delays no other arena, and is retried when the operator releases it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from streams.contracts.stopped import FOLDS as STAGES
from streams.contracts.stopped import Stopped, encode_stopped, read_stopped
from streams.fairness.stage import FairnessStage
from streams.fold.runner import FoldStage
from streams.ratings.stage import RatingsStage
from tests.unit.folds.stages import KEYS, LEDGER, World

FOLDS = (RatingsStage, FairnessStage)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def said(world: World, arena: str = "vision") -> dict[str, Stopped]:
    texts: list[Any] = [world.server.data.get(KEYS.stopped(arena, fold).encode()) for fold in STAGES]
    return read_stopped(texts)


def release(world: World, fold: Any, arena: str = "vision") -> None:
    world.server.data[KEYS.release(arena, fold.name).encode()] = {b"asked": b"7"}


async def check(fold: Any) -> None:
    """Do what is due each second."""
    fold._next_check = fold._next_shown = 0.0
    await fold.process(fold._log, {})
    if fold._log.anew:
        fold._log.anew = False
        await fold.assigned(fold._log, [LEDGER])


async def stopped(world: World, kind: type[FoldStage[Any]] = RatingsStage) -> Any:
    """A fold that has met a record of vision that it cannot fold, between two votes, and one of text."""
    world.ledger.add("vision", first=0)
    fold = await world.take_over(kind)
    await world.fold(fold)
    fold._next_snapshot = 0.0
    await check(fold)
    world.ledger.records.append(("vision", b"no ledger record"))
    world.ledger.add("vision", first=1)
    world.ledger.add("text", first=2)
    await world.fold(fold)
    await check(fold)
    return fold


@pytest.mark.parametrize("kind", FOLDS)
async def test_what_is_stopped_is_said_with_its_reason_and_what_goes_on_is_not(
    world: World, kind: type[FoldStage[Any]]
) -> None:
    fold = await stopped(world, kind)
    found = said(world)
    assert list(found) == [fold.name]
    assert "ledger/0 at offset 1 cannot be folded" in found[fold.name].why
    assert found[fold.name].since == fold._arenas["vision"].stopped_at > 1.7e9
    assert not said(world, "text")


async def test_boards_of_the_others_are_not_behind_for_a_stopped_arena(world: World) -> None:
    fold = await stopped(world)
    await check(fold)
    assert world.board("text").votes == world.board("vision").votes == 1
    assert world.server.data[KEYS.shown(0).encode()] == b"4"


async def test_an_arena_that_stops_before_it_was_ever_shown_is_listed_and_holds_up_nobody(world: World) -> None:
    world.ledger.records.append(("vision", b"no ledger record"))
    world.ledger.add("text", first=0)
    fold = await world.take_over()
    await world.fold(fold)
    await check(fold)
    assert world.server.data[KEYS.shown(0).encode()] == b"2"
    assert world.listed() == {"text", "vision"}  # or who asks for it would be told that there is none


@pytest.mark.parametrize("kind", FOLDS)
async def test_a_release_in_vain_stops_it_again_and_is_answered(world: World, kind: type[FoldStage[Any]]) -> None:
    fold = await stopped(world, kind)
    before = said(world)[fold.name]
    release(world, fold)
    await check(fold)
    await world.fold(fold)
    await check(fold)
    again = said(world)[fold.name]
    assert again.why == before.why
    assert again.since > before.since
    assert KEYS.release("vision", fold.name).encode() not in world.server.data


@pytest.mark.parametrize("kind", FOLDS)
async def test_a_release_goes_on_from_the_last_save_and_counts_each_vote_once(
    world: World, kind: type[FoldStage[Any]]
) -> None:
    fold = await stopped(world, kind)
    world.ledger.records[1] = world.ledger.records[0]  # the vote that is known already: dropped by the watermark
    release(world, fold)
    await check(fold)
    assert fold.positions[LEDGER] == 1
    assert said(world), "it goes on when it has caught up, and not before"
    await world.fold(fold)
    await check(fold)
    assert not said(world)
    assert KEYS.release("vision", fold.name).encode() not in world.server.data
    if kind is RatingsStage:
        assert world.board("vision").votes == 2
        assert world.board("text").votes == 1
    assert [sample for family in fold._metrics.stopped.collect() for sample in family.samples] == []


async def test_redis_that_lost_everything_is_told_again(world: World) -> None:
    fold = await stopped(world)
    world.server.data.clear()
    await check(fold)
    await check(fold)
    assert list(said(world)) == ["ratings"]


async def test_a_release_after_redis_lost_the_arena_is_tried_and_not_only_taken_away(world: World) -> None:
    fold = await stopped(world)
    world.server.data.clear()
    await check(fold)
    await check(fold)
    release(world, fold)
    world.ledger.records[1] = world.ledger.records[0]
    await check(fold)
    assert fold.positions[LEDGER] == 0
    await world.fold(fold)
    await check(fold)
    assert not said(world)
    assert world.board("vision").votes == 2


async def test_the_next_owner_tells_that_it_goes_on(world: World) -> None:
    await stopped(world)
    world.ledger.records[1] = world.ledger.records[0]
    fold = await world.take_over()
    await world.fold(fold)
    await check(fold)
    assert not said(world)


async def test_an_owner_that_was_fenced_off_says_nothing(world: World) -> None:
    old = await stopped(world)
    world.ledger.records[1] = world.ledger.records[0]
    fold = await world.take_over()
    await world.fold(fold)
    await check(fold)
    old._arenas["vision"].told = None
    await old._stops.tell(old._arenas["vision"], old._store, caught_up=False)
    assert not said(world)


async def test_a_key_of_another_kind_is_written_over(world: World) -> None:
    for key in (KEYS.stopped("vision", "ratings"), KEYS.release("vision", "ratings")):
        world.server.data[key.encode()] = {b"no": b"text"}
    world.server.data[KEYS.release("text", "ratings").encode()] = b"no hash"
    fold = await stopped(world)
    assert list(said(world)) == [fold.name]
    assert not await fold._store.is_released("text")


async def test_series_of_arenas_that_are_gone_go_too(world: World) -> None:
    world.ledger.add("vision", first=0)
    world.ledger.add("text", first=1)
    fold = await world.take_over()
    await world.fold(fold)
    fold._next_snapshot = 0.0
    await check(fold)

    def named() -> set[str]:
        families = list(fold._metrics.registry.collect())
        return {sample.labels["arena"] for family in families for sample in family.samples if "arena" in sample.labels}

    assert named() == {"text", "vision"}
    del world.server.data[KEYS.partition(0, "ratings").encode()]
    world.ledger.records = world.ledger.records[1:]
    await fold._take_over(fold._log, [LEDGER])
    await world.fold(fold)
    assert named() == {"text"}


@pytest.mark.parametrize("kind", FOLDS)
async def test_an_arena_that_declares_without_end_is_stopped_and_the_others_go_on(
    world: World, kind: type[FoldStage[Any]]
) -> None:
    for at in range(40):
        world.ledger.declare("vision", f"model-{at}", first=at)
    world.ledger.add("text", first=0)
    fold = await world.take_over(kind)
    fold._settings = replace(fold._settings, fold=replace(fold._settings.fold, max_declared=20))
    await world.fold(fold)
    await check(fold)
    assert "ISONOMY_MAX_DECLARED=20" in said(world)[fold.name].why
    assert not said(world, "text")
    assert fold._arenas["text"].state.position == len(world.ledger.records)


async def test_withdrawals_of_what_was_never_known_are_not_remembered(world: World) -> None:
    world.ledger.declare("vision", "real", first=0)
    for at in range(1, 40):
        world.ledger.declare("vision", f"invented-{at}", first=at, gone=True)
    world.ledger.declare("vision", "real", first=40, gone=True)
    fold = await world.take_over(FairnessStage)
    await world.fold(fold)
    facts = fold._arenas["vision"].state.scene.facts
    assert list(facts.roster.models) == ["real"]
    assert not facts.roster.registry
    assert facts.notices == 41


def test_what_somebody_else_wrote_is_no_stop() -> None:
    stop = encode_stopped(Stopped(7.0, "why"))
    assert msgspec.json.decode(stop) == {"since": 7.0, "why": "why"}
    assert read_stopped([stop, b"\xff"]) == {"ratings": Stopped(7.0, "why")}
    assert read_stopped([b'{"why":"y"}', b"[]"]) == {}
    assert read_stopped([b'{"since":1e300}', b'{"since":1,"x":' + b"[" * 5_000]) == {}
