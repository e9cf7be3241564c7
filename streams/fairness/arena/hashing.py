"""Hashes of words and of pairs of models, the same in every process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.ledger.rows import Rows

Hashes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Ends = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BlockHashes:
    """Hashes of the dictionaries of a block, made once for all that count its rows.

    Attributes
    ----------
    models, voters, prompts, battles
        uint64, hash of each word of the dictionary; 0 for the absent word.
    sampled
        uint32, CRC-32 of each prompt, by which prompts are sampled.
    """

    models: Hashes
    voters: Hashes
    prompts: Hashes
    battles: Hashes
    sampled: NDArray[np.uint32]

    @classmethod
    def of(cls, rows: Rows) -> BlockHashes:
        """Hash the dictionaries of rows; a part of the rows has the same."""
        prompts = _join(rows.prompts)
        hashed = [_hash_bytes(*prompts), hash_words(rows.voters), hash_words(rows.battles)]
        for hashes in hashed:
            hashes[0] = 0
        return cls(hash_words(rows.models), hashed[1], hashed[0], hashed[2], checksums(*prompts))


def hash_words(words: list[str]) -> Hashes:
    """uint64[n], a hash of each word, never 0: the same in every process.

    >>> a, b, c = hash_words(["ash", "birch", "ash"]).tolist()
    >>> a == c, a == b, hash_words(["ash"]).tolist() == [a]
    (True, False, True)
    """
    return np.asarray(_hash_bytes(*_join(words)))


def _join(words: list[str]) -> tuple[Bytes, Ends]:
    """Return the bytes of all words, a zero after each, and the places of these zeros, int64[n]."""
    data = np.frombuffer("\0".join([*words, ""]).encode(), np.uint8)
    ends = np.flatnonzero(data == 0)
    if len(ends) != len(words):  # a word with a zero in it
        ends = np.cumsum([len(word.encode()) + 1 for word in words]) - 1
    return data, ends


@njit(cache=True)
def _hash_bytes(data, ends):  # type: ignore[no-untyped-def]
    """FNV-1a with a final mix."""
    hashes, start = np.empty(len(ends), np.uint64), np.uint64(0)  # places without sign need no check for negative ones
    for word in range(len(ends)):
        value = np.uint64(14695981039346656037)
        for place in range(start, np.uint64(ends[word])):
            value = (value ^ np.uint64(data[place])) * np.uint64(1099511628211)
        start = np.uint64(ends[word]) + np.uint64(1)
        hashes[word] = mix(value, np.uint64(0))
    return hashes


def _tables() -> NDArray[np.uint32]:
    """uint32[8, 256]: the remainder of each byte that is followed by 0 to 7 others."""
    tables = np.zeros((8, 256), np.uint32)
    tables[0] = np.arange(256)
    for _ in range(8):
        tables[0] = (tables[0] >> 1) ^ np.where(tables[0] & 1, np.uint32(0xEDB88320), np.uint32(0))
    for step in range(1, 8):
        tables[step] = (tables[step - 1] >> 8) ^ tables[0][tables[step - 1] & 0xFF]
    return tables


_TABLES = _tables()


@njit(cache=True)
def checksums(data, ends):  # type: ignore[no-untyped-def]
    """CRC-32 of each word as in zlib, uint32[n]: eight bytes at a time, by tables."""
    sums, at, table = np.empty(len(ends), np.uint32), np.uint64(0), _TABLES
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    for word in range(len(ends)):
        value, end = np.uint32(0xFFFFFFFF), np.uint64(ends[word])
        while at + four + four <= end:
            first = table[7, np.uint8(value) ^ data[at]] ^ table[6, np.uint8(value >> np.uint32(8)) ^ data[at + one]]
            first ^= table[5, np.uint8(value >> np.uint32(16)) ^ data[at + two]]
            first ^= table[4, np.uint8(value >> np.uint32(24)) ^ data[at + three]]
            at += four
            value = first ^ table[3, data[at]] ^ table[2, data[at + one]]
            value ^= table[1, data[at + two]] ^ table[0, data[at + three]]
            at += four
        while at < end:
            value = (value >> np.uint32(8)) ^ table[0, np.uint8(value) ^ data[at]]
            at += one
        at += one
        sums[word] = ~value
    return sums


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
