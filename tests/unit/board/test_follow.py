"""Redis is followed: subscribed first, then read, once for many changes; a gap is read over and told."""

from functools import partial
from typing import Any

import msgspec
import pytest

import services.board.follow
from services.board.follow import Follow
from tests.support.eventually import eventually_async
from tests.support.views import alert, alerts_view, board, fairness_view

from .conftest import Dictionaries, TestBoard


def told(running: TestBoard) -> list[tuple[str, dict[str, Any]]]:
    """Kind and data of each event of the arena, but for those about the stream."""
    client = running.app.state.hub.join("text", f"{running.app.state.hub.run}-0")
    running.app.state.hub.leave(client)
    events = []
    for text in client.waiting:
        fields = dict(line.split(b": ", 1) for line in text.strip().split(b"\n"))
        if b"event" in fields and fields[b"event"] != b"stream":
            events.append((fields[b"event"].decode(), msgspec.json.decode(fields[b"data"])))
    return events


def holds(running: TestBoard, view: bytes) -> bool:
    held = running.views.arenas["text"].alerts
    return held is not None and held.document.body == view


async def test_changes_that_come_together_are_read_once_and_told_once(running: TestBoard) -> None:
    source = running.source
    source.reads.clear()
    source.boards["text"] = {"overall": board(votes=12, ledger=5), "language:German": board(votes=3, ledger=4)}
    source.say(
        {"arena": "text", "boards": ["overall"], "ledger": 3},
        {"arena": "text", "boards": ["language:German", "overall"], "ledger": 4},
        {"arena": "text", "boards": ["overall"], "ledger": 5},
    )
    await eventually_async(lambda: told(running))
    assert source.reads == [("text", ("overall", "language:German"), False)]
    assert told(running) == [("board", {"boards": ["overall", "language:German"], "ledger": 5})]


async def test_a_board_that_was_written_with_the_same_bytes_is_no_event(running: TestBoard) -> None:
    running.source.say({"arena": "text", "boards": ["overall"], "ledger": 3})
    running.source.judged["text"] = (fairness_view(ledger=9), alerts_view(ledger=9))
    running.source.say({"arena": "text", "fairness": True, "alerts": 0, "ledger": 9})
    await eventually_async(lambda: told(running))
    assert told(running) == [("fairness", {"ledger": 9})]


async def test_an_alert_is_told_when_it_is_new_and_when_it_says_something_else(running: TestBoard) -> None:
    for alerts in ([alert(1)], [alert(1), alert(2)], [alert(1, evidence={"log10_e": 9.0}), alert(2)], [alert(2)]):
        view = alerts_view(*alerts)
        running.source.judged["text"] = (fairness_view(), view)
        running.source.say({"arena": "text", "fairness": True, "alerts": len(alerts), "ledger": 2})
        await eventually_async(partial(holds, running, view))
    found = [(data["id"], data["evidence"]["log10_e"]) for kind, data in told(running) if kind == "alert"]
    assert found == [("f1-1", 7.1), ("f2-2", 7.1), ("f1-1", 9.0)]


async def test_what_changed_while_redis_was_away_is_told_when_it_is_back(running: TestBoard) -> None:
    await running.lose_redis()
    running.source.boards["text"]["overall"] = board(votes=99, ledger=8)
    running.source.judged["text"] = (fairness_view(), alerts_view(alert()))
    running.source.away = False
    await eventually_async(lambda: running.views.gone_since is None)
    assert running.source.subscribed == 2
    assert told(running)[0] == ("board", {"boards": ["overall"], "ledger": 8})
    assert told(running)[1][1]["id"] == "f1-1"


async def test_a_message_that_is_none_is_no_harm(running: TestBoard, caplog: pytest.LogCaptureFixture) -> None:
    running.source.say({"boards": 7})
    running.source.boards["text"]["overall"] = board(votes=12)
    running.source.say({"arena": "text", "boards": ["overall"], "ledger": 3})
    await eventually_async(lambda: told(running))
    assert "that is none" in caplog.text


async def test_a_new_arena_is_there_with_its_first_message(running: TestBoard) -> None:
    running.source.boards["vision"] = {"overall": board(arena="vision")}
    running.source.say({"arena": "vision", "boards": ["overall"], "ledger": 3})
    await eventually_async(lambda: "vision" in running.views.arenas)
    assert (await running.get("/v1/arenas/vision/leaderboard")).json()["arena"] == "vision"


async def test_what_redis_lost_stays_for_a_while_and_what_is_withdrawn_goes(
    published: Dictionaries, running: TestBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = Follow(published, running.views, running.app.state.hub)
    now = 1000.0
    follow._drop({}, now)
    follow._drop({}, now + services.board.follow.GRACE_SECONDS - 1)
    assert "text" in running.views.arenas
    follow._drop({"text": {"overall", "language:German"}}, now + 31)  # it is back
    follow._drop({"text": {"overall"}}, now + 32)
    assert set(running.views.arenas["text"].boards) == {"overall", "language:German"}
    follow._drop({"text": {"overall"}}, now + 63)
    assert set(running.views.arenas["text"].boards) == {"overall"}
    follow._drop({}, now + 64)
    follow._drop({}, now + 95)
    assert not running.views.arenas
