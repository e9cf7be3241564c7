"""What the OpenAPI documents share: a name of a schema means one thing in all of them."""

import inspect
from collections import defaultdict

import pytest

from services.board.openapi import openapi as board
from services.gateway.openapi import openapi as gateway
from services.herald.api.openapi import subscription_document
from services.http.openapi import Document, SchemaClash, errors, merge_schemas, schemas_of
from streams.contracts.view import Board


def schemas() -> dict[str, Document]:
    """The schemas of each document, by what it describes."""
    return {
        "gateway": gateway()["components"]["schemas"],
        "board": board()["components"]["schemas"],
        "subscriptions": subscription_document()[1],
    }


def test_a_name_of_a_schema_means_one_thing_in_all_documents() -> None:
    named: defaultdict[str, dict[str, Document]] = defaultdict(dict)
    for where, found in schemas().items():
        for name, schema in found.items():
            named[name][where] = schema
    shared = {name: meanings for name, meanings in named.items() if len(meanings) > 1}
    assert {"ErrorAnswer", "ErrorBody", "Kind", "Severity", "Status"} <= shared.keys()
    different = {
        name: sorted(meanings)
        for name, meanings in shared.items()
        if any(schema != next(iter(meanings.values())) for schema in meanings.values())
    }
    assert different == {}


def test_two_schemas_of_one_name_are_never_put_into_one_document() -> None:
    ours = schemas()["board"]
    with pytest.raises(SchemaClash, match="two different schemas are named Arenas"):
        board([({}, {"Arenas": {"type": "string"}})])
    assert merge_schemas(ours, {"Arenas": ours["Arenas"], "More": {}}).keys() == ours.keys() | {"More"}


def test_descriptions_have_no_indentation_of_the_source_whatever_the_version_of_python() -> None:
    described = schemas_of([Board])["Board"]["description"]
    assert described == inspect.getdoc(Board)
    assert "\n" in described
    assert "\n " not in described


def test_an_error_says_what_the_service_says_of_it_and_otherwise_what_all_say() -> None:
    described = errors({400: "Ours.", 429: "Wait."}, 400, 401, 429)
    assert [each["description"] for each in described.values()] == [
        "Ours.",
        "No bearer key, or an unknown one.",
        "Wait.",
    ]
    assert described["401"]["headers"].keys() == {"WWW-Authenticate"}
    assert described["429"]["headers"].keys() == {"Retry-After"}
    assert {each["content"]["application/json"]["schema"]["$ref"] for each in described.values()} == {
        "#/components/schemas/ErrorAnswer"
    }
