"""Builds OpenAPI 3.1 documents: schemas of structs, operations, and the errors that all services answer alike.

A service's own `openapi.py` says what its routes take and answer; how that is written stands here, once.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec

Document = dict[str, Any]
"""A document, or a part of one, as JSON has it."""

JSON = "application/json"
KEY_SCHEME = "key"
KEYED: list[Document] = [{KEY_SCHEME: []}]
"""`security` of an operation that needs a bearer key."""
STRING: Document = {"type": "string"}

_TEMPLATE = "#/components/schemas/{name}"
_MEANING = {
    400: (
        "An unknown parameter or an invalid value (`detail` lists what is allowed); or the body is empty, not UTF-8,"
        " not JSON or too deeply nested."
    ),
    401: "No bearer key, or an unknown one.",
    408: "The body did not arrive in time.",
    415: "The Content-Encoding is not supported.",
}
"""What an error status means, unless a service says something else."""
_RETRY = {
    "Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}, "description": "Seconds."},
}
_HEADERS: dict[int, Document] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "pattern": "^Bearer"}}},
    415: {"Accept-Encoding": {"required": True, "schema": {"const": "gzip"}}},
    429: _RETRY,
    503: _RETRY,
}


class SchemaClash(ValueError):  # noqa: N818 -- what happened, in words
    """Two different schemas have the same name."""


def build(title: str, description: str, paths: Document, schemas: Document, *, keyed: bool) -> Document:
    """The whole document, ready to encode as JSON; `keyed` when one of its operations needs a bearer key."""
    security: Document = {"securitySchemes": {KEY_SCHEME: {"type": "http", "scheme": "bearer"}}} if keyed else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version("isonomy"), "description": description},
        "paths": paths,
        "components": {"schemas": schemas, **security},
    }


def schemas_of(types: Iterable[type]) -> Document:
    """Schemas of structs, by name, and of all that they refer to."""
    _, schemas = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    plain: Document = msgspec.json.decode(msgspec.json.encode(schemas))  # a default may be a tuple, which JSON has not
    for schema in plain.values():
        if "description" in schema:  # a docstring; before Python 3.13 it has the indentation of the source
            schema["description"] = inspect.cleandoc(schema["description"])
    return plain


def merge_schemas(*parts: Mapping[str, Document]) -> Document:
    """All schemas of several parts of a document.

    Raises
    ------
    SchemaClash
        When two parts have different schemas of one name.

    >>> merge_schemas({"A": {"type": "string"}}, {"A": {"type": "string"}, "B": {}})
    {'A': {'type': 'string'}, 'B': {}}
    """
    merged: Document = {}
    for part in parts:
        for name, schema in part.items():
            if merged.setdefault(name, schema) != schema:
                raise SchemaClash(f"two different schemas are named {name}")
    return merged


def reference(name: str) -> Document:
    """Reference to the schema of this name."""
    return {"$ref": _TEMPLATE.format(name=name)}


def object_of(**properties: Document) -> Document:
    """Schema of an object in which all these properties are required."""
    return {"type": "object", "required": list(properties), "properties": properties}


def array_of(items: Document) -> Document:
    """Schema of an array."""
    return {"type": "array", "items": items}


def content(schema: Document, media_type: str = JSON) -> Document:
    """The `content` of a body in one media type."""
    return {media_type: {"schema": schema}}


def answer(description: str, schema: Document, media_type: str = JSON) -> Document:
    """Response object of a body in one media type."""
    return {"description": description, "content": content(schema, media_type)}


def errors(meanings: Mapping[int, str], *statuses: int) -> Document:
    """Response objects of errors, by status; the schema `ErrorAnswer` must be among the document's.

    `meanings` are the service's own sentences; the ones of this module stand in for those it does not have.
    """
    said = {**_MEANING, **meanings}
    described: Document = {}
    for status in statuses:
        described[str(status)] = answer(said[status], reference("ErrorAnswer"))
        if status in _HEADERS:
            described[str(status)]["headers"] = _HEADERS[status]
    return described


def parameter(name: str, place: str, schema: Document, **more: object) -> Document:
    """A parameter in `place`, which is `path` or `query`; one of the path is always required."""
    if place == "path":
        more["required"] = True
    return {"name": name, "in": place, **more, "schema": schema}


def operation(name: str, summary: str, **more: object) -> Document:
    """An operation; `more` are its other fields."""
    return {"operationId": name, "summary": summary, **more}
