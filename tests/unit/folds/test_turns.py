"""What a fold does each turn: in which order, from where on, and what it does again."""

import math
import time
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaError

import streams.fairness.stage
from streams.contracts.alert import Alert, Kind, Severity, Status, Subject, decode_alert
from streams.fairness.stage import FairnessStage
from streams.kafka.fetch import Rebalanced
from tests.unit.folds.making import everything
from tests.unit.folds.stages import KEYS, LEDGER, World

ALERT = Alert(
    id="f-1",
    fingerprint="f",
    arena="text",
    kind=Kind.SILENT_REMOVAL,
    severity=Severity.CRITICAL,
    status=Status.FIRING,
    subject=Subject(model="x"),
    starts_at=1.0,
    detected_at=2.0,
    summary="x is gone.",
    evidence={},
    runbook_url="",
    version=1,
)


class Told:
    """A producer of alerts."""

    def __init__(self) -> None:
        self.arenas: list[str] = []
        self.away = False

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes) -> None:
        if self.away:
            raise KafkaError("away")
        self.arenas.append(decode_alert(value).arena)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
async def watched(world: World) -> Any:
    """A fairness fold of three arenas, each with an unpublished alert, while Redis is away."""
    for at, arena in enumerate(("code", "text", "vision")):
        world.ledger.add(arena, first=at)
    fold = await world.take_over(FairnessStage)
    fold._producer = Told()
    await world.fold(fold)
    for arena in fold._arenas.values():
        arena.outbox.append(msgspec.structs.replace(ALERT, arena=arena.name))
        arena.unpublished, arena.due = True, 0.0
    world.server.away = True
    return fold


# --- alerts -----------------------------------------------------------------------------------------------------------


async def test_alerts_of_every_arena_are_told_while_redis_is_away(world: World, watched: Any) -> None:
    watched._partitions[0].unswept["old"] = 0  # a sweep is due, too
    await world.fold(watched)
    assert watched._producer.arenas == ["code", "text", "vision"]
    assert [arena.outbox for arena in watched._arenas.values()] == [[], [], []]
    world.server.away, watched._retry_at = False, 0.0
    await world.fold(watched)
    assert watched._producer.arenas == ["code", "text", "vision"]  # once
    assert not any(arena.unpublished for arena in watched._arenas.values())


async def test_alerts_that_must_not_be_told_yet_are_not(world: World, watched: Any) -> None:
    watched._arenas["code"].quiet_until = 4
    watched._arenas["vision"].stopped = "for a test"
    await world.fold(watched)
    assert watched._producer.arenas == ["text"]
    watched._partitions[0].quiet_until = 4
    watched._arenas["text"].outbox.append(ALERT)
    watched._retry_at = 0.0
    await world.fold(watched)
    assert watched._producer.arenas == ["text"]


async def test_silence_is_told_of_every_arena_while_redis_is_away(
    world: World, watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        streams.fairness.stage,
        "tell_silence",
        lambda state, known, now: None if known else msgspec.structs.replace(ALERT, arena=state.arena),
    )
    watched._last_batch = time.monotonic() - 60
    for arena in watched._arenas.values():
        arena.outbox.clear()
    await world.fold(watched)
    assert watched._producer.arenas == ["code", "text", "vision"]


async def test_alerts_are_told_when_the_partitions_go_while_redis_is_away(world: World, watched: Any) -> None:
    await watched.revoked(watched._log)
    assert watched._producer.arenas == ["code", "text", "vision"]


async def test_an_arena_whose_alert_cannot_be_written_stops_alone(
    world: World, watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched._arenas["code"].outbox[:] = [None]
    await world.fold(watched)
    assert watched._producer.arenas == ["text", "vision"]
    assert [arena.name for arena in watched._arenas.values() if arena.stopped] == ["code"]


async def test_kafka_away_is_no_arenas_trouble(world: World, watched: Any) -> None:
    watched._producer.away = True
    with pytest.raises(KafkaError):
        await world.fold(watched)
    assert [len(arena.outbox) for arena in watched._arenas.values()] == [1, 1, 1]


# --- positions and saves ----------------------------------------------------------------------------------------------


async def test_a_board_of_a_quiet_arena_does_not_go_back_in_the_ledger_after_a_refold(world: World) -> None:
    world.ledger.add("text", first=0)
    for at in range(1, 4):
        world.ledger.add("vision", first=at)
    fold = await world.take_over()
    await world.fold(fold)
    world.server.data.clear()
    fold._next_check = 0.0
    await world.fold(fold)  # all of it is written again, from a state that was saved further on
    await world.fold(fold)
    before = world.board("text")
    del world.server.data[KEYS.partition(0, "ratings").encode()]
    again = await world.take_over()
    await world.fold(again)
    after = world.board("text")
    assert (after.votes, after.position) == (before.votes, before.position)
    assert after.position.ledger == 4


async def test_a_position_goes_no_further_than_what_is_folded(world: World) -> None:
    world.ledger.add("text", first=0)
    fold = await world.take_over()
    await world.fold(fold)
    world.ledger.add("vision", first=1)
    world.ledger.add("text", first=2)
    fold._arenas["text"].unpublished.add("overall")
    await world.fold(fold, 2)
    assert (world.board("text").votes, world.board("text").position.ledger) == (1, 2)
    await world.fold(fold)
    assert (world.board("text").votes, world.board("text").position.ledger) == (2, 3)


async def test_a_state_whose_save_was_refused_is_whole_after_the_next_one(world: World) -> None:
    began = int(time.time()) // 300 * 300 - 600
    world.ledger.add("text", first=0, at=began + 1)
    fold = await world.take_over()
    await world.fold(fold)
    world.ledger.add("text", first=1, at=began + 200)
    world.ledger.add("text", first=2, at=began + 301, language="en")  # the first tier of the history grows
    fold._arenas["text"].due = math.inf  # the save, not the board, is what is refused
    world.server.full, fold._next_snapshot, fold._retry_at = True, 0.0, 0.0
    await world.fold(fold)
    world.server.full, fold._next_snapshot, fold._retry_at = False, 0.0, 0.0
    await world.fold(fold)
    again = await world.take_over()
    assert again._partitions[0].refold_until == 0
    states = [each._arenas["text"].state for each in (fold, again)]
    assert everything(states[1]) == everything(states[0])
    assert any(states[0].history.samples.values())
    assert again._arenas["text"].state.boards.keys() == {"overall", "language:en"}


async def test_the_listing_that_redis_lost_is_written_again_though_the_arenas_save_was_not_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ledger.add("text", first=0)
    fold = await world.take_over()
    await world.fold(fold)
    world.server.data.clear()
    save = fold._store.save

    async def unanswered(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(fold._store, "save", save)
        await save(*arguments, **more)
        raise ConnectionError("the answer was lost")

    monkeypatch.setattr(fold._store, "save", unanswered)
    fold._next_check = 0.0
    await world.fold(fold)
    fold._retry_at = fold._next_check = 0.0
    await world.fold(fold)
    assert KEYS.partition(0, "ratings").encode() in world.server.data
    assert world.board("text").votes == 1


async def test_a_take_over_that_waits_for_redis_gives_way_to_a_rebalance(world: World) -> None:
    """The rebalance waits for it, removes this member after a session, and the next one when this one joins again."""
    fold = await world.take_over()
    world.server.away = True
    fold._log.moving = True
    with pytest.raises(Rebalanced):
        await fold.assigned(fold._log, [LEDGER])
