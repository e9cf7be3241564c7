"""Unpacks a gzip body piece by piece, never beyond the body limit. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from services.http.errors import Refusal, Refused

GZIP_BITS = 31
SLICE_BYTES = 65_536
"""So much is unpacked at once: a body of eight kilobytes may be eight million, and others are answered in between."""
MOST_MEMBERS = 1_000
"""Each is begun anew and may hold nothing: a body of 8 MB could be four hundred thousand."""


class Inflate:
    """A gzip stream of one or more members.

    Parameters
    ----------
    limit
        Bytes that may come out; a bomb is refused while it unpacks, not after.
    """

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._unpacker = zlib.decompressobj(GZIP_BITS)
        self._between_members = False
        self._members = 1

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Unpack the next piece, in slices; raises `Refused`."""
        while packed:
            if self._between_members:
                self._members += 1
                if self._members > MOST_MEMBERS:
                    raise Refused(Refusal.INVALID_ENCODING, f"the body is more than {MOST_MEMBERS} gzip members")
                self._unpacker = zlib.decompressobj(GZIP_BITS)
                self._between_members = False
            try:
                # One byte more than fits: that is how to see that it does not.
                piece = self._unpacker.decompress(packed, min(self._room + 1, SLICE_BYTES))
            except zlib.error as error:
                raise Refused(Refusal.INVALID_ENCODING, f"the body is not gzip: {error}") from None
            self._room -= len(piece)
            if self._room < 0:
                raise Refused(Refusal.BODY_TOO_LARGE, "the body unpacks to more than the limit")
            yield piece
            self._between_members = self._unpacker.eof
            packed = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail

    def end(self) -> None:
        """Check that the stream is whole; raises `Refused`."""
        if not self._between_members:
            raise Refused(Refusal.INVALID_ENCODING, "the gzip body ends too early")
