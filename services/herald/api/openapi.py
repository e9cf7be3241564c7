"""The part of the board's OpenAPI 3.1 document that describes subscriptions, made from the code."""

from __future__ import annotations

from services.herald.api import views
from services.herald.api.drafts import Changes, Draft
from services.herald.api.routes import MOST_SHOWN, SHOWN
from services.http.openapi import (
    KEYED,
    STRING,
    Document,
    content,
    errors,
    operation,
    parameter,
    reference,
    schemas_of,
)
from services.http.responses import ErrorAnswer
from streams.contracts.delivery import State

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
    """Paths and schemas, to be put into the board's document; its security scheme is `KEY_SCHEME`."""
    return _records() | _actions(), schemas_of(_TYPES)


_BASE = "/v1/subscriptions"
_ONE = [parameter("id", "path", STRING)]


def _records() -> Document:
    """What keeps subscriptions: list, create, read, change, delete."""
    return {
        _BASE: {
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
        f"{_BASE}/{{id}}": {
            "parameters": _ONE,
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
    }


def _actions() -> Document:
    """What is done with a subscription."""
    return {
        f"{_BASE}/{{id}}/secret": {
            "parameters": _ONE,
            "post": _operation(
                "rotateSecret",
                "A new secret; for one more day, each message is signed with both",
                "200",
                "NewSecret",
                also=(404, 409),
            ),
        },
        f"{_BASE}/{{id}}/confirmation": {
            "parameters": _ONE,
            "post": _operation(
                "askAgain",
                "Send the recipient of e-mail a new link; the previous one becomes invalid",
                "200",
                "SentConfirmation",
                also=(403, 404, 409, 422),
            ),
        },
        f"{_BASE}/{{id}}/confirm": {
            "parameters": _ONE,
            "get": _page("showConfirmation", "The page behind the link in the message; it changes nothing", _LINK),
            "post": _page("confirm", "Confirm or revoke: the form of the page", _FORM),
        },
        f"{_BASE}/{{id}}/test": {
            "parameters": _ONE,
            "post": _operation(
                "testSubscription", "Send one test message now; the response has the outcome", "200", "TestAnswer",
                also=(403, 404, 409),
            ),
        },
        f"{_BASE}/{{id}}/deliveries": {
            "parameters": [
                *_ONE,
                parameter("state", "query", {"type": "string", "enum": [*State]}),
                parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN, "default": SHOWN}),
            ],
            "get": _operation(
                "listDeliveries", "Deliveries and their outcome", "200", "Deliveries", also=(404,)
            ),
        },
        f"{_BASE}/{{id}}/deliveries/{{delivery}}/replay": {
            "parameters": [*_ONE, parameter("delivery", "path", STRING)],
            "post": _operation("replayDelivery", "Send a failed delivery again", "202", "Replayed", also=(404, 409)),
        },
        f"{_BASE}/{{id}}/replay": {
            "parameters": _ONE,
            "post": _operation("replayFailures", "Send all failed deliveries again", "202", "Replayed", also=(404,)),
        },
    }  # fmt: skip


_MEANING = {
    403: "The key may not get alerts of this arena, or the operator disabled the subscription.",
    404: "There is no such subscription or delivery, or it belongs to another key.",
    409: (
        "The delivery has not failed (`not_failed`); the subscription's messages are not signed (`not_signed`); its"
        " recipient has not confirmed (`no_consent`), or need not (`nothing_to_confirm`)."
    ),
    413: "The body is too large.",
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
_TAGS = ["subscriptions"]


def _operation(
    name: str,
    summary: str,
    status: str,
    schema: str | None,
    *,
    body: str | None = None,
    also: tuple[int, ...] = (),
) -> Document:
    taken: Document = {} if body is None else {"requestBody": {"required": True, "content": content(reference(body))}}
    done: Document = {"description": "Done; Kafka has acknowledged the records."}
    if name == "subscribe":
        done["headers"] = {"Location": {"required": True, "schema": STRING}}
        done["links"] = {each: {"operationId": each, "parameters": {"id": "$response.body#/id"}} for each in _LINKED}
    if schema is not None:
        done["content"] = content(reference(schema))
    refused = errors(_MEANING, *sorted({400, 401, 429, 503, *also}))
    return operation(name, summary, tags=_TAGS, security=KEYED, **taken, responses={status: done, **refused})


_LINK: Document = {"parameters": [parameter("token", "query", STRING, required=True)]}
_FORM: Document = {
    "requestBody": {
        "required": True,
        "content": content(
            {
                "type": "object",
                "required": ["token"],
                "properties": {
                    "token": STRING,
                    "do": {"type": "string", "enum": ["confirm", "stop"], "default": "confirm"},
                },
            },
            "application/x-www-form-urlencoded",
        ),
    }
}


def _page(name: str, summary: str, given: Document) -> Document:
    """An operation of the recipient, who has a link and no key."""
    answers = {
        "200": "The page with the possible action, or its result.",
        "404": "The link is no longer valid.",
        "503": _MEANING[503],
    }
    responses = {
        status: {"description": said, "content": content(STRING, "text/html")} for status, said in answers.items()
    }
    return operation(name, summary, tags=_TAGS, security=[], **given, responses=responses)
