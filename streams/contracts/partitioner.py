"""Kafka's default partitioner: which partition a record key belongs to.

Deduplication works within a partition, so every producer of `votes` must send one id to one partition: the gateway, the
replay command and any Java, librdkafka-`murmur2` or Python client of an arena.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SEED, M, WORD = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF
FEW = 12
"""Below this many keys, one at a time is faster than numpy."""


def murmur2(key: bytes) -> int:
    """Hash one key as Kafka's Java client does, as an unsigned 32-bit number.

    >>> murmur2(b"21") == 0x100000000 - 973932308  # from the tests of the Java client
    True
    """
    length = len(key)
    h = SEED ^ length
    for word in struct.unpack_from(f"<{length >> 2}I", key):
        k = word * M & WORD
        h = (h * M & WORD) ^ ((k ^ k >> 24) * M & WORD)
    if length & 3:
        h = (h ^ int.from_bytes(key[length & ~3 :], "little")) * M & WORD
    h = (h ^ h >> 13) * M & WORD
    return h ^ h >> 15


def murmur2_all(keys: Sequence[bytes]) -> NDArray[np.uint32]:
    """Hash many keys at once, shape (n,): the same numbers, sixteen times faster at 500 keys of 36 bytes."""
    if not keys:
        return np.empty(0, np.uint32)
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    longest = int(lengths.max())
    width = longest // 4 + 1  # one word more than the whole words of the longest key: its tail, or zeros
    joined = b"".join([key.ljust(4 * width, b"\0") for key in keys])
    words = np.frombuffer(joined, "<u4").reshape(-1, width).T.astype(np.uint32)
    m = np.uint32(M)
    mixed = words * m
    mixed ^= mixed >> np.uint32(24)
    mixed *= m
    whole = lengths >> 2
    shortest = int(whole.min())
    h = lengths.astype(np.uint32) ^ np.uint32(SEED)
    for at in range(longest // 4):
        next_h = (h * m) ^ mixed[at]
        h = next_h if at < shortest else np.where(at < whole, next_h, h)
    tail = words[whole, np.arange(len(keys))]
    h = np.where(lengths & 3 != 0, (h ^ tail) * m, h)
    h ^= h >> np.uint32(13)
    h *= m
    h ^= h >> np.uint32(15)
    return h


def partitions_of(keys: Sequence[bytes], count: int) -> list[int]:
    """Partition of each key in a topic of `count` partitions.

    >>> partitions_of([b"21", b"foobar"], 4) == [(murmur2(key) & 0x7FFFFFFF) % 4 for key in (b"21", b"foobar")]
    True
    """
    if len(keys) < FEW:
        return [(murmur2(key) & 0x7FFFFFFF) % count for key in keys]
    positive = murmur2_all(keys) & np.uint32(0x7FFFFFFF)
    partitions: list[int] = (positive % np.uint32(count)).tolist()
    return partitions
