"""From a document to the answer of one request: whole, packed, or 304 when the asker has it already."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from services.board.document import Document, Headers


def reply(request: Request, document: Document, age: float) -> Response:
    """Answer with a document whose content may be `age` seconds out of date."""
    status, headers, body = choose(request.scope, document, age)
    response = Response(body, status)
    response.raw_headers = headers
    return response


def choose(scope: Scope, document: Document, age: float) -> tuple[int, Headers, bytes]:
    """Status, headers and body for the request of a scope."""
    accept = if_none_match = b""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            accept = value
        elif name == b"if-none-match":
            if_none_match = value
    form = document.form(accept)
    known = bool(if_none_match) and document.is_known(if_none_match)
    headers = form.unchanged if known else form.headers
    if age > 0:
        # RFC 9111 made Warning obsolete; a person who looks at the headers understands it all the same.
        headers = [*headers, (b"age", b"%d" % int(age)), (b"warning", b'110 - "Response is Stale"')]
    return (304, headers, b"") if known else (200, headers, form.body)
