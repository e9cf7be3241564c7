"""A view of another version affects only its arena: the others continue, cached views stay, nothing is invented."""

from typing import Any

import msgspec
import pytest

from tests.support.eventually import eventually_async
from tests.support.views import alert, alerts_view, board, fairness_view

from .conftest import TestBoard

UNREADABLE = "isonomy_arena_unreadable_views"
OTHER = b'{"position":{"ledger":9},"alerts":{"format":2}}'
"""No view of this version, whichever it stands for."""
NO_TEXT = b'{"position":{"ledger":9},"alerts":[{"id":"\xff","subject":{}}]}'


@pytest.fixture
def two(running: TestBoard) -> TestBoard:
    running.source.boards["vision"] = {"overall": board(arena="vision")}
    running.source.judged["text"] = (fairness_view(), alerts_view(alert()))
    running.source.judged["vision"] = (fairness_view(arena="vision"), alerts_view(arena="vision"))
    running.source.say(
        {"arena": "vision", "boards": ["overall"], "fairness": True, "ledger": 1},
        {"arena": "text", "fairness": True, "ledger": 1},
    )
    return running


async def change(running: TestBoard, **view: Any) -> None:
    """Publish a view of the arena text, and wait until a later change of the other arena has been read."""
    running.source.say({"arena": "text", "ledger": 9, **view})
    votes = len(running.source.reads) + 1_000
    running.source.boards["vision"]["overall"] = board(arena="vision", votes=votes, ledger=votes)
    running.source.say({"arena": "vision", "boards": ["overall"], "ledger": votes})

    async def taken() -> bool:
        return bool((await running.get("/v1/arenas/vision/leaderboard")).json()["votes"] == votes)

    await eventually_async(taken)


@pytest.mark.parametrize("view", [OTHER, NO_TEXT, b"", b"[" * 5_000])
async def test_alerts_that_cannot_be_read_leave_those_that_were_held_and_the_other_arenas(
    two: TestBoard, view: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await change(two)
    before = two.count(UNREADABLE, arena="text")  # the fairness view of tests is shorter than a true one
    two.source.judged["text"] = (fairness_view(ledger=9), view)
    for _ in range(3):
        await change(two, fairness=True)
    assert two.source.subscribed == 1  # following never began anew
    lines = {line["arena"]: line for line in (await two.get("/v1/arenas")).json()["arenas"]}
    assert (lines["text"]["alerts_firing"], lines["vision"]["alerts_firing"]) == (1, 0)
    held = await two.get("/v1/arenas/text/alerts")
    assert [each["id"] for each in held.json()["alerts"]] == ["f1-1"]
    assert "age" in held.headers
    assert "age" not in (await two.get("/v1/arenas/vision/alerts")).headers
    assert "age" not in (await two.get("/v1/arenas/text/leaderboard")).headers
    said = [each for each in caplog.messages if "the alerts view of arena text" in each]
    assert len(said) == 1
    assert "the cached one stays" in said[0]
    assert two.count(UNREADABLE, arena="text") == before + 1

    two.source.judged["text"] = (fairness_view(ledger=10), alerts_view(ledger=10))
    await change(two, fairness=True)
    again = await two.get("/v1/arenas/text/alerts")
    assert (again.json()["alerts"], "age" in again.headers) == ([], False)
    assert two.count(UNREADABLE, arena="text") == before


async def test_boards_and_shares_that_cannot_be_read_leave_what_was_held(two: TestBoard) -> None:
    await change(two)
    two.source.boards["text"]["overall"] = b'{"votes":"many","models":[]}'
    two.source.judged["text"] = (b'{"votes":1}', alerts_view(alert()))
    await change(two, boards=["overall"], fairness=True)
    for what, key in (("leaderboard", "models"), ("fairness", "models")):
        answer = await two.get(f"/v1/arenas/text/{what}")
        assert len(answer.json()[key]) == 3
        assert "age" in answer.headers
    assert two.source.subscribed == 1
    assert (await two.get("/v1/arenas")).json()["arenas"][0]["votes"] == 10


async def test_of_an_arena_that_was_never_read_nothing_is_made_up(two: TestBoard) -> None:
    two.source.boards["new"] = {"overall": OTHER, "language:German": board(arena="new")}
    two.source.judged["new"] = (OTHER, OTHER)
    two.source.say({"arena": "new", "boards": ["overall", "language:German"], "fairness": True, "ledger": 9})
    await change(two)
    line = {each["arena"]: each for each in (await two.get("/v1/arenas")).json()["arenas"]}["new"]
    assert (line["votes"], line["models"], line["alerts_firing"]) == (None, None, None)
    for what in ("leaderboard", "fairness", "alerts", "alerts.atom", "models/ash"):
        answer = await two.get(f"/v1/arenas/new/{what}")
        assert answer.status_code == 503, what
        assert "of another version" in answer.json()["error"]["detail"]
    assert (await two.get("/v1/arenas/new/leaderboard?board=language:German")).status_code == 200


async def test_an_alert_of_an_unknown_kind_is_left_out_of_the_feed(two: TestBoard) -> None:
    new = msgspec.to_builtins(alert(2)) | {"kind": "new_kind"}
    two.source.judged["text"] = (fairness_view(ledger=9), alerts_view(alert(1), new, ledger=9))
    await change(two, fairness=True)
    assert (await two.get("/v1/arenas/text/alerts")).json()["total"] == 2
    feed = await two.get("/v1/arenas/text/alerts.atom")
    assert (feed.status_code, feed.text.count("<entry>")) == (200, 1)


@pytest.mark.parametrize("rating", ["elo", "davidson"])
async def test_a_board_that_is_damaged_in_the_middle_is_said_and_the_others_are_served(
    two: TestBoard, rating: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = board(arena="text", votes=5, ledger=9)
    damaged = whole.replace(b'"elo":', b'"olo":')
    assert damaged != whole
    two.source.boards["text"]["overall"] = damaged
    await change(two, boards=["overall"])
    refused = await two.get(f"/v1/arenas/text/leaderboard?rating={rating}")
    assert (refused.status_code, refused.json()["error"]["reason"]) == (503, "unavailable")
    assert "cannot be read" in caplog.text
    assert (await two.get(f"/v1/arenas/vision/leaderboard?rating={rating}")).status_code == 200
    assert len((await two.get("/v1/arenas")).json()["arenas"]) == 2
