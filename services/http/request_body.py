"""Reads a request's body: bounded in bytes and in time, whatever its headers say."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from services.http.errors import Refusal, Refused

BODY_SECONDS, BODY_BYTES = 10.0, 65_536
"""A body must arrive within BODY_SECONDS, plus one second for each BODY_BYTES received: a client that sends slower than
half a megabit a second must not hold a connection for ever."""

DRAIN = 4
"""This many times the limit is read and discarded, so that the client can read the refusal before a reset."""


async def read_body(request: Request, limit: int, held: Callable[[int], None] = lambda size: None) -> bytes:
    """Read the whole body, decompressed; `held` gets the size of each chunk before the next one, and may refuse it.

    Raises
    ------
    Refused
        When the body is larger than `limit` bytes, as sent or decompressed; when its encoding is unknown or invalid;
        when it does not arrive in time.
    starlette.requests.ClientDisconnect
        When the client disconnects.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise Refused(
            Refusal.UNSUPPORTED_ENCODING,
            f"Content-Encoding {encoding[:40]!r}: use gzip or none",
            {"Accept-Encoding": "gzip"},
        )
    inflate = None if encoding in ("identity", "") else Inflate(limit)
    pieces = Pieces(request.receive)
    try:
        async with asyncio.timeout(BODY_SECONDS) as bound:
            pieces.bound, pieces.until = bound, asyncio.get_running_loop().time() + BODY_SECONDS
            try:
                # Believe a Content-Length that is too large, but not a small one: it may be wrong, or absent.
                if (declared := request.headers.get("content-length", "")).isdigit() and int(declared) > limit:
                    raise _too_large(limit)
                return await _collect(pieces, limit, inflate, held)
            except Refused:
                await _drain(pieces, DRAIN * limit)
                raise
    except TimeoutError:
        detail = f"the body came slower than {BODY_BYTES} bytes a second after {BODY_SECONDS:g} s"
        raise Refused(Refusal.BODY_TIMEOUT, detail, _CLOSE) from None


_CLOSE = {"Connection": "close"}


class Pieces:
    """The body, chunk by chunk; two generators fewer per request than Starlette's `Request.stream`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.more = True
        self.bound: asyncio.Timeout | None = None
        self.until = 0.0

    async def next(self) -> bytes:
        """Return the next chunk; `more` says whether there is another."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self.more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        if self.bound is not None and piece:
            self.until += len(piece) / BODY_BYTES
            self.bound.reschedule(self.until)
        return piece


async def _collect(pieces: Pieces, limit: int, inflate: Inflate | None, held: Callable[[int], None]) -> bytes:
    body: list[bytes] = []
    size = 0
    while pieces.more:
        piece = await pieces.next()
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        for text in inflate.feed(piece) if inflate else (piece,):
            held(len(text))
            body.append(text)
            if inflate:
                await asyncio.sleep(0)
    if inflate:
        inflate.end()
    return body[0] if len(body) == 1 else b"".join(body)


async def _drain(pieces: Pieces, most: int) -> None:
    while pieces.more and most >= 0:
        most -= len(await pieces.next())


def _too_large(limit: int) -> Refused:
    return Refused(Refusal.BODY_TOO_LARGE, f"the body is larger than {limit} bytes", _CLOSE)


GZIP_BITS = 31
SLICE_BYTES = 65_536
"""Bytes decompressed at a time: 8 kB may unpack to 8 MB, and other requests are answered between two slices."""
MOST_MEMBERS = 1_000
"""Each member needs a new decompressor and may be empty: a body of 8 MB could hold 400,000 of them."""


class Inflate:
    """A gzip stream of one or more members.

    Parameters
    ----------
    limit
        Maximum of decompressed bytes; a gzip bomb is refused while it unpacks, not after.
    """

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._unpacker = zlib.decompressobj(GZIP_BITS)
        self._between_members = False
        self._members = 1

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Decompress the next chunk, in slices; raises `Refused`."""
        while packed:
            if self._between_members:
                self._members += 1
                if self._members > MOST_MEMBERS:
                    raise Refused(Refusal.INVALID_ENCODING, f"the body is more than {MOST_MEMBERS} gzip members")
                self._unpacker = zlib.decompressobj(GZIP_BITS)
                self._between_members = False
            try:
                # One byte more than fits shows that the body is too large.
                piece = self._unpacker.decompress(packed, min(self._room + 1, SLICE_BYTES))
            except zlib.error as error:
                raise Refused(Refusal.INVALID_ENCODING, f"the body is not gzip: {error}") from None
            self._room -= len(piece)
            if self._room < 0:
                raise Refused(Refusal.BODY_TOO_LARGE, "the decompressed body is larger than the limit")
            yield piece
            self._between_members = self._unpacker.eof
            packed = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail

    def end(self) -> None:
        """Check that the stream is complete; raises `Refused`."""
        if not self._between_members:
            raise Refused(Refusal.INVALID_ENCODING, "the gzip body ends too early")
