"""History is read when it is asked for, once for many who ask, and laid out by the contract."""

import asyncio

import numpy as np
import pytest

import services.board.history_cache
from streams.contracts.history_wire import VERSION, RatingsTier, counts, encode_history, floats
from tests.support.eventually import eventually_async

from .conftest import TestBoard

ARENA = "/v1/arenas/text/history"


def tier(first: float, model: str = "ash") -> bytes:
    """Two samples of two models."""
    rating = [np.array([first, 990.0]), np.array([first + 1, 989.0])]
    half, battles = [np.array([5.0, 6.0])] * 2, [np.array([10, 10]), np.array([30, 20])]
    times, shape = [86_400, 172_800], ("text", "overall", "day", 86_400)
    columns = (floats(rating), floats(half), counts(battles))
    return encode_history(RatingsTier(VERSION, *shape, [model, "birch"], times, [1, 2], [10, 25], [2, 2], *columns))


async def test_a_model_has_its_history_and_the_arena_that_of_its_first(running: TestBoard) -> None:
    running.source.parts = {"day": tier(1010.0)}
    found = (await running.get(f"{ARENA}?model=ash")).json()
    assert (found["model"], found["board"]) == ("ash", "overall")
    assert found["tiers"]["day"]["rating"] == [1010.0, 1011.0]
    assert found["tiers"]["day"]["upper"] == [1015.0, 1016.0]
    found = (await running.get(f"{ARENA}?top=1")).json()
    assert [curve["model"] for curve in found["tiers"]["day"]["models"]] == ["ash"]
    assert (await running.get(f"{ARENA}?model=oak")).status_code == 404


async def test_those_who_ask_together_wait_for_one_reading(running: TestBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    read, reads = running.source.history, 0

    async def slow(arena: str) -> dict[str, bytes | None]:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return await read(arena)

    monkeypatch.setattr(running.source, "history", slow)
    running.source.parts = {"day": tier(1010.0)}
    answers = await asyncio.gather(*(running.get(ARENA) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert reads == 1


async def test_it_is_read_again_after_a_while_and_without_redis_the_last_one_stays(
    running: TestBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.source.parts = {"day": tier(1010.0)}
    await running.get(f"{ARENA}?model=ash")
    monkeypatch.setattr(services.board.history_cache, "HELD_SECONDS", 0.0)
    running.source.parts = {"day": tier(1020.0)}
    assert (await running.get(f"{ARENA}?model=ash")).json()["tiers"]["day"]["rating"][0] == 1020.0
    await running.lose_redis()
    answer = await running.get(f"{ARENA}?model=ash")
    assert answer.json()["tiers"]["day"]["rating"][0] == 1020.0
    assert "age" in answer.headers
    assert (await running.get(f"{ARENA}?model=birch")).status_code == 503
    running.source.away = False
    await eventually_async(lambda: running.views.gone_since is None)


async def test_history_that_cannot_be_read_is_503(running: TestBoard) -> None:
    running.source.parts = {"day": b"\x00garbage"}
    answer = await running.get(ARENA)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "unavailable")
