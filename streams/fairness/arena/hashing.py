"""Hashes of words and of pairs of models, the same in every process."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


def hash_words(words: list[str]) -> Hashes:
    """uint64[n], a hash of each word, never 0: the same in every process.

    >>> a, b, c = hash_words(["ash", "birch", "ash"]).tolist()
    >>> a == c, a == b, hash_words(["ash"]).tolist() == [a]
    (True, False, True)
    """
    encoded = [word.encode() for word in words]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
    return np.asarray(_hash_bytes(np.frombuffer(b"".join(encoded) or b"\0", np.uint8), ends))


@njit(cache=True)
def _hash_bytes(data, ends):  # type: ignore[no-untyped-def]
    """FNV-1a with a final mix."""
    hashes = np.empty(len(ends), np.uint64)
    start = 0
    for word in range(len(ends)):
        value = np.uint64(14695981039346656037)
        for place in range(start, ends[word]):
            value = (value ^ np.uint64(data[place])) * np.uint64(1099511628211)
        start = ends[word]
        hashes[word] = mix(value, np.uint64(0))
    return hashes


@njit(cache=True)
def mix(one, other):  # type: ignore[no-untyped-def]
    """Hash of two hashes, never 0."""
    value = one ^ (other * np.uint64(0x9E3779B97F4A7C15))
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return (value ^ (value >> np.uint64(33))) | np.uint64(1)


@njit(cache=True)
def pair_hashes(a, b):  # type: ignore[no-untyped-def]
    """Hash of each unordered pair."""
    pairs = np.empty(len(a), np.uint64)
    for row in range(len(a)):
        pairs[row] = mix(min(a[row], b[row]), max(a[row], b[row]))
    return pairs
