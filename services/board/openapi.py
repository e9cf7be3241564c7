"""The board's OpenAPI 3.1 document, made from the contracts."""

from __future__ import annotations

from collections.abc import Sequence

from services.board.ordering import Format, Rating
from services.board.routes import ALERTS, MOST_ALERTS, STATUSES
from services.board.stream_status import Stream
from services.http.openapi import (
    JSON,
    STRING,
    Document,
    answer,
    array_of,
    build,
    content,
    errors,
    merge_schemas,
    object_of,
    operation,
    parameter,
    reference,
    schemas_of,
)
from services.http.responses import ErrorAnswer
from streams.contracts.alert import Alert
from streams.contracts.history import ArenaHistory, ModelHistory
from streams.contracts.judged import Judged
from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP
from streams.contracts.view import Board
from streams.contracts.vote import ARENA_PATTERN

_SSE = "text/event-stream"

_EVENTS = (
    "Events, each with an id: `board` {boards, ledger}: read these boards again; `fairness` {ledger}; `alert`: an "
    "alert that is new, changed or ended; `stopped` {stopped}: folds that have stopped this arena; `stream`: "
    "whether the stream of this arena is live, behind, stopped or gone (first of all, and whenever it changes); "
    "`reset`: missed events are no longer available, read everything again. A client that reconnects with "
    "`Last-Event-ID` misses nothing. A comment is sent every 15 seconds. A client that does not keep up is "
    "disconnected, and may reconnect."
)


def openapi(added: Sequence[tuple[Document, Document]] = ()) -> Document:
    """Whole document, ready to encode as JSON; `added` are paths and schemas to add, whose operations may be keyed.

    Raises
    ------
    SchemaClash
        When an added schema has the name of another one and differs from it.
    """
    paths = _paths()
    for theirs, _ in added:
        paths |= theirs
    schemas = merge_schemas(*(theirs for _, theirs in added), _schemas())
    description = "Leaderboards, fairness and alerts of model arenas, as published, live."
    return build("Isonomy board", description, paths, schemas, keyed=bool(added))


def _schemas() -> Document:
    """The schemas of the board's own answers: of structs, and of what is put together from several views."""
    schemas = schemas_of([Board, Alert, Judged, ModelHistory, ArenaHistory, Stream, ErrorAnswer])
    schemas |= {
        "Arenas": object_of(arenas=array_of(reference("ArenaLine"))),
        "ArenaLine": object_of(
            arena=STRING,
            boards=array_of(STRING),
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
        "ModelPage": object_of(
            arena=STRING,
            model=STRING,
            boards={"type": "object", "additionalProperties": reference("RatedModel")},
            fairness={"oneOf": [{"type": "object"}, {"type": "null"}]},
            alerts={
                "oneOf": [array_of(reference("Alert")), {"type": "null"}],
                "description": "Null: nothing was judged yet.",
            },
            judged=_JUDGED,
        ),
        "Fairness": {
            "type": "object",
            "description": "Shares, declared shares, evidence and counts: docs/contracts/fairness.schema.json.",
        },
        "Alerts": object_of(
            arena=STRING,
            status={"enum": [*STATUSES]},
            total={**_COUNT, "description": "Number of alerts without `limit`."},
            alerts=array_of(reference("Alert")),
            judged=_JUDGED,
        ),
    }
    schemas["Alerts"]["properties"]["past"] = {
        "enum": ["live", "away"],
        "description": "With status=all: `away` while Kafka cannot be read, so that ended alerts may be missing.",
    }
    return schemas


def _paths() -> Document:
    arena = parameter("arena", "path", {"type": "string", "pattern": ARENA_PATTERN})
    model = {"type": "string", "minLength": 1, "maxLength": 128}
    board = _query("board", {"type": "string", "default": "overall"})
    rating = _query("rating", {"enum": [*map(str, Rating)], "default": "bt"})
    form = _query("format", {"enum": [*map(str, Format)], "default": "json"})
    status = _query("status", {"enum": [*STATUSES], "default": "firing"})
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_ALERTS, "default": ALERTS})
    top = _query("top", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10})
    last = _query("last_event_id", {"type": "string"})
    leaderboard = {"anyOf": [reference("Board"), reference("OrderedBoard")]}
    histories = {"anyOf": [reference("ArenaHistory"), reference("ModelHistory")]}
    paths = {
        "": _view("listArenas", "Arenas that have a published view", reference("Arenas")),
        "/{arena}/leaderboard": _view(
            "getLeaderboard", "One board, by one of its ratings", leaderboard, arena, board, rating, form
        ),
        "/{arena}/models/{model}": _view(
            "getModel", "One model on every board", reference("ModelPage"), arena, parameter("model", "path", model)
        ),
        "/{arena}/fairness": _view("getFairness", "Shares, evidence and counts", reference("Fairness"), arena),
        "/{arena}/alerts": _view("listAlerts", "Alerts, latest first", reference("Alerts"), arena, status, limit),
        "/{arena}/alerts.atom": _view(
            "followAlerts", "Alerts as an Atom feed", STRING, arena, media="application/atom+xml"
        ),
        "/{arena}/history": _view(
            "getHistory",
            "Ratings, shares and evidence over time",
            histories,
            arena,
            board,
            _query("model", model),
            top,
        ),
        "/{arena}/events": _view("listen", "Changes, as they happen", STRING, arena, last, media=_SSE),
    }
    paths["/{arena}/leaderboard"]["get"]["responses"]["200"]["content"] |= content(STRING, "text/csv")
    changed = object_of(boards=array_of(STRING), ledger={"type": ["integer", "null"]})
    paths["/{arena}/events"]["get"] |= {
        "description": _EVENTS,
        "x-event-data": {
            "board": changed,
            "fairness": object_of(ledger={"type": ["integer", "null"]}),
            "alert": reference("Alert"),
            "stopped": object_of(stopped=_STOPPED),
            "stream": reference("Stream"),
            "reset": object_of(),
        },
    }
    plain = {"type": "object"}
    return {
        **{f"/v1/arenas{path}": item for path, item in paths.items()},
        "/healthz": _view("health", "The process is up", plain),
        "/readyz": _view("readiness", "Redis is followed", plain),
        "/metrics": _view("metrics", "Prometheus series", STRING, media="text/plain"),
        "/openapi.json": _view("description", "This document", plain),
    }


_COUNT: Document = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Document = {
    "type": ["integer", "null"],
    "minimum": 0,
    "description": "`null` while unknown: it was not published, or cannot be read by this board.",
}
_JUDGED: Document = {
    "oneOf": [array_of(reference("Judged")), {"type": "null"}],
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


def _view(name: str, summary: str, schema: Document, *parameters: Document, media: str = JSON) -> Document:
    done = answer(summary, schema, media)
    responses = {"200": done}
    cached = name.startswith(("list", "get", "follow")) and media != _SSE
    if cached:
        done["headers"] = {"ETag": {"schema": STRING}, "Age": _STALE}
        responses["304"] = _NOT_MODIFIED
    if parameters or cached:
        responses |= errors(_MEANING, 400)
    if parameters:
        responses |= errors(_MEANING, 404)
    if parameters or cached or name == "readiness":
        responses |= errors(_MEANING, 503)
    more: Document = {"parameters": list(parameters)} if parameters else {}
    return {"get": operation(name, summary, responses=responses, **more)}


def _query(name: str, schema: Document) -> Document:
    return parameter(name, "query", schema, required=False)
