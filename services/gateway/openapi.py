"""The gateway's OpenAPI 3.1 document, made from the contracts."""

from __future__ import annotations

import copy
from importlib.metadata import version
from typing import Any

import msgspec

from services.gateway.parse_votes import MAX_VOTES
from services.gateway.responses import ModelAnswer, VotesAnswer
from services.gateway.routes import AS_WRITTEN
from services.http.openapi_errors import error_described
from services.http.responses import ErrorAnswer
from streams.contracts.model import Model
from streams.contracts.names import NAME_PATTERN
from streams.contracts.vote import ARENA_PATTERN, Vote

Document = dict[str, Any]


def openapi() -> Document:
    """The whole document, ready to encode as JSON."""
    _, schemas = msgspec.json.schema_components(
        [Vote, Model, VotesAnswer, ModelAnswer, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    schemas["Declaration"] = _declaration(schemas.pop("Model"))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Isonomy gateway",
            "version": version("isonomy"),
            "description": "Accepts votes of a model arena and declarations of its models, for Kafka.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> Document:
    return {
        "/v1/votes": {
            "post": {
                "operationId": "sendVotes",
                "summary": "Send one vote, an array of votes, or lines of votes",
                "description": (
                    f"At most {MAX_VOTES} items. The answer is 202 only when all accepted votes are in Kafka. "
                    "After a 503, or no answer, send the same again: an id counts once in its arena. `accepted` means "
                    "that a vote is in Kafka, not that it counts: only intake knows whether its id was sent before, "
                    "in another request or not through the gateway. `duplicates` counts only within the request. "
                    "Names of models, languages and categories are counted in their normal form: composed (NFC), no "
                    "blanks or invisible characters at their ends, no zero-width characters (U+200B to U+200D, "
                    "U+2060, U+FEFF), several blanks as one; `renamed` lists names that were not normal. "
                    "Unknown fields are ignored, except fields of the public data sets which show that the record is "
                    "not one whole vote; it is rejected: `anony` false (`not_anonymous`); `count` or `weight` not "
                    "1, `is_valid` or `dedup_tag.sampled` false (`invalid_field`)."
                ),
                "security": [{"key": []}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"oneOf": [_ref("Vote"), {"type": "array", "items": _ref("Vote")}]}
                        },
                        "application/x-ndjson": {"schema": {"type": "string", "description": "One vote a line."}},
                    },
                },
                "responses": {
                    "202": _content("The accepted votes are in Kafka; the others are listed.", _ref("VotesAnswer")),
                    "422": _content("Every item was rejected.", _ref("VotesAnswer")),
                    **_errors(400, 401, 403, 408, 413, 415, 429, 503),
                },
            }
        },
        "/v1/arenas/{arena}/models/{model}": {
            "parameters": [_path("arena", {"type": "string", "pattern": ARENA_PATTERN})],
            "put": {
                "parameters": [_path("model", _MODEL | {"pattern": NAME_PATTERN})],
                "operationId": "declareModel",
                "summary": "Declare a model, or a change of it",
                "description": "The record and the response have the name in its normal form.",
                "security": [{"key": []}],
                "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Declaration")}}},
                "responses": {
                    "202": _content("The record is in Kafka.", _ref("ModelAnswer")),
                    **_errors(400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
                },
            },
            "delete": {
                "parameters": [
                    _path("model", _MODEL),  # no pattern: a name may be older than the rule for names
                    {
                        "name": AS_WRITTEN,
                        "in": "query",
                        "description": (
                            "`true`: remove the record under exactly this name, for records from before names had a "
                            "normal form."
                        ),
                        "schema": {"type": "boolean", "default": False},
                    },
                ],
                "operationId": "removeModel",
                "summary": "Remove a model's record (to retire a model, declare it `retired`)",
                "security": [{"key": []}],
                "responses": {
                    "202": _content("The removal is in Kafka.", _ref("ModelAnswer")),
                    **_errors(400, 401, 403, 404, 422, 429, 503),
                },
            },
        },
        "/healthz": {"get": _read("health", "The process is up.", "application/json")},
        "/readyz": {
            "get": _read("readiness", "Kafka answers and the topics are there.", "application/json", **_errors(503))
        },
        "/metrics": {"get": _read("metrics", "Prometheus series.", "text/plain")},
        "/openapi.json": {"get": _read("description", "This document.", "application/json")},
    }


def _declaration(model: Document) -> Document:
    """Schema of the model record as a body: arena and model are in the path, `tstamp` is now by default."""
    schema = copy.deepcopy(model)
    schema["title"] = "Declaration"
    schema["description"] = (
        "An arena's declaration of a model. `arena` and `model` come from the path: the body may repeat them, but must "
        "agree with the path. `tstamp` defaults to the time of the request."
    )
    schema["required"] = [name for name in schema["required"] if name not in ("arena", "model", "tstamp")]
    for name in ("arena", "model"):
        del schema["properties"][name]
    return schema


_MODEL: Document = {"type": "string", "minLength": 1, "maxLength": 128}
_MEANING = {
    400: (
        "An unknown parameter or an invalid value (`detail` lists what is allowed); or the body is empty, not UTF-8,"
        " not JSON or too deeply nested."
    ),
    401: "No bearer key, or an unknown one.",
    403: "The key may not write to this arena, or to no more arenas (`too_many_arenas`); nothing was written.",
    404: "The path is not that of a model: it has no arena, or a line break in the model's name.",
    408: "The body did not arrive in time.",
    413: "The body is too large or has too many items.",
    415: "The Content-Encoding is not supported.",
    422: "The record cannot be used.",
    429: (
        "The key has sent more votes than it may (`rate_limited`), almost only items that were refused "
        "(`key_quarantined`: `detail` has the first reason), or too many different models (`too_many_models`). "
        "Retry-After says when to try again."
    ),
    503: "Kafka cannot take records (`unavailable`) or has not acknowledged them (`unconfirmed`); try again.",
}


def _errors(*statuses: int) -> Document:
    return {str(status): error_described(status, _MEANING[status]) for status in statuses}


def _content(description: str, schema: Document) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _read(name: str, description: str, media_type: str, **others: Document) -> Document:
    answer = {"description": description, "content": {media_type: {}}}
    return {"operationId": name, "summary": description, "responses": {"200": answer, **others}}


def _path(name: str, schema: Document) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}
