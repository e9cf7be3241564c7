"""Slow boards are solved outside the event loop: no other arena waits, and the published boards are the same."""

from typing import Any

import pytest
from msgspec.structs import replace

import streams.ratings.stage
from streams.contracts.shown import Shown
from streams.ratings.publish import answer, make_board
from tests.support.eventually import eventually_async
from tests.unit.folds.stages import LEDGER, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Every refresh takes long."""
    monkeypatch.setattr(streams.ratings.stage, "SLOW_SECONDS", -1.0)
    monkeypatch.setattr(streams.ratings.stage, "SLOW_ALONE_SECONDS", -1.0)
    return World(monkeypatch)


class Gate:
    """Holds the thread until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.open, self.error = False, False
        monkeypatch.setattr(streams.ratings.stage, "answer", self)

    def __call__(self, question: Any, **more: Any) -> Any:
        import time

        self.asked.append(f"{question.arena}/{question.board}")
        while not self.open:
            time.sleep(0.001)
        if self.error:
            raise ArithmeticError("for this test")
        return answer(question, **more)


async def settled(world: World, fold: Any) -> None:
    """Give the fold its turns until all is published."""

    async def done() -> bool:
        fold._retry_at = 0.0
        await world.fold(fold)
        return not any(each.unpublished or each.solving for each in fold._arenas.values())

    await eventually_async(done)


def is_right(world: World, fold: Any, arena: str = "text", name: str = "overall") -> bool:
    state, shown = fold._arenas[arena].state, world.board(arena, name)
    return shown is not None and shown.models == make_board(state, name)[0].models


async def test_a_slow_arena_is_solved_in_the_thread_and_publishes_the_same(world: World) -> None:
    for at in range(5):
        world.ledger.add("text", first=at, language="en" if at % 2 else "de", at=at + 1)
    fold = await world.take_over()
    await settled(world, fold)
    world.ledger.add("text", first=5, language="en", at=9)
    await settled(world, fold)
    assert fold._arenas["text"].slow
    assert all(is_right(world, fold, name=name) for name in ("overall", "language:en", "language:de"))


async def test_what_comes_meanwhile_is_folded_and_published_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, arena in enumerate(("text", "vision")):
        world.ledger.add(arena, first=at)
    fold = await world.take_over()
    await world.fold(fold)
    text, vision = fold._arenas["text"], fold._arenas["vision"]
    monkeypatch.setattr(streams.ratings.stage, "SLOW_SECONDS", 60.0)
    text.slow, vision.slow = True, False
    gate = Gate(monkeypatch)
    world.ledger.add("text", first=2, at=5)
    await world.fold(fold)
    first, before = text.solving, world.board("text")
    assert first is not None
    world.ledger.add("text", first=3, at=6)
    world.ledger.add("vision", first=4, at=6)
    text.due = vision.due = 0.0
    await world.fold(fold)
    assert (text.solving, text.unpublished) == (first, {"overall"})
    assert world.board("text") == before
    assert is_right(world, fold, "vision")
    assert fold._shown()[0].behind == {"text": 2}, "what came since is on no board of text, and of text alone"
    gate.open = True
    await settled(world, fold)
    assert is_right(world, fold)
    assert (len(gate.asked), fold._shown()) == (1, {0: Shown(5)}), "the second one was quick"


async def test_boards_that_redis_does_not_take_are_offered_again_without_being_solved_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    gate.open = True
    world.ledger.add("text", first=0)
    fold = await world.take_over()
    await world.fold(fold)
    fold._arenas["text"].slow, fold._arenas["text"].unpublished = True, {"overall"}
    fold._arenas["text"].due = 0.0
    await world.fold(fold)
    await eventually_async(lambda: fold._arenas["text"].solving.solved.done())
    world.server.away = True
    for _ in range(3):
        fold._retry_at = 0.0
        await world.fold(fold)
    assert fold._arenas["text"].solving is not None
    world.server.away = False
    await settled(world, fold)
    assert is_right(world, fold)
    assert len(gate.asked) == 1


async def test_a_board_that_cannot_be_solved_stops_its_arena_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    gate.open = gate.error = True
    for at, arena in enumerate(("text", "vision")):
        world.ledger.add(arena, first=at)
    fold = await world.take_over()
    await world.fold(fold)
    for arena in fold._arenas.values():
        arena.slow, arena.unpublished, arena.due = arena.name == "text", {"overall"}, 0.0
        arena.solving = None
    await world.fold(fold)
    await eventually_async(lambda: fold._arenas["text"].solving is None or fold._arenas["text"].solving.solved.done())
    gate.error = False
    fold._arenas["vision"].due = 0.0
    await world.fold(fold)
    assert "for this test" in fold._arenas["text"].stopped
    assert not fold._arenas["vision"].stopped


async def test_a_fold_that_lets_go_does_not_wait_for_the_thread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    for at in range(3):
        world.ledger.add("text", first=at, language=f"l{at}", at=at + 1)
    fold = await world.take_over()
    await world.fold(fold)
    fold._arenas["text"].slow, fold._arenas["text"].due = True, 0.0
    fold._arenas["text"].unpublished = {"overall", "language:l0", "language:l1"}
    await world.fold(fold)
    solving = fold._arenas["text"].solving
    await eventually_async(lambda: bool(gate.asked))
    await fold.revoked(fold._log)
    gate.open = True
    await eventually_async(solving.solved.done)
    assert len(gate.asked) == 1, "the boards after the one under way are given up"
    after = await world.take_over()
    assert after.positions[LEDGER] == 3
    await settled(world, after)
    assert all(is_right(world, after, name=f"language:l{at}") for at in range(3))


async def test_a_large_board_is_never_solved_on_the_loop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.ratings.stage, "SLOW_ALONE_SECONDS", 60.0)
    monkeypatch.setattr(streams.ratings.stage, "LARGE_MODELS", 1)
    monkeypatch.setattr(streams.ratings.stage, "make_board", None)
    world.ledger.add("text", first=0)
    fold = await world.take_over()
    await settled(world, fold)
    assert is_right(world, fold)


async def test_arenas_take_turns_and_every_board_has_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.ratings.stage, "LARGE_MODELS", 1)
    monkeypatch.setattr(streams.ratings.stage, "SLICE_BOARDS", 2)
    gate = Gate(monkeypatch)
    gate.open = True
    for at in range(7):
        world.ledger.add("text", first=at, language=f"l{at}", at=at + 1)
    world.ledger.add("vision", first=7, at=9)
    fold = await world.take_over()

    async def asked(count: int) -> bool:
        fold._retry_at = 0.0
        if len(gate.asked) < count:
            for arena in fold._arenas.values():
                arena.due = 0.0
            world.ledger.add("text", first=20 + len(gate.asked) * 100 + len(world.ledger.records), language="l0", at=9)
            await world.fold(fold)
        return len(gate.asked) >= count

    await eventually_async(lambda: asked(9))
    first = gate.asked[:9]
    assert {name for name in first if name.startswith("text/")} == {
        "text/overall",
        *(f"text/language:l{at}" for at in range(7)),
    }
    assert "vision/overall" in first[:5], "it does not wait for all boards of the other"
    await settled(world, fold)
    assert all(is_right(world, fold, name=name) for name in ("overall", "language:l0", "language:l6"))
    assert fold._shown() == {0: Shown(len(world.ledger.records))}


async def test_what_is_not_solved_yet_is_not_said_to_be_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.ratings.stage, "LARGE_MODELS", 1)
    monkeypatch.setattr(streams.ratings.stage, "SLICE_BOARDS", 1)
    for at in range(3):
        world.ledger.add("text", first=at, language=f"l{at}", at=at + 1)
    fold = await world.take_over()
    seen: list[tuple[int, int]] = []

    async def done() -> bool:
        fold._retry_at = 0.0
        await world.fold(fold)
        arena = fold._arenas["text"]
        arena.due = 0.0
        published = {name for name in arena.state.boards if world.board("text", name) is not None}
        seen.append((len(published), fold._shown()[0].whole))
        return not arena.unpublished and not arena.solving

    await eventually_async(done, every=0.001)
    assert seen[-1] == (4, 3)
    assert all(shown == 0 for published, shown in seen if published < 4)


async def test_an_arena_that_takes_too_much_memory_is_set_aside_and_the_others_go_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for at in range(40):
        world.ledger.add("text", first=at, language=f"l{at}", at=at + 1)
    world.ledger.add("vision", first=40, at=50)
    fold = await world.take_over()
    fold._settings = replace(fold._settings, fold=replace(fold._settings.fold, arena_bytes=20_000))
    await settled_but(world, fold, "text")
    text = fold._arenas["text"]
    assert "ISONOMY_ARENA_BYTES=20000" in text.stopped
    assert not text.state.boards, "what it took is let go"
    assert is_right(world, fold, "vision")
    again = await world.take_over()  # with the limit as it was
    await settled(world, again)
    assert not again._arenas["text"].stopped
    assert is_right(world, again, name="language:l39")


async def test_beyond_the_memory_of_a_worker_the_arena_that_grows_beyond_its_part_is_set_aside(world: World) -> None:
    world.ledger.add("code", first=0)
    for at in range(1, 41):
        world.ledger.add("text", first=at, language=f"l{at}", at=at + 1)
    world.ledger.add("vision", first=41, at=50)
    fold = await world.take_over()
    fold._settings = replace(
        fold._settings, fold=replace(fold._settings.fold, worker_bytes=sum(await taken_by(world, "text", "code")) - 1)
    )
    await settled_but(world, fold, "text")
    assert "ISONOMY_WORKER_BYTES" in fold._arenas["text"].stopped
    assert fold._taken == sum(arena.taken for arena in fold._arenas.values()) > 0
    assert is_right(world, fold, "vision")
    assert is_right(world, fold, "code")
    again = await world.take_over()
    await settled(world, again)
    assert is_right(world, again, name="language:l39")


async def test_an_arena_that_grows_within_its_part_does_not_pay_for_the_largest(world: World) -> None:
    for at in range(1, 41):
        world.ledger.add("text", first=at, language=f"l{at}", at=at + 1)
    world.ledger.add("vision", first=41, at=50)
    fold = await world.take_over()
    fold._settings = replace(
        fold._settings, fold=replace(fold._settings.fold, worker_bytes=sum(await taken_by(world, "text")) + 1)
    )
    await settled_but(world, fold, "text")
    assert "ISONOMY_WORKER_BYTES" in fold._arenas["text"].stopped
    assert is_right(world, fold, "vision")


async def test_states_that_take_too_much_together_are_not_all_loaded(world: World) -> None:
    for name in ("code", "text"):
        for at in range(20):
            world.ledger.add(name, first=len(world.ledger.records), language=f"l{at}", at=at + 1)
    fold = await world.take_over()
    await settled(world, fold)
    fold._next_snapshot = 0.0
    await settled(world, fold)
    taken = {name: arena.taken for name, arena in fold._arenas.items()}
    await fold._save_all()
    fold._settings = replace(fold._settings, fold=replace(fold._settings.fold, worker_bytes=sum(taken.values()) - 1))
    await fold.assigned(fold._log, [LEDGER])
    assert [bool(arena.stopped) for arena in fold._arenas.values()] == [False, True]
    assert fold._taken == sum(arena.taken for arena in fold._arenas.values()) < sum(taken.values()) - 1


async def taken_by(world: World, *arenas: str) -> list[int]:
    """Bytes that arenas take when all of them is folded, in another world."""
    other = await world.take_over()
    await settled(world, other)
    world.server.data.clear()
    return [other._arenas[name].taken for name in arenas]


async def settled_but(world: World, fold: Any, stopped: str) -> None:
    """Give the fold its turns until all is published but what is stopped."""

    async def done() -> bool:
        fold._retry_at = 0.0
        await world.fold(fold)
        others = [each for name, each in fold._arenas.items() if name != stopped]
        return bool(others) and not any(each.unpublished or each.solving for each in others)

    await eventually_async(done)
