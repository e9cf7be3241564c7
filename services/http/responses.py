"""Turns structs and refusals into responses; the one shape of all errors."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from services.http.errors import Refusal, Refused
from streams.contracts.reasons import Reason


class ErrorBody(msgspec.Struct, frozen=True):
    """Why a request was refused: `reason` for programs, `detail` for people."""

    reason: Annotated[str, Meta(extra_json_schema={"enum": [*map(str, Refusal), *map(str, Reason)]})]
    detail: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The one shape of all errors."""

    error: ErrorBody


_encoder = msgspec.json.Encoder()


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Response of a struct, or of anything else that msgspec encodes."""
    return Response(_encoder.encode(content), status, headers, media_type="application/json")


def error_response(refused: Refused) -> Response:
    """Response of a refusal."""
    return json_response(ErrorAnswer(ErrorBody(refused.reason, refused.detail)), refused.status, refused.headers)
