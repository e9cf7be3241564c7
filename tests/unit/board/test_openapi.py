"""The OpenAPI document is valid and says what the board does."""

from typing import Any

import jsonschema
import msgspec
import openapi_spec_validator
import pytest
from starlette.routing import Route

from services.board.app import create_board
from services.board.openapi import openapi
from services.herald.api.openapi import subscription_document
from streams.contracts.alert import Status
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from tests.support.views import alert, encode

from .conftest import Dictionaries, TestBoard


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(openapi()))
    return decoded


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
        return found.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    openapi_spec_validator.validate(document)


def test_with_the_subscriptions_it_is_valid_too() -> None:
    whole = openapi([subscription_document()])
    openapi_spec_validator.validate(msgspec.json.decode(msgspec.json.encode(whole)))
    assert {"/v1/arenas", "/v1/subscriptions", "/v1/subscriptions/{id}/test"} <= whole["paths"].keys()


def test_its_schemas_are_valid_and_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert references(document) == {f"#/components/schemas/{name}" for name in schemas}


def test_every_route_is_in_it_and_no_other(document: dict[str, Any]) -> None:
    routes = create_board(Settings(), Metrics(), source=Dictionaries()).routes
    served = {route.path.replace(":path}", "}") for route in routes if isinstance(route, Route)}
    assert served == set(document["paths"])


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/arenas", "/v1/arenas"),
        ("/v1/arenas/text/leaderboard", "/v1/arenas/{arena}/leaderboard"),
        ("/v1/arenas/text/leaderboard?rating=elo", "/v1/arenas/{arena}/leaderboard"),
        ("/v1/arenas/text/models/ash", "/v1/arenas/{arena}/models/{model}"),
        ("/v1/arenas/text/fairness", "/v1/arenas/{arena}/fairness"),
        ("/v1/arenas/text/alerts?status=all", "/v1/arenas/{arena}/alerts"),
        ("/v1/arenas/text/history", "/v1/arenas/{arena}/history"),
        ("/v1/arenas/nowhere/fairness", "/v1/arenas/{arena}/fairness"),
        ("/v1/arenas/text/leaderboard?rating=no", "/v1/arenas/{arena}/leaderboard"),
    ],
)
async def test_answers_follow_their_schemas(
    document: dict[str, Any], running: TestBoard, path: str, route: str
) -> None:
    running.past.take(encode(alert(3, status=Status.RESOLVED)))
    answer = await running.get(path)
    schema = document["paths"][route]["get"]["responses"][str(answer.status_code)]["content"]["application/json"]
    validator = jsonschema.Draft202012Validator({**schema["schema"], "components": document["components"]})
    validator.validate(answer.json())


async def test_it_is_served(running: TestBoard, document: dict[str, Any]) -> None:
    assert (await running.get("/openapi.json")).json() == document
