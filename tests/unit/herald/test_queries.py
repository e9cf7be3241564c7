"""The subscription routes use every parameter and field that they get, or refuse it and list those that exist."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from services.herald.api.drafts import read_changes, read_draft
from services.herald.api.openapi import subscription_document
from services.herald.api.routes import Handlers, subscription_routes
from services.http.api_keys import new_key
from services.http.errors import Refused
from services.http.responses import error_response
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import SubscriptionSettings
from streams.contracts.settings import Settings
from tests.support.herald import make_subscription

BASE = "/v1/subscriptions"
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


async def test_head_is_get_and_makes_and_changes_nothing(tmp_path: Path) -> None:
    secret, line = new_key("test", "*")
    (tmp_path / "keys").write_text(f"{line}\n")
    handlers = Handlers(Settings(subscriptions=SubscriptionSettings(keys_file=tmp_path / "keys")), Metrics(), None)
    handlers._store._complete = True  # as if Kafka had been read, and held one subscription
    handlers._store.book().take_subscription("s", make_subscription("s", "https://hooks.example.com/"))
    methods = ["GET", "POST", "PATCH"]
    routes = [Route(BASE, handlers.collection, methods=methods), Route(BASE + "/{id}", handlers.one, methods=methods)]
    app = Starlette(routes=routes, exception_handlers={Refused: lambda _, error: error_response(error)})
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board", headers=headers) as asked:
        for path in (BASE, f"{BASE}/s"):
            answer = await asked.request("HEAD", path, json={"name": "other"})
            assert answer.status_code == 200
            assert answer.headers["content-length"] == (await asked.get(path)).headers["content-length"]
