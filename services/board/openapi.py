"""The board's OpenAPI 3.1 document, made from the contracts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from services.board.ordering import Format, Rating
from services.board.stream_status import Stream
from services.http.openapi_errors import error_described
from services.http.responses import ErrorAnswer
from streams.contracts.alert import Alert
from streams.contracts.history import ArenaHistory, ModelHistory
from streams.contracts.judged import Judged
from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP
from streams.contracts.view import Board
from streams.contracts.vote import ARENA_PATTERN

Document = dict[str, Any]

_JSON, _SSE = "application/json", "text/event-stream"

_EVENTS = (
    "Events, each with an id: `board` {boards, ledger}: read these boards again; `fairness` {ledger}; `alert`: an "
    "alert that is new, changed or ended; `stopped` {stopped}: folds that have stopped this arena; `stream`: "
    "whether the stream of this arena is live, behind, stopped or gone (first of all, and whenever it changes); "
    "`reset`: missed events are no longer available, read everything again. A client that reconnects with "
    "`Last-Event-ID` misses nothing. A comment is sent every 15 seconds. A client that does not keep up is "
    "disconnected, and may reconnect."
)


def openapi(added: Sequence[tuple[Document, Document]] = ()) -> Document:
    """Whole document, ready to encode as JSON; `added` are paths and schemas to add, whose security scheme is `key`."""
    _, schemas = msgspec.json.schema_components(
        [Board, Alert, Judged, ModelHistory, ArenaHistory, Stream, ErrorAnswer],
        ref_template="#/components/schemas/{name}",
    )
    schemas |= {
        "Arenas": _object(arenas=_array(_ref("ArenaLine"))),
        "ArenaLine": _object(
            arena=_STRING,
            boards=_array(_STRING),
            votes=_COUNT_OR_NULL,
            models=_COUNT_OR_NULL,
            declares={
                "type": ["boolean", "null"],
                "description": "Whether the arena declares its models; if not, few detectors can judge it.",
            },
            as_of={"type": ["number", "null"], "description": "Newest record time counted, epoch seconds."},
            alerts_firing=_COUNT_OR_NULL
            | {"description": "`null` while unknown. 0 means nothing for kinds of alerts that are not judged."},
            stopped=_STOPPED,
        ),
        "OrderedBoard": {
            **schemas["Board"],
            "title": "OrderedBoard",
            "required": [*schemas["Board"]["required"], "ordered_by"],
            "properties": {**schemas["Board"]["properties"], "ordered_by": {"enum": [*map(str, Rating)][1:]}},
        },
        "ModelPage": _object(
            arena=_STRING,
            model=_STRING,
            boards={"type": "object", "additionalProperties": _ref("RatedModel")},
            fairness={"oneOf": [{"type": "object"}, {"type": "null"}]},
            alerts={"oneOf": [_array(_ref("Alert")), {"type": "null"}], "description": "Null: nothing was judged yet."},
            judged=_JUDGED,
        ),
        "Fairness": {
            "type": "object",
            "description": "Shares, declared shares, evidence and counts: docs/contracts/fairness.schema.json.",
        },
        "Alerts": {
            **_object(
                arena=_STRING,
                status={"enum": ["firing", "all"]},
                total={**_COUNT, "description": "Number of alerts without `limit`."},
                alerts=_array(_ref("Alert")),
                judged=_JUDGED,
            )
        },
    }
    schemas["Alerts"]["properties"]["past"] = {
        "enum": ["live", "away"],
        "description": "With status=all: `away` while Kafka cannot be read, so that ended alerts may be missing.",
    }
    paths = _paths()
    for their_paths, their_schemas in added:
        paths |= their_paths
        schemas = their_schemas | schemas
    keyed = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}} if added else {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Isonomy board",
            "version": version("isonomy"),
            "description": "Leaderboards, fairness and alerts of model arenas, as published, live.",
        },
        "paths": paths,
        "components": {"schemas": schemas, **keyed},
    }


def _paths() -> Document:
    arena = _parameter("arena", "path", {"type": "string", "pattern": ARENA_PATTERN})
    model = {"type": "string", "minLength": 1, "maxLength": 128}
    board = _parameter("board", "query", {"type": "string", "default": "overall"})
    rating = _parameter("rating", "query", {"enum": [*map(str, Rating)], "default": "bt"})
    form = _parameter("format", "query", {"enum": [*map(str, Format)], "default": "json"})
    status = _parameter("status", "query", {"enum": ["firing", "all"], "default": "firing"})
    limit = _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})
    top = _parameter("top", "query", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10})
    last = _parameter("last_event_id", "query", {"type": "string"})
    leaderboard = {"anyOf": [_ref("Board"), _ref("OrderedBoard")]}
    histories = {"anyOf": [_ref("ArenaHistory"), _ref("ModelHistory")]}
    paths = {
        "": _view("listArenas", "Arenas that have a published view", _ref("Arenas")),
        "/{arena}/leaderboard": _view(
            "getLeaderboard", "One board, by one of its ratings", leaderboard, arena, board, rating, form
        ),
        "/{arena}/models/{model}": _view(
            "getModel", "One model on every board", _ref("ModelPage"), arena, _parameter("model", "path", model)
        ),
        "/{arena}/fairness": _view("getFairness", "Shares, evidence and counts", _ref("Fairness"), arena),
        "/{arena}/alerts": _view("listAlerts", "Alerts, latest first", _ref("Alerts"), arena, status, limit),
        "/{arena}/alerts.atom": _view(
            "followAlerts", "Alerts as an Atom feed", {"type": "string"}, arena, media="application/atom+xml"
        ),
        "/{arena}/history": _view(
            "getHistory",
            "Ratings, shares and evidence over time",
            histories,
            arena,
            board,
            _parameter("model", "query", model),
            top,
        ),
        "/{arena}/events": _view("listen", "Changes, as they happen", {"type": "string"}, arena, last, media=_SSE),
    }
    paths["/{arena}/leaderboard"]["get"]["responses"]["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    changed = _object(boards=_array(_STRING), ledger={"type": ["integer", "null"]})
    paths["/{arena}/events"]["get"] |= {
        "description": _EVENTS,
        "x-event-data": {
            "board": changed,
            "fairness": _object(ledger={"type": ["integer", "null"]}),
            "alert": _ref("Alert"),
            "stopped": _object(stopped=_STOPPED),
            "stream": _ref("Stream"),
            "reset": _object(),
        },
    }
    plain = {"type": "object"}
    return {
        **{f"/v1/arenas{path}": item for path, item in paths.items()},
        "/healthz": _view("health", "The process is up", plain),
        "/readyz": _view("readiness", "Redis is followed", plain),
        "/metrics": _view("metrics", "Prometheus series", {"type": "string"}, media="text/plain"),
        "/openapi.json": _view("description", "This document", plain),
    }


_STRING: Document = {"type": "string"}
_COUNT: Document = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Document = {
    "type": ["integer", "null"],
    "minimum": 0,
    "description": "`null` while unknown: it was not published, or cannot be read by this board.",
}
_JUDGED: Document = {
    "oneOf": [{"type": "array", "items": {"$ref": "#/components/schemas/Judged"}}, {"type": "null"}],
    "description": "Which detectors judge this arena now, and why the others do not; null: unknown.",
}
_STOPPED: Document = {
    "type": "array",
    "description": "Folds that have stopped this arena; what they publish is not updated. Empty while none has.",
    "items": {
        "type": "object",
        "required": ["stage", "since"],
        "properties": {
            "stage": {"enum": [RATINGS_GROUP, FAIRNESS_GROUP]},
            "since": {"type": "number", "description": "Epoch seconds."},
        },
    },
}
_MEANING = {
    400: "An unknown parameter or an invalid value; `detail` lists what is allowed.",
    404: "There is no such arena, board or model (`detail` lists those that exist); or nothing of it was judged yet.",
    503: "Nothing is known yet: Redis is away, or empty while the ledger is not. Retry-After says when to try again.",
}
_NOT_MODIFIED = {"description": "The version in If-None-Match is still current."}
_STALE = {
    "schema": {"type": "integer"},
    "description": "Only while Redis is away: possible age of the response, seconds.",
}


def _view(name: str, summary: str, schema: Document, *parameters: Document, media: str = _JSON) -> Document:
    answer: Document = {"description": summary, "content": {media: {"schema": schema}}}
    responses: Document = {"200": answer}
    cached = name.startswith(("list", "get", "follow")) and media != _SSE
    if cached:
        answer["headers"] = {"ETag": {"schema": _STRING}, "Age": _STALE}
        responses["304"] = _NOT_MODIFIED
    if parameters or cached:
        responses["400"] = _error(400)
    if parameters:
        responses["404"] = _error(404)
    if parameters or cached or name == "readiness":
        responses["503"] = _error(503)
    operation = {"operationId": name, "summary": summary, "responses": responses}
    return {"get": {**operation, "parameters": list(parameters)} if parameters else operation}


def _error(status: int) -> Document:
    return error_described(status, _MEANING[status])


def _parameter(name: str, where: str, schema: Document) -> Document:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def _object(**properties: Document) -> Document:
    return {"type": "object", "required": list(properties), "properties": properties}


def _array(items: Document) -> Document:
    return {"type": "array", "items": items}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}
