"""What all folds save alike: the listing of a partition, checksums, and counts in few bytes.

A checksum in the listing shows that the ledger is the same one; the one before an arena's state, that it is undamaged.
"""

from __future__ import annotations

from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray


class DamagedState(ValueError):  # noqa: N818 -- says what the state is
    """A saved state that cannot be trusted; the fold must refold."""


class Listing(msgspec.Struct, frozen=True):
    """A partition up to `position`: every arena with a record before it is in `arenas`.

    `tail` is the checksum of the ledger record just before `position`: when the log holds another record there, or
    none, it is another ledger, and the saved state is useless.

    `refold_until` is larger than `position` when this was saved in the middle of a refold: readers have seen boards of
    votes up to that offset, and the next owner must not publish older boards before it reaches it.
    """

    v: int
    position: int
    arenas: list[str]
    tail: int
    refold_until: int = 0


VERSION = 1
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Listing).decode


def checksum(record: bytes | None) -> int:
    """Checksum of a ledger record, never 0."""
    return crc32(record or b"") | 1 << 32


def encode_listing(position: int, arenas: list[str], tail: int, refold_until: int = 0) -> bytes:
    """Encode a listing."""
    return _encode(Listing(VERSION, position, sorted(arenas), tail, refold_until))


def decode_listing(text: bytes | None) -> Listing | None:
    """Decode a listing; None when it is missing or unusable."""
    if text is None:
        return None
    try:
        listing = _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return listing if listing.v == VERSION else None


def seal(packed: bytes) -> bytes:
    """Put its checksum before an encoded state."""
    return crc32(packed).to_bytes(4, "little") + packed


def unseal(sealed: bytes, what: str) -> bytes:
    """Return the encoded state in the output of `seal`; raises `DamagedState`, which says `what` is damaged."""
    packed = sealed[4:]
    if crc32(packed) != int.from_bytes(sealed[:4], "little"):
        raise DamagedState(f"{what} fails its checksum")
    return packed


def narrow(values: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """Convert non-negative integers to the narrowest unsigned type that holds them.

    >>> narrow(np.array([1, 300])).dtype.str
    '<u2'
    """
    return values.astype(np.min_scalar_type(int(values.max(initial=0))).newbyteorder("<"))
