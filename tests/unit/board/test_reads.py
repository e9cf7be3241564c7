"""The read API over HTTP, without Redis."""

import contextlib
import gzip
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streams.contracts.alert import Status
from streams.contracts.stopped import Stopped
from tests.support.eventually import eventually_async
from tests.support.views import alert, alerts_view, board, encode, fairness_view

from .conftest import TestBoard

LEADERBOARD = "/v1/arenas/text/leaderboard"


async def test_a_leaderboard_is_what_was_published_to_the_byte(running: TestBoard) -> None:
    answer = await running.get(LEADERBOARD, accept_encoding="identity")
    assert answer.content == running.source.boards["text"]["overall"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"].startswith("public, max-age=1, stale-while-revalidate=")
    assert "age" not in answer.headers


async def test_a_board_is_named_by_its_parameter(running: TestBoard) -> None:
    for query in ("board=language%3AGerman", "board=language:German"):
        answer = await running.get(f"{LEADERBOARD}?{query}")
        assert answer.json()["board"] == "language:German"


@pytest.mark.parametrize(
    ("rating", "order"), [("davidson", ["cedar", "birch", "ash"]), ("elo", ["cedar", "birch", "ash"])]
)
async def test_another_rating_is_another_order_of_the_same_lines(
    running: TestBoard, rating: str, order: list[str]
) -> None:
    published = msgspec.json.decode(running.source.boards["text"]["overall"])
    found = (await running.get(f"{LEADERBOARD}?rating={rating}")).json()
    assert found.pop("ordered_by") == rating
    lines = found.pop("models")
    assert sorted(lines, key=lambda line: line["rank"]) == published.pop("models")
    assert found == published
    values = [line[rating] for line in lines]
    assert [value for value in values if value is not None] == sorted(filter(None, values), reverse=True)
    if rating == "davidson":
        assert [line["model"] for line in lines] == order
        assert values[-1] is None


async def test_who_has_it_already_is_told_so_until_it_changes(running: TestBoard) -> None:
    for encoding in ("gzip", "identity"):
        first = await running.get(LEADERBOARD, accept_encoding=encoding)
        again = await running.get(LEADERBOARD, accept_encoding=encoding, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    running.source.boards["text"]["overall"] = board(votes=11, ledger=2)
    running.source.say({"arena": "text", "boards": ["overall"], "ledger": 2})

    async def changed() -> bool:
        answer = await running.get(LEADERBOARD, accept_encoding=encoding, if_none_match=first.headers["etag"])
        return answer.status_code == 200 and answer.json()["votes"] == 11

    await eventually_async(changed)


async def test_each_form_has_an_etag_of_its_own(running: TestBoard) -> None:
    running.source.boards["text"]["overall"] = board(*(f"model-{number}" for number in range(50)))
    running.source.say({"arena": "text", "boards": ["overall"], "ledger": 2})
    await eventually_async(lambda: len(running.views.arenas["text"].boards["overall"].lines) == 50)
    packed = await running.client.send(
        running.client.build_request("GET", LEADERBOARD, headers={"accept-encoding": "gzip"}), stream=True
    )
    raw = b"".join([piece async for piece in packed.aiter_raw()])
    plain = await running.get(LEADERBOARD, accept_encoding="identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) == int(packed.headers["content-length"]) < len(plain.content) / 3
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"


async def test_what_is_not_there_is_404_and_names_what_is(running: TestBoard) -> None:
    for path, named in (
        ("/v1/arenas/vision/leaderboard", "there are: text"),
        (f"{LEADERBOARD}?board=language:Dutch", "there are: language:German, overall"),
        ("/v1/arenas/text/models/oak", "there are: ash, birch, cedar"),
        ("/v1/arenas/vision/fairness", "there are: text"),
        ("/v1/arenas/vision/alerts", "there are: text"),
        ("/v1/arenas/vision/alerts.atom", "there are: text"),
        ("/v1/arenas/vision/history", "there are: text"),
        ("/v1/arenas/vision/events", "there are: text"),
        ("/v1/arenas/text/history?model=oak", "oak"),
        ("/v1/nothing", "/v1/nothing"),
    ):
        answer = await running.get(path)
        assert answer.status_code == 404, path
        error = answer.json()["error"]
        assert error["reason"] == "not_found"
        assert named in error["detail"], path
        if path.startswith("/v1/arenas"):
            assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "query",
    [
        "leaderboard?rating=glicko",
        "leaderboard?format=xml",
        "alerts?status=over",
        "alerts?limit=0",
        "alerts?limit=²",
        "history?top=1000",
    ],
)
async def test_a_parameter_that_cannot_be_is_refused(running: TestBoard, query: str) -> None:
    answer = await running.get(f"/v1/arenas/text/{query}")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "invalid_query")


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/arenas?arena=text", "there are none"),
        (f"{LEADERBOARD}?bord=language:German", "there are: board, rating, format"),
        (f"{LEADERBOARD}?category=coding&rating=elo", "there are: board, rating, format"),
        (f"{LEADERBOARD}?board=", "there is no board ''"),
        (f"{LEADERBOARD}?rating=bt&rating=elo", "rating is given 2 times"),
        ("/v1/arenas/text/models/ash?board=overall", "there are none"),
        ("/v1/arenas/text/fairness?model=ash", "there are none"),
        ("/v1/arenas/text/alerts?severity=critical", "there are: status, limit"),
        ("/v1/arenas/text/alerts.atom?status=all", "there are none"),
        ("/v1/arenas/text/history?days=7", "there are: board, model, top"),
        ("/v1/arenas/text/history?board=language:Dutch", "there are: language:German, overall"),
        ("/v1/arenas/text/events?since=7", "there are: last_event_id"),
    ],
)
async def test_what_would_not_be_heeded_is_refused_and_says_what_there_is(
    running: TestBoard, path: str, named: str
) -> None:
    answer = await running.get(path)
    assert answer.status_code in (400, 404), answer.text
    assert named in answer.json()["error"]["detail"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_alerts_come_with_what_was_judged_and_what_was_not(running: TestBoard) -> None:
    for path in ("/v1/arenas/text/alerts", "/v1/arenas/text/models/ash"):
        found = (await running.get(path)).json()
        assert found["alerts"] == []
        drift, prompts = found["judged"]
        assert (drift["kind"], drift["judged"], drift["subjects"]) == ("share_drift", True, 3)
        assert (prompts["judged"], prompts["reason"]) == (False, "no_prompts")
    feed = (await running.get("/v1/arenas/text/alerts.atom")).text
    assert "Judged: share drift. Not judged: prompt reuse (no vote has a prompt hash)." in feed


async def test_of_an_arena_that_nobody_judges_nothing_is_said_to_be_well(running: TestBoard) -> None:
    running.source.boards["alone"] = {"overall": board(arena="alone")}
    running.source.say({"arena": "alone", "boards": ["overall"], "ledger": 1})
    await eventually_async(lambda: "alone" in running.views.arenas)
    for path in ("alerts", "alerts?status=all", "alerts.atom", "fairness"):
        answer = await running.get(f"/v1/arenas/alone/{path}")
        assert answer.status_code == 404, path
    running.past.take(encode(alert(1, status=Status.RESOLVED, arena="alone")))
    assert (await running.get("/v1/arenas/alone/alerts")).status_code == 404
    ended = (await running.get("/v1/arenas/alone/alerts?status=all")).json()
    assert ([each["status"] for each in ended["alerts"]], ended["judged"]) == (["resolved"], None)
    assert "What was judged is not known." in (await running.get("/v1/arenas/alone/alerts.atom")).text
    line = (await running.get("/v1/arenas")).json()["arenas"][0]
    assert (line["arena"], line["alerts_firing"], line["declares"]) == ("alone", None, None)
    found = (await running.get("/v1/arenas/alone/models/ash")).json()
    assert (found["fairness"], found["alerts"], found["judged"]) == (None, None, None)


async def test_a_view_that_does_not_say_what_was_judged_is_not_taken_for_judged(running: TestBoard) -> None:
    before = msgspec.json.decode(fairness_view(ledger=2))
    del before["judged"]
    running.source.judged["text"] = (encode(before), alerts_view(ledger=2))
    running.source.say({"arena": "text", "fairness": True, "alerts": 0, "ledger": 2})
    await eventually_async(lambda: running.views.arenas["text"].judged is None)
    assert (await running.get("/v1/arenas/text/alerts")).json()["judged"] is None
    assert "What was judged is not known." in (await running.get("/v1/arenas/text/alerts.atom")).text


async def test_arenas_are_listed_with_what_they_have(running: TestBoard) -> None:
    running.source.judged["text"] = (fairness_view(), alerts_view(alert()))
    running.source.say({"arena": "text", "fairness": True, "alerts": 1, "ledger": 2})
    line = {"arena": "text", "boards": ["overall", "language:German"], "votes": 10, "models": 3, "as_of": 7.5}
    line["declares"] = True

    async def listed() -> bool:
        return bool(
            (await running.get("/v1/arenas")).json() == {"arenas": [{**line, "alerts_firing": 1, "stopped": []}]}
        )

    await eventually_async(listed)


async def test_an_arena_that_stands_still_says_so_and_how_old_it_is(running: TestBoard) -> None:
    since = time.time() - 100
    running.source.stops["text"] = {"ratings": Stopped(since, "only the operator's")}
    running.source.say({"arena": "text", "stopped": True})
    await eventually_async(lambda: bool(running.views.arenas["text"].stopped))
    (line,) = (await running.get("/v1/arenas")).json()["arenas"]
    assert line["stopped"] == [{"stage": "ratings", "since": since}]
    board = await running.get("/v1/arenas/text/leaderboard")
    assert 100 <= int(board.headers["age"]) < 110
    assert "age" not in (await running.get("/v1/arenas/text/alerts")).headers
    assert b"only the operator" not in (await running.get("/v1/arenas")).content

    running.source.stops.clear()
    running.source.say({"arena": "text", "stopped": True})
    await eventually_async(lambda: not running.views.arenas["text"].stopped)
    assert "age" not in (await running.get("/v1/arenas/text/leaderboard")).headers


async def test_a_model_is_shown_on_every_board_with_its_alerts(running: TestBoard) -> None:
    running.source.judged["text"] = (fairness_view(), alerts_view(alert(1), alert(2, model="birch")))
    running.source.say({"arena": "text", "fairness": True, "alerts": 2, "ledger": 2})
    await eventually_async(lambda: len(running.views.arenas["text"].alerts.by_id) == 2)
    found = (await running.get("/v1/arenas/text/models/birch")).json()
    assert sorted(found["boards"]) == ["language:German", "overall"]
    assert {name: line["rank"] for name, line in found["boards"].items()} == {"language:German": 1, "overall": 2}
    assert found["fairness"]["log10_e"] == 0.5
    assert [each["id"] for each in found["alerts"]] == ["f2-2"]


async def test_a_model_with_a_slash_and_one_that_only_fairness_knows(running: TestBoard) -> None:
    running.source.judged["text"] = (fairness_view("meta/oak-7b"), alerts_view())
    running.source.say({"arena": "text", "fairness": True, "alerts": 0, "ledger": 2})
    await eventually_async(lambda: "meta/oak-7b" in running.views.arenas["text"].fairness.lines)
    for path in ("meta/oak-7b", "meta%2Foak-7b"):
        found = (await running.get(f"/v1/arenas/text/models/{path}")).json()
        assert (found["model"], found["boards"]) == ("meta/oak-7b", {})
        assert found["fairness"]["model"] == "meta/oak-7b"


async def test_alerts_that_ended_follow_those_that_fire(running: TestBoard) -> None:
    for number in (1, 2, 3):
        running.past.take(encode(alert(number, status=Status.RESOLVED)))
    running.source.judged["text"] = (fairness_view(), alerts_view(alert(4), alert(2)))
    running.source.say({"arena": "text", "fairness": True, "alerts": 2, "ledger": 2})
    await eventually_async(lambda: len(running.views.arenas["text"].alerts.by_id) == 2)

    async def ids(query: str) -> list[str]:
        found = (await running.get(f"/v1/arenas/text/alerts{query}")).json()
        return [f"{each['id']} {each['status']}" for each in found["alerts"]]

    assert await ids("") == ["f4-4 firing", "f2-2 firing"]
    assert await ids("?status=all") == ["f4-4 firing", "f2-2 firing", "f3-3 resolved", "f1-1 resolved"]
    assert await ids("?status=all&limit=3") == ["f4-4 firing", "f2-2 firing", "f3-3 resolved"]
    assert (await running.get("/v1/arenas/text/alerts?status=all&limit=1")).json()["total"] == 4


async def test_without_kafka_reads_go_on_and_say_so(running: TestBoard) -> None:
    running.kafka.away = "Kafka is away"
    assert (await running.get("/readyz")).json() == {"status": "ready", "kafka": "Kafka is away"}
    assert (await running.get("/v1/arenas/text/alerts?status=all")).json()["past"] == "away"
    assert (await running.get(LEADERBOARD)).status_code == 200


async def test_without_redis_what_was_known_last_is_served_with_its_age(running: TestBoard) -> None:
    await running.lose_redis()
    assert (await running.get("/readyz")).status_code == 503
    for path in (LEADERBOARD, "/v1/arenas", "/v1/arenas/text/fairness", "/v1/arenas/text/models/ash"):
        answer = await running.get(path)
        assert answer.status_code == 200
        assert int(answer.headers["age"]) >= 0
        assert answer.headers["warning"].startswith("110 ")
    running.source.away = False
    await eventually_async(lambda: running.views.gone_since is None)
    assert "age" not in (await running.get(LEADERBOARD)).headers


async def test_with_nothing_known_it_is_503_and_not_404(make_board: Callable[..., Any], published: Any) -> None:
    published.away = True
    board: TestBoard = await make_board(wait=False)
    for path in ("/v1/arenas", LEADERBOARD, "/v1/arenas/text/events"):
        answer = await board.get(path)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await board.get("/healthz")).status_code == 200


async def test_pages_of_other_origins_may_ask_conditionally(running: TestBoard) -> None:
    answer = await running.client.options(
        LEADERBOARD, headers={"Origin": "https://x.example", "Access-Control-Request-Method": "GET"}
    )
    assert answer.status_code == 204
    assert "if-none-match" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (LEADERBOARD, {"GET", "HEAD", "OPTIONS"}),
        ("/v1/arenas/text/events", {"GET", "HEAD"}),
        ("/v1/written", {"PUT"}),
        ("/v1/no-such-route", {"GET", "HEAD"}),
        ("/", {"GET", "HEAD"}),
    ],
)
async def test_what_does_not_answer_to_a_method_says_to_which_it_does(
    make_board: Callable[..., Any], path: str, allowed: set[str]
) -> None:
    async def written(_: Request) -> Response:
        return Response()

    route = Route("/v1/written", written, methods=["PUT"])
    board = await make_board(more=[([route], contextlib.nullcontext(), ({}, {}))])
    for method in ("POST", "DELETE", "PROPFIND"):
        answer = await board.client.request(method, path)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == allowed


async def test_requests_are_counted_by_route_whichever_way_they_went(running: TestBoard) -> None:
    route = "/v1/arenas/{arena}/leaderboard"
    tag = (await running.get(LEADERBOARD)).headers["etag"]
    await running.get(LEADERBOARD, if_none_match=tag)
    await running.get("/v1/arenas/nowhere/leaderboard")
    for status, count in (("200", 1), ("304", 1), ("404", 1)):
        assert running.count("isonomy_board_requests_total", route=route, status=status) == count
    assert running.count("isonomy_board_request_seconds_count", route=route) == 3


async def test_metrics_have_the_published_views_too(running: TestBoard) -> None:
    text = (await running.get("/metrics")).text
    assert 'isonomy_arena_votes_total{arena="text"} 10.0' in text
    assert "isonomy_board_clients 0.0" in text


async def test_others_bring_routes_and_what_they_need(make_board: Callable[..., Any]) -> None:
    entered: list[str] = []

    @contextlib.asynccontextmanager
    async def needed() -> Any:
        entered.append("entered")
        yield

    async def added(_: Request) -> Response:
        return PlainTextResponse(",".join(entered))

    board: TestBoard = await make_board(more=[([Route("/v1/subscriptions", added)], needed(), ({}, {}))])
    assert (await board.get("/v1/subscriptions")).text == "entered"
