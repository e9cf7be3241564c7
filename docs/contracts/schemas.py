"""JSON Schemas of the records and the board, from the types that the code decodes and encodes."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import msgspec

from streams.contracts.alert import Alert
from streams.contracts.delivery import Asked, Blocked, Claim, Delivery, Disabled, Replay
from streams.contracts.fairness_view import AlertsView, FairnessView
from streams.contracts.model import Model
from streams.contracts.subscription import Subscription
from streams.contracts.view import Board
from streams.contracts.vote import DRAWN_SECONDS, FUTURE_SECONDS, MAX_DEPTH, MAX_RECORD_BYTES, Vote

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_RECORD = (
    f"A schema cannot say, but the record must hold: the value is at most {MAX_RECORD_BYTES} bytes of UTF-8 without"
    f" lone surrogates and nests at most {MAX_DEPTH} deep; a name that stands twice has a usable value both times;"
    " integers are written without a fraction (`1`, not `1.0`); numbers are finite as 64-bit floats; a name is no"
    " longer in its normal form than it may be as written; `tstamp` is at"
    f" most {FUTURE_SECONDS:.0f} s after the broker's record time; and the record key is "
)
BEYOND: dict[type, str] = {
    Vote: (
        "Every optional field may be null, which means absent, but for `arena`: that one can only be left out. An empty"
        " string in `voter`, `language`, `prompt_hash` or `battle`, and an empty word in `categories`, mean absent"
        " too. "
        f"{_RECORD}`id`, byte for byte. `model_a` and `model_b` must differ in their normal form, and `drawn_at` is at"
        f" most {DRAWN_SECONDS:.0f} s after `tstamp`."
    ),
    Model: (
        f"Every optional field may be null, which means absent. {_RECORD}`arena/model`, the model in its normal form."
    ),
    Board: (
        "`provider`, `license` and `reason` are left out where there is nothing to say. Fields may be added"
        " later: ignore those that you do not know."
    ),
    Alert: (
        "`ends_at` is there when it is `resolved`; `subject` names a model, a provider or a licence class, and is empty"
        " when it is the arena. What `evidence` holds depends on the kind. Fields may be added later: ignore those that"
        " you do not know."
    ),
    FairnessView: (
        "`since` of a model is left out where there is nothing to say. Fields may be added later: ignore those that you"
        " do not know."
    ),
    Subscription: "Fields may be added later: ignore those that you do not know.",
    Delivery: "Fields may be added later: ignore those that you do not know.",
    Claim: "Fields may be added later.",
    Disabled: "It holds until the owner changes the subscription, which gives it another revision.",
    Blocked: "It holds until the operator removes it, whatever the owner changes.",
    Asked: "Its place in the topic decides: those before it count, whichever process wrote them.",
    Replay: "Obeyed when the delivery has failed and its `round` is below this one.",
    AlertsView: "A silence of the feed, which is judged in wall time, stands first.",
}
"""What the schema of a type cannot express, for its description."""


def json_text(document: Any) -> str:
    """JSON as all documents here are written: indented, one trailing newline, names in the order given."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def components(*types: type) -> dict[str, Schema]:
    """Schemas of types and of what they hold, by name, that refer to each other as components of a document."""
    _, found = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for kind in types:
        _describe(found[kind.__name__], kind)
    return {name: _tidy(found[name]) for name in sorted(found)}


def vote_json() -> str:
    """`vote.schema.json`."""
    return json_text(_alone(Vote))


def model_json() -> str:
    """`model.schema.json`."""
    return json_text(_alone(Model))


def board_json() -> str:
    """`board.schema.json`."""
    return json_text(_alone(Board))


def alert_json() -> str:
    """`alert.schema.json`."""
    return json_text(_alone(Alert))


def fairness_json() -> str:
    """`fairness.schema.json`: what stands in the key `fairness`; in `$defs`, `AlertsView` is that in `alerts`."""
    return json_text(_alone(FairnessView, AlertsView))


def _alone(kind: type, *beside: type) -> Schema:
    """Schema of one type as a document of its own; others may stand beside it."""
    _, found = msgspec.json.schema_components([kind, *beside], ref_template="#/$defs/{name}")
    root = found.pop(kind.__name__)
    _describe(root, kind)
    for each in beside:
        _describe(found[each.__name__], each)
    document: Schema = {"$schema": DIALECT, **_tidy(root)}
    if found:
        document["$defs"] = {name: _tidy(found[name]) for name in sorted(found)}
    return document


def _describe(schema: Schema, kind: type) -> None:
    schema["description"] = f"{inspect.cleandoc(schema['description'])}\n\n{BEYOND[kind]}"


def _tidy(value: Any) -> Any:
    """Unwrap descriptions that came from indented docstrings."""
    if isinstance(value, dict):
        return {
            name: _unwrap(each) if name == "description" and isinstance(each, str) else _tidy(each)
            for name, each in value.items()
        }
    return [_tidy(each) for each in value] if isinstance(value, list) else value


def _unwrap(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text))
