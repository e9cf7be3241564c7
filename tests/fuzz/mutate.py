"""Inputs near good ones, without end and the same for a seed: bytes turned, cut, doubled, joined, and words put in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

WORDS: tuple[bytes, ...] = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r\n", b"\t", b" ", b"\x00", b"\x1f", b"\x7f", b"\xff",
    b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\\u0000", b"\\ud800", b"\\u202e", b"null", b"true",
    b"NaN", b"Infinity", b"-0", b"0", b"1e999", b"-1e999", b"1e-400", b"9" * 40, b"9" * 400, b"2147483648",
    b"18446744073709551616", b"9223372036854775807", b"-9223372036854775808", b"0.1", b'""', b"{}", b"[]", b'{"a":',
    b"[[[[",
)  # fmt: skip


def mutations(seeds: Sequence[bytes], words: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Inputs without end.

    Parameters
    ----------
    seeds
        Good inputs, to begin with.
    words
        What this kind of input is made of; beside `WORDS`, which every kind meets.
    """
    choose = random.Random(seed)
    every = (*WORDS, *words)
    while True:
        text = bytearray(choose.choice(seeds))
        for _ in range(choose.choice((1, 1, 1, 2, 2, 3, 5, 9))):
            _change(text, choose, seeds, every)
        yield bytes(text)


def _change(text: bytearray, choose: random.Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    at, end = sorted((choose.randrange(len(text) + 1), choose.randrange(len(text) + 1)))
    end = min(end, at + choose.choice((1, 1, 4, 16, 1_000)))
    match choose.randrange(7):
        case 0:
            text[at:at] = choose.choice(words)
        case 1:
            text[at:end] = choose.choice(words)
        case 2:
            del text[at:end]
        case 3 if text:
            text[min(at, len(text) - 1)] ^= 1 << choose.randrange(8)
        case 4:
            text[at:at] = text[at:end] * choose.choice((1, 2, 50))
        case 5:
            other = choose.choice(seeds)
            text[at:] = other[choose.randrange(len(other) + 1) :]
        case _ if text:
            text[min(at, len(text) - 1)] = choose.randrange(256)
