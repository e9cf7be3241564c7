"""An answer to many clients: its bytes, its strong ETags and its gzip form, each made once per change.

`reply` chooses what to send: the plain form, the gzip form, or 304 when the client has it already.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

PACK_LEVEL = 5
"""Level of gzip: compresses a board of 243 models in about a millisecond."""
SMALL = 512
"""Bytes below which compression does not pay."""

Headers = list[tuple[bytes, bytes]]

CACHE_CONTROL = (b"cache-control", b"public, max-age=1, stale-while-revalidate=30")
OPEN = (b"access-control-allow-origin", b"*")
"""The read API is public: pages of any origin may read it."""
_EXPOSED = (b"access-control-expose-headers", b"etag, age, warning")
_VARY = (b"vary", b"accept-encoding")


@dataclass(slots=True, frozen=True)
class Representation:
    """One representation: its ETag, its body, and the headers of the 200 (`headers`) and of the 304 (`unchanged`)."""

    etag: bytes
    body: bytes
    headers: Headers
    unchanged: Headers


@dataclass
class Document:
    """An answer in its two representations.

    Parameters
    ----------
    body
        The uncompressed bytes.
    media_type
        Its Content-Type.
    filename
        Name of the file to save, in ASCII and without quotes; empty for an answer that is shown.

    >>> document = Document(b"{}")
    >>> document.plain.etag == Document(b"{}").plain.etag != Document(b"[]").plain.etag
    True
    """

    body: bytes
    media_type: bytes = b"application/json"
    filename: str = ""
    _digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._digest = blake2b(self.body, digest_size=12).hexdigest().encode()

    @cached_property
    def plain(self) -> Representation:
        """The uncompressed representation."""
        return self._form(self.body, b'"' + self._digest + b'"')

    @cached_property
    def packed(self) -> Representation:
        """The gzip representation; another representation, so another strong ETag."""
        if len(self.body) < SMALL:
            return self.plain
        body = gzip.compress(self.body, PACK_LEVEL, mtime=0)
        return self._form(body, b'"' + self._digest + b'-gz"', (b"content-encoding", b"gzip"))

    def form(self, accept_encoding: bytes) -> Representation:
        """The representation for an Accept-Encoding."""
        return self.packed if takes_gzip(accept_encoding) else self.plain

    def is_known(self, if_none_match: bytes) -> bool:
        """Whether an If-None-Match names this document, in either form.

        >>> Document(b"{}").is_known(b'W/"x", ' + Document(b"{}").plain.etag), Document(b"{}").is_known(b'"x"')
        (True, False)
        """
        if if_none_match.strip() == b"*":
            return True
        named = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
        return bool(named & {b'"' + self._digest + b'"', b'"' + self._digest + b'-gz"'})

    def _form(self, body: bytes, etag: bytes, *more: tuple[bytes, bytes]) -> Representation:
        unchanged = [(b"etag", etag), CACHE_CONTROL, _VARY, OPEN, _EXPOSED]
        about = [(b"content-type", self.media_type), (b"content-length", str(len(body)).encode()), *more]
        if self.filename:
            about.append((b"content-disposition", f'attachment; filename="{self.filename}"'.encode("ascii")))
        return Representation(etag, body, about + unchanged, unchanged)


def takes_gzip(accept_encoding: bytes) -> bool:
    """Whether an Accept-Encoding allows gzip.

    >>> [takes_gzip(each) for each in (b"br, gzip", b"gzip;q=0", b"identity", b"*", b"x-gzip;q=0.5")]
    [True, False, False, True, True]
    """
    if b"gzip" not in accept_encoding and b"*" not in accept_encoding:
        return False
    for part in accept_encoding.lower().split(b","):
        name, _, weight = part.partition(b";")
        if name.strip() in (b"gzip", b"x-gzip", b"*"):
            return weight.replace(b" ", b"").rstrip(b"0").rstrip(b".") not in (b"q=", b"q")
    return False


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
