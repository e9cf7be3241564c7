"""The OpenAPI document is valid and says what the gateway does."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import validate

from services.gateway.app import create_gateway
from services.gateway.openapi import openapi
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings

VOTE = {"id": "v1", "model_a": "x", "model_b": "y", "winner": "tie", "tstamp": 1.0}
MODEL = {"provider": "p", "license": "proprietary", "visibility": "public", "status": "active", "weight": 1}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(openapi()))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)


def validator(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document})


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_its_schemas_are_valid_and_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}
    assert references == {f"#/components/schemas/{name}" for name in schemas}


def test_every_route_is_in_it_with_its_methods_and_no_other(document: dict[str, Any]) -> None:
    routes = create_gateway(Settings(), Metrics()).routes
    served = {
        (route.path.replace(":path}", "}"), method.lower())  # type: ignore[attr-defined]
        for route in routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    described = {
        (path, method) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert served - described == {("/", "get")}
    assert described <= served


def test_its_schemas_take_what_the_gateway_takes(document: dict[str, Any]) -> None:
    validator(document, "Vote").validate(VOTE | {"unknown": 1, "voter": None, "battle": "b", "drawn_at": 0.5})
    validator(document, "Declaration").validate(MODEL)
    for bad in (
        {"winner": "draw"},
        {"id": ""},
        {"arena": "Text"},
        {"p_pair": 2},
        {"battle": 7},
        {"drawn_at": -1},
        {"anony": False},
        {"count": 3},
    ):
        assert not validator(document, "Vote").is_valid(VOTE | bad)
    assert not validator(document, "Declaration").is_valid({"provider": "p"})
