"""Correct requests where JSON Schema cannot express a rule; runs inside Schemathesis.

A rule about two fields at once, or about what time it is, stands in the words of the document alone. Data that the
schema allows is changed here to keep such a rule; data that is meant to be bad is left as it is.
"""

import json
import time
import unicodedata
from typing import Any
from urllib.parse import unquote

import schemathesis
from hypothesis import strategies as st

_OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer",
         "expect", "proxy-authorization", "webhook-id", "webhook-timestamp", "webhook-signature"}  # fmt: skip
_COUNTS = [f"{what}_{side}" for what in ("tokens", "headers", "lists", "bolds") for side in "ab"]
_URLS = {
    "webhook": "https://203.0.113.7/alerts",
    "apprise": "jsons://203.0.113.7/alerts",
    "alertmanager": "https://203.0.113.7",
}
"""Addresses that belong to nobody (RFC 5737): what is sent there goes nowhere."""


def _vote(vote: dict[str, Any]) -> None:
    """The two sides differ, nothing is voted on in the future, and a count is written as one.

    To JSON Schema 3.0 is an integer; to the decoder, at both doors alike, it is not.
    """
    if _letters(vote["model_a"]) == _letters(vote["model_b"]):
        vote["model_b"] = "other" if vote["model_a"] != "other" else "another"
    if vote.get("style"):
        vote["style"] |= {name: int(vote["style"][name]) for name in _COUNTS}
    vote["tstamp"] = min(vote["tstamp"], time.time())


def _letters(name: object) -> str:
    """A name without what its normal form may be without; this environment has nothing of the project's."""
    text = unicodedata.normalize("NFC", str(name))
    return "".join(each for each in text if not each.isspace() and unicodedata.category(each) != "Cf")


def _channel(body: dict[str, Any]) -> None:
    """The URL fits its type, and only a webhook has a secret."""
    channel = body.get("channel")
    if not channel:
        return
    channel["url"] = _URLS[channel["type"]]
    channel["headers"] = {name: text for name, text in channel.get("headers", {}).items() if name.lower() not in _OURS}
    if channel.get("secret") is not None:
        channel["secret"] = "whsec_" + "A" * 32 if channel["type"] == "webhook" else None


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Keep the rules in what is meant to be good."""
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    operation = case.operation.definition.raw.get("operationId")
    if operation == "sendVotes" and case.media_type == "application/json":
        for vote in case.body if isinstance(case.body, list) else [case.body]:
            _vote(vote)
    elif operation == "declareModel":
        if "tstamp" in case.body:
            case.body["tstamp"] = min(case.body["tstamp"], time.time())
        # A chain of requests brings along what DELETE took: it removes names that could be declared once.
        if not unquote(str(case.path_parameters["model"])).isprintable():
            case.path_parameters["model"] = "declared"
    elif operation in ("subscribe", "replaceSubscription", "changeSubscription"):
        _channel(case.body)


_names = st.text("abcdefgh", min_size=1, max_size=8)
_votes = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "model_a": _names,
        "model_b": _names.map("other-".__add__),
        "winner": st.sampled_from(["model_a", "model_b", "tie", "both_bad", "none"]),
        "tstamp": st.floats(0, 1e9),
    }
)
schemathesis.openapi.media_type(
    "application/x-ndjson",
    st.lists(_votes.map(json.dumps), min_size=1, max_size=5).map(lambda lines: "\n".join(lines).encode()),
)
