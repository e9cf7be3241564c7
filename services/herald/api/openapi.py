"""The part of the board's OpenAPI 3.1 document that describes subscriptions, made from the code."""

from __future__ import annotations

from typing import Any

import msgspec

from services.herald.api import views
from services.herald.api.drafts import Changes, Draft
from services.herald.api.routes import MOST_SHOWN, SHOWN
from services.http.openapi_errors import error_described
from services.http.responses import ErrorAnswer
from streams.contracts.delivery import State

Document = dict[str, Any]

_TYPES = (
    Draft,
    Changes,
    views.ShownSubscription,
    views.ChangedSubscription,
    views.NewSubscription,
    views.Subscriptions,
    views.Deliveries,
    views.SentConfirmation,
    views.TestAnswer,
    views.NewSecret,
    views.Replayed,
    ErrorAnswer,
)


def subscription_document() -> tuple[Document, Document]:
    """Paths and schemas, to be put into the board's document; its security scheme is named `key`."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    plain: Document = msgspec.json.decode(msgspec.json.encode(schemas))  # a default that is a tuple is none in JSON
    return _paths(), plain


def _paths() -> Document:
    base = "/v1/subscriptions"
    one = [_path("id")]
    return {
        base: {
            "get": _operation("listSubscriptions", "Your subscriptions", "200", "Subscriptions"),
            "post": _operation(
                "subscribe",
                "Subscribe: you get the alerts that fire now, and from then on new and resolved ones",
                "201",
                "NewSubscription",
                body="Draft",
                also=(403, 408, 413, 415, 422),
            ),
        },
        f"{base}/{{id}}": {
            "parameters": one,
            "get": _operation("getSubscription", "One subscription", "200", "ShownSubscription", also=(404,)),
            "put": _operation(
                "replaceSubscription",
                "Replace it; a webhook keeps its secret unless a new one is given",
                "200",
                "ChangedSubscription",
                body="Draft",
                also=(403, 404, 408, 413, 415, 422),
            ),
            "patch": _operation(
                "changeSubscription",
                "Change it; any change reactivates one that a 410 of its endpoint disabled",
                "200",
                "ChangedSubscription",
                body="Changes",
                also=(403, 404, 408, 413, 415, 422),
            ),
            "delete": _operation("unsubscribe", "Delete it, its history included", "204", None, also=(404,)),
        },
        f"{base}/{{id}}/secret": {
            "parameters": one,
            "post": _operation(
                "rotateSecret",
                "A new secret; for one more day, each message is signed with both",
                "200",
                "NewSecret",
                also=(404, 409),
            ),
        },
        f"{base}/{{id}}/confirmation": {
            "parameters": one,
            "post": _operation(
                "askAgain",
                "Send the recipient of e-mail a new link; the previous one becomes invalid",
                "200",
                "SentConfirmation",
                also=(403, 404, 409, 422),
            ),
        },
        f"{base}/{{id}}/confirm": {
            "parameters": one,
            "get": _page("showConfirmation", "The page behind the link in the message; it changes nothing", _LINK),
            "post": _page("confirm", "Confirm or revoke: the form of the page", _FORM),
        },
        f"{base}/{{id}}/test": {
            "parameters": one,
            "post": _operation(
                "testSubscription", "Send one test message now; the response has the outcome", "200", "TestAnswer",
                also=(403, 404, 409),
            ),
        },
        f"{base}/{{id}}/deliveries": {
            "parameters": [
                *one,
                _query("state", {"type": "string", "enum": [*State]}),
                _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN, "default": SHOWN}),
            ],
            "get": _operation(
                "listDeliveries", "Deliveries and their outcome", "200", "Deliveries", also=(404,)
            ),
        },
        f"{base}/{{id}}/deliveries/{{delivery}}/replay": {
            "parameters": [*one, _path("delivery")],
            "post": _operation("replayDelivery", "Send a failed delivery again", "202", "Replayed", also=(404, 409)),
        },
        f"{base}/{{id}}/replay": {
            "parameters": one,
            "post": _operation("replayFailures", "Send all failed deliveries again", "202", "Replayed", also=(404,)),
        },
    }  # fmt: skip


_MEANING = {
    400: (
        "An unknown parameter or an invalid value (`detail` lists what is allowed); or the body is empty, not UTF-8,"
        " not JSON or too deeply nested."
    ),
    401: "No bearer key, or an unknown one.",
    403: "The key may not get alerts of this arena, or the operator disabled the subscription.",
    404: "There is no such subscription or delivery, or it belongs to another key.",
    408: "The body did not arrive in time.",
    409: (
        "The delivery has not failed (`not_failed`); the subscription's messages are not signed (`not_signed`); its"
        " recipient has not confirmed (`no_consent`), or need not (`nothing_to_confirm`)."
    ),
    413: "The body is too large.",
    415: "The Content-Encoding is not supported.",
    422: "The request is invalid; the reason says why.",
    429: "Too many requests or confirmations; Retry-After says when to try again.",
    503: "Kafka is away; try again.",
}


_LINKED = (
    "getSubscription",
    "replaceSubscription",
    "changeSubscription",
    "unsubscribe",
    "rotateSecret",
    "testSubscription",
    "listDeliveries",
    "replayFailures",
)
"""What can be done next with the id of a new subscription."""


def _operation(
    name: str,
    summary: str,
    status: str,
    schema: str | None,
    *,
    body: str | None = None,
    also: tuple[int, ...] = (),
) -> Document:
    operation: Document = {
        "operationId": name,
        "summary": summary,
        "tags": ["subscriptions"],
        "security": [{"key": []}],
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    done: Document = {"description": "Done; Kafka has acknowledged the records."}
    if name == "subscribe":
        done["headers"] = {"Location": {"required": True, "schema": {"type": "string"}}}
        done["links"] = {each: {"operationId": each, "parameters": {"id": "$response.body#/id"}} for each in _LINKED}
    if schema is not None:
        done["content"] = _content(schema)
    errors = {str(each): error_described(each, _MEANING[each]) for each in sorted({400, 401, 429, 503, *also})}
    return {**operation, "responses": {status: done, **errors}}


_LINK: Document = {"parameters": [{"name": "token", "in": "query", "required": True, "schema": {"type": "string"}}]}
_FORM: Document = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["token"],
                    "properties": {
                        "token": {"type": "string"},
                        "do": {"type": "string", "enum": ["confirm", "stop"], "default": "confirm"},
                    },
                }
            }
        },
    }
}


def _page(name: str, summary: str, given: Document) -> Document:
    """An operation of the recipient, who has a link and no key."""
    answers = {
        "200": "The page with the possible action, or its result.",
        "404": "The link is no longer valid.",
        "503": _MEANING[503],
    }
    html: Document = {"text/html": {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["subscriptions"],
        "security": [],
        **given,
        "responses": {status: {"description": said, "content": html} for status, said in answers.items()},
    }


def _content(schema: str) -> Document:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _path(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query(name: str, schema: Document) -> Document:
    return {"name": name, "in": "query", "schema": schema}
