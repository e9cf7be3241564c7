"""Describes errors for the OpenAPI documents: their one shape, and the headers of each status."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

_RETRY = {
    "Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}, "description": "Seconds."},
}
_HEADERS: dict[int, Document] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "pattern": "^Bearer"}}},
    415: {"Accept-Encoding": {"required": True, "schema": {"const": "gzip"}}},
    429: _RETRY,
    503: _RETRY,
}


def error_described(status: int, meaning: str) -> Document:
    """Response object of an error; the schema `ErrorAnswer` must be among the document's."""
    described: Document = {
        "description": meaning,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
    }
    return {**described, "headers": _HEADERS[status]} if status in _HEADERS else described
