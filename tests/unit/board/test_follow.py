"""Following Redis: subscribe first, then read, once for many changes; after a gap read everything and report it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

import services.board.redis_follower
from services.board.cache import HeldArena, HeldBoard, HeldFairness
from services.board.redis_follower import GRACE_SECONDS, Follow
from streams.contracts.stopped import Stopped
from tests.support.eventually import eventually_async
from tests.support.views import alert, alerts_view, board, fairness_view

from .conftest import Dictionaries, TestBoard


@dataclass
class Clock:
    """Monotonic time as a test has it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


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
    assert "an unreadable message" in caplog.text


async def test_a_new_arena_is_there_with_its_first_message(running: TestBoard) -> None:
    running.source.boards["vision"] = {"overall": board(arena="vision")}
    running.source.say({"arena": "vision", "boards": ["overall"], "ledger": 3})
    await eventually_async(lambda: "vision" in running.views.arenas)
    assert (await running.get("/v1/arenas/vision/leaderboard")).json()["arena"] == "vision"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(services.board.redis_follower, "time", SimpleNamespace(monotonic=clock))
    return clock


async def test_what_is_withdrawn_goes_once_the_fold_shows_as_much(published: Dictionaries, running: TestBoard) -> None:
    follow, arenas, ledger = following(published, running), running.views.arenas, running.views.ledger
    ledger.ends, ledger.shown = {0: 9}, {0: 1}
    follow._drop({"text": {"overall"}}, 1000.0)
    follow._drop({"text": {"overall"}}, 1000.0 + GRACE_SECONDS - 1)
    follow._drop({"text": {"overall", "language:German"}}, 1031.0)  # it is back
    follow._drop({"text": {"overall"}}, 1032.0)
    assert set(arenas["text"].boards) == {"overall", "language:German"}
    follow._drop({"text": {"overall"}}, 1063.0)
    assert set(arenas["text"].boards) == {"overall"}
    follow._drop({}, 1064.0)
    follow._drop({}, 1095.0)
    assert not arenas


@pytest.mark.parametrize(
    ("ends", "shown", "kept"),
    [
        ({0: 9}, {}, True),  # Redis lost everything, the ledger has it all
        ({0: 9}, {0: 0}, True),  # the fold has not published it again yet
        ({}, {}, True),  # Kafka is away: nobody knows
        ({0: 9}, {0: 1}, False),  # all that is held was folded, and is not listed
        ({0: 0}, {}, False),  # the ledger is empty
    ],
)
async def test_what_redis_no_longer_lists_stays_for_as_long_as_the_ledger_may_hold_it(
    published: Dictionaries, running: TestBoard, ends: dict[int, int], shown: dict[int, int], kept: bool
) -> None:
    follow = following(published, running)
    running.views.ledger.ends, running.views.ledger.shown = ends, shown
    follow._drop({}, 1000.0)
    follow._drop({}, 1_000_000.0)
    assert ("text" in running.views.arenas) is kept


async def test_an_older_state_in_redis_is_not_shown_and_not_told(
    published: Dictionaries, running: TestBoard, clock: Clock
) -> None:
    source, follow = running.source, following(published, running)
    source.boards["text"]["overall"] = newer = board(votes=50, ledger=50)
    source.judged["text"] = (fairness_view(ledger=50), alerts_view(alert(1), ledger=50))
    await follow._compare(await source.names(), everything=True)
    events = told(running)
    source.boards["text"]["overall"] = board(votes=40, ledger=40)
    source.judged["text"] = (fairness_view(ledger=40), alerts_view(ledger=40))
    clock.now += GRACE_SECONDS - 1
    await follow._compare(await source.names(), everything=True)
    await follow._read("text", ["overall"], True, 40)
    assert (await running.get("/v1/arenas/text/leaderboard")).content == newer
    assert (await running.get("/v1/arenas/text/fairness")).json()["position"]["ledger"] == 50
    assert len((await running.get("/v1/arenas/text/alerts")).json()["alerts"]) == 1
    assert told(running) == events

    # The owner writes again what it had: from then on what is older is a new matter.
    source.boards["text"]["overall"] = newest = board(votes=51, ledger=51)
    clock.now += 2
    await follow._compare(await source.names(), everything=False)
    assert (await running.get("/v1/arenas/text/leaderboard")).content == newest
    source.boards["text"]["overall"] = board(votes=40, ledger=40)
    await follow._read("text", ["overall"], False, 40)
    assert (await running.get("/v1/arenas/text/leaderboard")).content == newest


async def test_an_older_state_that_redis_goes_on_showing_is_taken_loudly(
    published: Dictionaries, running: TestBoard, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    source, follow = running.source, following(published, running)
    source.boards["text"]["overall"] = board(votes=50, ledger=50)
    await follow._compare(await source.names(), everything=True)
    source.boards["text"]["overall"] = older = board(votes=3, ledger=3)
    await follow._read("text", ["overall"], False, 3)
    clock.now += GRACE_SECONDS
    await follow._compare(await source.names(), everything=False)
    assert (await running.get("/v1/arenas/text/leaderboard")).content == older
    assert told(running)[-1] == ("board", {"boards": ["overall"], "ledger": 3})
    assert "the board accepts it" in caplog.text


async def test_a_redis_that_is_empty_is_no_leaderboard_that_is_empty(
    published: Dictionaries, make_board: Callable[..., Any]
) -> None:
    published.boards.clear()
    published.judged.clear()
    running = await make_board()
    paths = ("/v1/arenas", "/v1/arenas/text/leaderboard")
    ledger = running.views.ledger
    for ends, shown, statuses in (
        ({}, {}, [503, 503]),  # Kafka has not said whether the ledger is empty
        ({0: 9}, {}, [503, 503]),  # it is not
        ({0: 9}, {0: 9}, [200, 404]),  # all of it is shown, and that is nothing
        ({0: 0}, {}, [200, 404]),
    ):
        ledger.ends, ledger.shown = ends, shown
        assert [(await running.get(path)).status_code for path in paths] == statuses
    ledger.ends, ledger.shown = {0: 9}, {}
    assert "nothing is known yet" in (await running.get("/v1/arenas")).text


def following(published: Dictionaries, running: TestBoard) -> Follow:
    """Another that follows, whose steps a test takes itself."""
    return Follow(published, running.views, running.app.state.hub, 2_000)


async def test_a_fold_that_stops_an_arena_is_told_and_its_return_too(running: TestBoard) -> None:
    running.source.stops["text"] = {"ratings": Stopped(7.0, "only the operator's")}
    running.source.say({"arena": "text", "stopped": True}, {"arena": "text", "boards": ["overall"]})
    await eventually_async(lambda: told(running))
    assert told(running) == [("stopped", {"stopped": [{"stage": "ratings", "since": 7.0}]})]
    running.source.stops.clear()
    running.source.say({"arena": "text", "stopped": True})
    await eventually_async(lambda: len(told(running)) == 2)
    assert told(running)[1] == ("stopped", {"stopped": []})


async def test_what_was_stopped_before_the_board_began_is_known(make_board: Any, published: Dictionaries) -> None:
    published.stops["text"] = {"fairness": Stopped(7.0)}
    running = await make_board()
    assert list(running.views.arenas["text"].stopped) == ["fairness"]


async def test_a_stopped_arena_that_redis_lost_stays_and_one_that_was_never_shown_is_unavailable(
    running: TestBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(services.board.redis_follower, "time", SimpleNamespace(monotonic=clock))
    follow = Follow(running.source, running.views, running.app.state.hub, 2_000)
    running.source.stops = {"text": {"ratings": Stopped(7.0)}, "never": {"ratings": Stopped(7.0)}}
    running.source.boards.clear()
    running.source.judged.clear()
    running.source.boards["never"] = {}
    running.views.ledger.ends, running.views.ledger.shown = {0: 9}, {0: 9}
    for _ in range(3):
        await follow._compare(await running.source.names(), everything=False)
        clock.now += GRACE_SECONDS
    assert set(running.views.arenas["text"].boards) == {"overall", "language:German"}
    never = await running.get("/v1/arenas/never/leaderboard")
    assert (never.status_code, never.headers["retry-after"]) == (503, "60")
    assert (await running.get("/v1/arenas/nowhere/leaderboard")).status_code == 404


async def test_a_board_that_is_not_published_while_the_other_fold_counts_on_is_old(
    running: TestBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(services.board.redis_follower, "time", SimpleNamespace(monotonic=clock))
    held, source = running.views.arenas["text"], running.source

    async def publish(*, votes: int | None = None, judged: int | None = None, ledger: int) -> None:
        if votes is not None:
            source.boards["text"]["overall"] = board(votes=votes, ledger=ledger)
        if judged is not None:
            source.judged["text"] = (fairness_view(battles=judged, ledger=ledger), alerts_view(ledger=ledger))
        read = len(source.reads)
        boards = [] if votes is None else ["overall"]
        source.say({"arena": "text", "boards": boards, "fairness": judged is not None, "ledger": ledger})
        await eventually_async(lambda: len(source.reads) > read)
        await asyncio.sleep(0)

    began = clock()
    await publish(judged=20, ledger=2)
    assert held.outrun == {"ratings": began}
    clock.now += 60.0
    await publish(judged=30, ledger=3)
    assert held.outrun == {"ratings": began}  # since when it lacks something, not since it lacks the newest
    await publish(votes=25, ledger=4)
    assert held.outrun == {"ratings": clock()}  # it goes on
    await publish(votes=30, ledger=5)
    assert held.outrun == {}
    await publish(votes=40, ledger=6)
    assert held.outrun == {"fairness": clock()}
    await publish(judged=40, ledger=7)
    assert held.outrun == {}


def test_a_board_that_is_full_leaves_battles_out_and_is_not_old_for_it() -> None:
    held = HeldArena({"overall": HeldBoard(board(votes=10))}, HeldFairness(fairness_view(battles=20)))
    held.compare((), 5.0, most_models=4)
    assert held.outrun == {"ratings": 5.0}
    held.compare((), 6.0, most_models=3)
    assert held.outrun == {}
