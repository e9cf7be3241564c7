"""The shell of an HTTP service: what each answers alike, whatever its own routes are."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from services.http.app import Readiness, RequestMetrics, create_app
from services.http.errors import Refusal, Refused

SHELL = ["/healthz", "/readyz", "/metrics", "/openapi.json"]


@contextlib.asynccontextmanager
async def nothing(_: Starlette) -> AsyncIterator[None]:
    yield


async def written(_: Request) -> Response:
    return Response()


async def broken(_: Request) -> Response:
    raise LookupError("secret of the house")


async def faulty(_: Request) -> Response:
    raise ZeroDivisionError("secret of the house")


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    await Response("a file")(scope, receive, send)


def client(**changes: Any) -> httpx.AsyncClient:
    """A client of a service with four routes, which is ready."""
    routes = [
        Route("/v1/things/{thing:path}", written, methods=["PUT", "DELETE", "PATCH"]),
        Route("/broken", broken),
        Route("/faulty", faulty),
        Mount("/static", mounted),
    ]
    given = {
        "registry": CollectorRegistry(),
        "routes": routes,
        "readiness": Readiness(lambda: None, 2.0),
        "lifespan": nothing,
        **changes,
    }
    transport = httpx.ASGITransport(create_app(**given))
    return httpx.AsyncClient(transport=transport, base_url="http://service")


def error(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["reason", "detail"]
    assert "secret" not in answer.text
    return answer.status_code, body["error"]["reason"]


async def test_what_is_not_there_is_404_in_the_one_shape_and_a_slash_more_is_not_redirected() -> None:
    async with client() as asked:
        for path in ("/", "/nothing", "/healthz/", "/openapi.json"):
            assert error(await asked.get(path)) == (404, "not_found")
            assert error(await asked.post(path)) == (404, "not_found")


async def test_the_rest_gets_what_no_route_takes() -> None:
    async with client(rest=[Mount("/", mounted)]) as asked:
        assert [(await asked.get(path)).text for path in ("/", "/nothing")] == ["a file", "a file"]
        assert (await asked.get("/healthz")).json() == {"status": "up"}
        assert (await asked.put("/v1/things/a")).text == ""


async def test_a_method_that_is_not_there_is_405_and_allow_names_those_that_are_in_order() -> None:
    async with client(document={}) as asked:
        for path in SHELL:
            answer = await asked.post(path)
            assert error(answer) == (405, "method_not_allowed")
            assert answer.headers["allow"] == "GET, HEAD"
            assert (await asked.head(path)).status_code == 200
        answer = await asked.get("/v1/things/a/b")
        assert error(answer) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "DELETE, PATCH, PUT"


async def test_it_says_whether_it_is_ready_and_why_not_and_lives_either_way() -> None:
    faults: list[str] = []
    readiness = Readiness(lambda: faults[0] if faults else None, 3.0, lambda: {"kafka": "followed"})
    async with client(readiness=readiness) as asked:
        assert (await asked.get("/readyz")).json() == {"status": "ready", "kafka": "followed"}
        faults.append("Redis is away")
        answer = await asked.get("/readyz")
        assert error(answer) == (503, "unavailable")
        assert (answer.json()["error"]["detail"], answer.headers["retry-after"]) == ("Redis is away", "3")
        assert (await asked.get("/healthz")).json() == {"status": "up"}


async def test_scrapes_come_one_at_a_time_so_none_has_what_another_sets_anew() -> None:
    registry, scrapes = CollectorRegistry(), itertools.count(1)
    started, goes_on = threading.Event(), threading.Event()

    class Slow:
        """Collected first: until it is done, the gauge is not read."""

        def collect(self) -> list[Metric]:
            started.set()
            goes_on.wait(10)
            return []

    registry.register(Slow())
    gauge = Gauge("seen", "Seen.", ["scrape"], registry=registry)

    def measure() -> None:
        gauge.clear()
        gauge.labels(next(scrapes)).set(1)

    async with client(registry=registry, before_scrape=measure) as asked:
        both = [asyncio.create_task(asked.get("/metrics")) for _ in range(2)]
        await asyncio.to_thread(started.wait, 10)
        goes_on.set()
        texts = [(await each).text for each in both]
    assert ['scrape="1"' in texts[0], 'scrape="2"' in texts[1]] == [True, True]


@pytest.mark.parametrize(
    ("public", "path", "open_to_all"),
    [("/v1", "/v1/nothing", True), ("/v1", "/nothing", False), (None, "/v1/nothing", False)],
)
async def test_errors_below_what_is_public_are_too_and_so_is_the_document(
    public: str | None, path: str, open_to_all: bool
) -> None:
    async with client(public=public, document={"openapi": "3.1.0"}) as asked:
        assert ("access-control-allow-origin" in (await asked.get(path)).headers) is open_to_all
        described = await asked.get("/openapi.json")
        assert described.json() == {"openapi": "3.1.0"}
        assert ("access-control-allow-origin" in described.headers) is (public is not None)


async def test_an_exception_of_the_service_is_what_the_service_says_of_it() -> None:
    def refuse(request: Request, _: Exception) -> Refused:
        return Refused(Refusal.UNAVAILABLE, f"{request.url.path} cannot be read")

    async with client(refusals={LookupError: refuse}) as asked:
        assert error(await asked.get("/broken")) == (503, "unavailable")


async def test_requests_are_counted_by_route_those_of_mounts_and_of_nothing_too(
    count: Callable[..., tuple[RequestMetrics, CollectorRegistry]],
) -> None:
    counted, registry = count(untimed={"/static"})
    async with client(registry=registry, request_metrics=counted) as asked:
        for path in ("/healthz", "/static/a", "/nothing", "/faulty"):
            await asked.get(path)
        await asked.put("/v1/things/a/b")

    def value(series: str, **labels: str) -> float | None:
        return registry.get_sample_value(series, labels)

    expected = {"/healthz": "200", "/static": "200", "other": "404", "/faulty": "500", "/v1/things/{thing}": "200"}
    assert {route: value("requests_total", route=route, status=status) for route, status in expected.items()} == (
        dict.fromkeys(expected, 1)
    )
    assert {route: value("seconds_count", route=route) for route in expected} == dict.fromkeys(expected, 1) | {
        "/static": 0
    }


@pytest.fixture
def count() -> Callable[..., tuple[RequestMetrics, CollectorRegistry]]:
    """A function that makes the metrics of requests, and the registry that holds them."""

    def make(untimed: set[str]) -> tuple[RequestMetrics, CollectorRegistry]:
        registry = CollectorRegistry()
        requests = Counter("requests", "Requests.", ["route", "status"], registry=registry)
        seconds = Histogram("seconds", "Seconds.", ["route"], registry=registry)
        return RequestMetrics(requests, seconds, untimed), registry

    return make
