"""The subscription routes use every parameter and field that they get, or refuse it and list those that exist."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from services.herald.api.drafts import read_changes, read_draft
from services.herald.api.openapi import subscription_document
from services.herald.api.routes import Handlers, sample_alert, subscription_routes
from services.http.api_keys import new_key
from services.http.errors import Refused
from services.http.responses import error_response
from streams.contracts.alert import Status
from streams.contracts.delivery import State
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import SubscriptionSettings
from streams.contracts.settings import Settings
from streams.contracts.subscription import ChannelType
from tests.support.herald import make_subscription
from tests.unit.herald.making import make_pending

BASE = "/v1/subscriptions"
S = make_subscription("s", "https://hooks.example.com/")
CALLS = [
    ("GET", BASE),
    ("POST", BASE),
    *((method, f"{BASE}/s") for method in ("GET", "PUT", "PATCH", "DELETE")),
    ("POST", f"{BASE}/s/secret"),
    ("POST", f"{BASE}/s/confirmation"),
    ("POST", f"{BASE}/s/test"),
    ("GET", f"{BASE}/s/deliveries"),
    ("POST", f"{BASE}/s/deliveries/d/replay"),
    ("POST", f"{BASE}/s/replay"),
]
"""All but the recipient's page: programs that look through mail add parameters to a link."""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key, of routes that have not read Kafka yet: what they would do with it is 503."""
    secret, line = new_key("ada", "*")
    (tmp_path / "keys").write_text(f"{line}\n")
    routes, _ = subscription_routes(
        Settings(subscriptions=SubscriptionSettings(keys_file=tmp_path / "keys")), Metrics()
    )
    app = Starlette(routes=routes, exception_handlers={Refused: lambda _, error: error_response(error)})
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board", headers=headers) as made:
        yield made


def test_every_route_is_looked_at() -> None:
    paths, _ = subscription_document()
    described = {(method.upper(), path) for path, item in paths.items() for method in item if method != "parameters"}
    page = {(method, f"{BASE}/{{id}}/confirm") for method in ("GET", "POST")}
    templates = [
        (method, path.replace(f"{BASE}/s", f"{BASE}/{{id}}").replace("deliveries/d/", "deliveries/{delivery}/"))
        for method, path in CALLS
    ]
    assert {*templates} == described - page
    assert all("400" in paths[path][method.lower()]["responses"] for method, path in templates)


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_parameter_that_is_not_there_is_refused(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await client.request(method, path)).status_code in (503, 400)
    answer = await client.request(method, f"{path}?stat=dead")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "invalid_query")
    there_are = "there are: state, limit" if path.endswith("deliveries") else "there are none"
    assert answer.json()["error"]["detail"] == f"there is no parameter 'stat' here; {there_are}"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=asleep", "state='asleep': use waiting, pending, delivered, dead, skipped"),
        ("limit=0", "limit='0': use a whole number from 1 to 1000"),
        (f"limit={'9' * 5000}", "use a whole number from 1 to 1000"),
        ("limit=1&limit=2", "limit is given 2 times"),
    ],
)
async def test_a_value_that_a_parameter_cannot_have_is_refused(
    client: httpx.AsyncClient, query: str, said: str
) -> None:
    answer = await client.get(f"{BASE}/s/deliveries?{query}")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "invalid_query")
    assert said in answer.json()["error"]["detail"]


async def test_a_key_comes_before_all(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{BASE}?stat=dead", headers={"Authorization": "Bearer isonomy_nobody"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"nmae": "x"}', "`nmae`; there are: name, channel, match, status"),
        (
            '{"match": {"model": ["x"]}}',
            "`model` - at `$.match`; there are: arena, kinds, severity, models, providers",
        ),
        (
            '{"channel": {"type": "webhook", "url": "https://a", "header": {}}}',
            "`header` - at `$.channel`; there are: type, url, secret, headers",
        ),
    ],
)
def test_a_field_that_is_not_there_is_refused_and_those_that_are_there_are_named(body: str, said: str) -> None:
    for read in (read_draft, read_changes):
        with pytest.raises(Refused) as refused:
            read(body.encode())
        assert refused.value.status == 422
        assert refused.value.detail == f"Object contains unknown field {said}"


@contextlib.asynccontextmanager
async def client_of_one(tmp_path: Path) -> AsyncIterator[tuple[Handlers, httpx.AsyncClient]]:
    """Handlers as if Kafka had been read and held the subscription `s`, and a client with the key of its owner."""
    secret, line = new_key("test", "*")
    (tmp_path / "keys").write_text(f"{line}\n")
    handlers = Handlers(Settings(subscriptions=SubscriptionSettings(keys_file=tmp_path / "keys")), Metrics(), None)
    handlers._store._complete = True
    handlers._store.book().take_subscription("s", S)
    methods = ["GET", "POST", "PATCH"]
    routes = [
        Route(BASE, handlers.collection, methods=methods),
        Route(BASE + "/{id}", handlers.one, methods=methods),
        Route(BASE + "/{id}/deliveries", handlers.deliveries),
    ]
    app = Starlette(routes=routes, exception_handlers={Refused: lambda _, error: error_response(error)})
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board", headers=headers) as made:
        yield handlers, made


@pytest.mark.parametrize(
    ("query", "shown", "total"),
    [
        ("", ["late dead", "delivered", "dead"], 3),
        ("?state=dead", ["late dead", "dead"], 2),
        ("?state=waiting", [], 0),
        ("?state=dead&limit=1", ["late dead"], 2),
    ],
)
async def test_deliveries_are_those_of_the_state_that_is_asked_for(
    tmp_path: Path, query: str, shown: list[str], total: int
) -> None:
    async with client_of_one(tmp_path) as (handlers, asked):
        for at, (name, state) in enumerate(
            [("dead", State.DEAD), ("delivered", State.DELIVERED), ("late dead", State.DEAD)]
        ):
            delivery = msgspec.structs.replace(make_pending(S), id=name, state=state, created_at=float(at))
            handlers._store.book().take(name, delivery, at)
        answer = (await asked.get(f"{BASE}/s/deliveries{query}")).json()
    assert ([each["id"] for each in answer["deliveries"]], answer["total"]) == (shown, total)


@pytest.mark.parametrize(
    ("kind", "status"), [(ChannelType.WEBHOOK, Status.FIRING), (ChannelType.ALERTMANAGER, Status.RESOLVED)]
)
def test_a_test_message_fires_except_at_an_alertmanager_which_would_notify_somebody(
    kind: ChannelType, status: Status
) -> None:
    alert = sample_alert(make_subscription("s", "https://hooks.example.com/", kind), 100.0)
    assert alert.status is status
    assert alert.ends_at == (100.0 if status is Status.RESOLVED else None)


async def test_head_is_get_and_makes_and_changes_nothing(tmp_path: Path) -> None:
    async with client_of_one(tmp_path) as (_, asked):
        for path in (BASE, f"{BASE}/s"):
            answer = await asked.request("HEAD", path, json={"name": "other"})
            assert answer.status_code == 200
            assert answer.headers["content-length"] == (await asked.get(path)).headers["content-length"]
