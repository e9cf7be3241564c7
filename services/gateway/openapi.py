"""The gateway's OpenAPI 3.1 document, made from the contracts."""

from __future__ import annotations

import copy

from services.gateway.parse_body import MAX_VOTES
from services.gateway.responses import ModelAnswer, VotesAnswer
from services.gateway.routes import AS_WRITTEN
from services.http.openapi import (
    JSON,
    KEYED,
    Document,
    answer,
    array_of,
    build,
    content,
    errors,
    operation,
    parameter,
    reference,
    schemas_of,
)
from services.http.responses import ErrorAnswer
from streams.contracts.model import Model
from streams.contracts.names import NAME_PATTERN
from streams.contracts.vote import ARENA_PATTERN, DRAWN_SECONDS, Vote


def openapi() -> Document:
    """The whole document, ready to encode as JSON."""
    schemas = schemas_of([Vote, Model, VotesAnswer, ModelAnswer, ErrorAnswer])
    schemas["Declaration"] = _declaration(schemas.pop("Model"))
    return build(
        "Isonomy gateway",
        "Accepts votes of a model arena and declarations of its models, for Kafka.",
        _paths(),
        schemas,
        keyed=True,
    )


def _paths() -> Document:
    return {
        "/v1/votes": {"post": _send_votes()},
        "/v1/arenas/{arena}/models/{model}": {
            "parameters": [parameter("arena", "path", {"type": "string", "pattern": ARENA_PATTERN})],
            "put": {
                "parameters": [parameter("model", "path", _MODEL | {"pattern": NAME_PATTERN})],
                **operation(
                    "declareModel",
                    "Declare a model, or a change of it",
                    description="The record and the response have the name in its normal form.",
                    security=KEYED,
                    requestBody={"required": True, "content": content(reference("Declaration"))},
                    responses={
                        "202": answer("The record is in Kafka.", reference("ModelAnswer")),
                        **errors(_MEANING, 400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
                    },
                ),
            },
            "delete": {
                "parameters": [
                    parameter("model", "path", _MODEL),  # no pattern: a name may be older than the rule for names
                    parameter(
                        AS_WRITTEN,
                        "query",
                        {"type": "boolean", "default": False},
                        description=(
                            "`true`: remove the record under exactly this name, for records from before names had a "
                            "normal form."
                        ),
                    ),
                ],
                **operation(
                    "removeModel",
                    "Remove a model's record (to retire a model, declare it `retired`)",
                    security=KEYED,
                    responses={
                        "202": answer("The removal is in Kafka.", reference("ModelAnswer")),
                        **errors(_MEANING, 400, 401, 403, 404, 422, 429, 503),
                    },
                ),
            },
        },
        "/healthz": {"get": _read("health", "The process is up.", JSON)},
        "/readyz": {
            "get": _read("readiness", "Kafka answers and the topics are there.", JSON, **errors(_MEANING, 503))
        },
        "/metrics": {"get": _read("metrics", "Prometheus series.", "text/plain")},
        "/openapi.json": {"get": _read("description", "This document.", JSON)},
    }


def _send_votes() -> Document:
    return operation(
        "sendVotes",
        "Send one vote, an array of votes, or lines of votes",
        description=(
            f"At most {MAX_VOTES} items. The answer is 202 only when all accepted votes are in Kafka. "
            "After a 503, or no answer, send the same again: an id counts once in its arena. `accepted` means "
            "that a vote is in Kafka, not that it counts: only intake knows whether its id was sent before, "
            "in another request or not through the gateway. `duplicates` counts only within the request. "
            "Names of models, languages and categories are counted in their normal form: composed (NFC), no "
            "blanks or invisible characters at their ends, no zero-width characters (U+200B to U+200D, "
            "U+2060, U+FEFF), several blanks as one; `renamed` lists names that were not normal. "
            "Unknown fields are ignored, except fields of the public data sets which show that the record is "
            "not one whole vote; it is rejected: `anony` false (`not_anonymous`); `count` or `weight` not "
            "1, `is_valid` or `dedup_tag.sampled` false (`invalid_field`). `drawn_at` more than "
            f"{DRAWN_SECONDS:g} s after `tstamp` is rejected (`invalid_field`). Beyond the number of arenas, or of "
            "models of one arena, that votes of a key may name within a day, votes that name a further one are "
            "rejected (`too_many_arenas`, `too_many_names`); the others of the request are accepted."
        ),
        security=KEYED,
        requestBody={
            "required": True,
            "content": {
                **content({"oneOf": [reference("Vote"), array_of(reference("Vote"))]}),
                **content({"type": "string", "description": "One vote a line."}, "application/x-ndjson"),
            },
        },
        responses={
            "202": answer("The accepted votes are in Kafka; the others are listed.", reference("VotesAnswer")),
            "422": answer("Every item was rejected.", reference("VotesAnswer")),
            **errors(_MEANING, 400, 401, 403, 408, 413, 415, 429, 503),
        },
    )


def _read(name: str, description: str, media_type: str, **others: Document) -> Document:
    done = {"description": description, "content": {media_type: {}}}
    return operation(name, description, responses={"200": done, **others})


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
    403: "The key may not write to this arena, or to no more arenas (`too_many_arenas`); nothing was written.",
    404: "The path is not that of a model: it has no arena, or a line break in the model's name.",
    413: "The body is too large or has too many items.",
    422: "The record cannot be used.",
    429: (
        "The key has sent more votes than it may (`rate_limited`), almost only items that were refused "
        "(`key_quarantined`: `detail` has the first reason), or too many different models (`too_many_models`). "
        "Retry-After says when to try again."
    ),
    503: "Kafka cannot take records (`unavailable`) or has not acknowledged them (`unconfirmed`); try again.",
}
