"""A name that comes in with a request is found in whichever form it is written, and answered as it is known."""

from urllib.parse import quote

import pytest

from tests.support.eventually import eventually_async
from tests.support.views import alerts_view, board, fairness_view

from .conftest import TestBoard
from .test_history import tier

KNOWN = "caf\u00e9 9b"
WRITTEN = ["caf\u00e9 9b", "cafe\u0301 9b", " caf\u00e9\u00a0 9b", "ca\u200bfe\u0301 9b\u2060"]

WRITTEN_BOARD = "language:fu\u0308r "


@pytest.fixture
async def accented(running: TestBoard) -> TestBoard:
    german = "language:f\u00fcr"
    running.source.boards["text"] = {
        "overall": board(KNOWN, "ash", ledger=2),
        german: board(KNOWN, name=german, ledger=2),
    }
    running.source.judged["text"] = (fairness_view(KNOWN, ledger=2), alerts_view(ledger=2))
    running.source.say({"arena": "text", "boards": ["overall", german], "ledger": 2, "fairness": True})
    await eventually_async(lambda: KNOWN in running.views.arenas["text"].boards["overall"].lines)
    return running


@pytest.mark.parametrize("name", WRITTEN)
async def test_a_model_is_found_in_any_form(accented: TestBoard, name: str) -> None:
    answer = await accented.get(f"/v1/arenas/text/models/{quote(name, safe='')}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == KNOWN
    assert set(answer.json()["boards"]) == {"overall", "language:f\u00fcr"}


@pytest.mark.parametrize("query", ["", "&rating=elo", "&format=csv"])
async def test_a_board_is_found_in_any_form(accented: TestBoard, query: str) -> None:
    known, other = [
        await accented.get(f"/v1/arenas/text/leaderboard?board={quote(each)}{query}")
        for each in ("language:f\u00fcr", WRITTEN_BOARD)
    ]
    assert (known.status_code, other.status_code) == (200, 200)
    assert known.content == other.content
    history = await accented.get(f"/v1/arenas/text/history?board={quote(WRITTEN_BOARD)}")
    assert history.status_code == 200


async def test_the_history_of_a_model_is_found_in_any_form(running: TestBoard) -> None:
    running.source.parts = {"day": tier(1010.0, "caf\u00e9")}
    answer = await running.get(f"/v1/arenas/text/history?model={quote(WRITTEN[1][:-3])}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "caf\u00e9"


async def test_a_name_that_an_old_ledger_has_in_another_form_is_found_as_it_is(running: TestBoard) -> None:
    old = "cafe\u0301"
    running.source.boards["text"]["overall"] = board(old, "caf\u00e9", ledger=2)
    running.source.say({"arena": "text", "boards": ["overall"], "ledger": 2})
    await eventually_async(lambda: old in running.views.arenas["text"].boards["overall"].lines)
    for name in (old, "caf\u00e9"):
        answer = await running.get(f"/v1/arenas/text/models/{quote(name)}")
        assert answer.json()["model"] == name
