"""Decompresses batches up to a bound: Kafka's own limit is on compressed bytes, and its clients have no limit.

A megabyte of zstd may hold thirty gigabytes, so any producer of `votes` could crash intake at that batch, at every
start. A batch of more than `MOST_BYTES` counts as unreadable: it is parked, and reading continues after it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from types import ModuleType

MOST_BYTES = 128 * 1024 * 1024
"""Maximum decompressed bytes of one batch: 128 times a topic's default limit. Votes compress 5 to 30 times."""
LEAST_ROOM, USUAL_RATIO = 256 * 1024, 16

_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16


class CannotUnpack(ValueError):  # noqa: N818 -- what it is
    """Compressed bytes that are broken, or decompress to more than the bound."""


Unpack = Callable[[bytes | memoryview], bytes]


def _gzip(packed: bytes | memoryview) -> bytes:
    """Decompress any number of concatenated gzip members."""
    parts: list[bytes] = []
    room = MOST_BYTES
    try:
        while packed or not parts:
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(packed, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise CannotUnpack(f"more than {MOST_BYTES} bytes unpacked")
            if not member.eof:
                raise CannotUnpack("broken: it is cut off")
            packed = member.unused_data
    except zlib.error as error:
        raise CannotUnpack(f"broken: {error}") from None
    return b"".join(parts)


def _into(codec: str) -> Unpack:
    def bounded(packed: bytes | memoryview) -> bytes:
        import cramjam  # without it a process still reads uncompressed and gzip batches

        unpack, room = getattr(cramjam, codec).decompress_into, max(LEAST_ROOM, USUAL_RATIO * len(packed))
        while True:
            buffer = bytearray(min(room, MOST_BYTES))
            try:
                written = unpack(packed, buffer)
            except cramjam.DecompressionError as error:
                # The error does not say whether the buffer was too small or the bytes are broken.
                if len(buffer) == MOST_BYTES:
                    raise CannotUnpack(f"broken, or more than {MOST_BYTES} bytes unpacked: {error}") from None
                room *= 8
                continue
            return bytes(memoryview(buffer)[:written])

    return bounded


def _snappy(packed: bytes | memoryview) -> bytes:
    """Decompress raw snappy, or the blocks of Java's library; both formats state the decompressed size."""
    import cramjam

    view = memoryview(packed)
    blocks = list(_blocks(view)) if bytes(view[: len(_XERIAL)]) == _XERIAL else [view]
    try:
        if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > MOST_BYTES:
            raise CannotUnpack(f"more than {MOST_BYTES} bytes unpacked")
        return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)
    except cramjam.DecompressionError as error:
        raise CannotUnpack(f"broken: {error}") from None


def _blocks(view: memoryview) -> list[memoryview]:
    found, at = [], _XERIAL_HEADER
    while at < len(view):
        size = struct.unpack_from(">i", view, at)[0] if at + 4 <= len(view) else 0
        if size <= 0 or at + 4 + size > len(view):
            raise CannotUnpack(f"broken: a block of {size} bytes")
        found.append(view[at + 4 : at + 4 + size])
        at += 4 + size
    return found


DECODERS: dict[str, Unpack] = {
    "gzip_decode": _gzip,
    "lz4_decode": _into("lz4"),
    "snappy_decode": _snappy,
    "zstd_decode": _into("zstd"),
}
"""Decoders by the name under which both clients' batch readers look them up."""


def bound_aiokafka() -> None:
    """Install the bounded decoders in aiokafka, which has no setting for it; a test checks that it uses them."""
    from aiokafka.record import default_records, legacy_records

    readers: list[ModuleType] = [default_records, legacy_records]
    try:
        from aiokafka.record._crecords import default_records as compiled
        from aiokafka.record._crecords import legacy_records as compiled_legacy
    except ImportError:  # a build without the compiled readers uses the Python ones
        pass
    else:
        readers += [compiled, compiled_legacy]
    _bound(readers)


def bound_kafka_python() -> None:
    """Install the bounded decoders in kafka-python, which commands and the watchdog use."""
    from kafka.record import default_records, legacy_records

    _bound([default_records, legacy_records])


def _bound(readers: Sequence[ModuleType]) -> None:
    for reader in readers:
        for name, decoder in DECODERS.items():
            if hasattr(reader, name):
                setattr(reader, name, decoder)
