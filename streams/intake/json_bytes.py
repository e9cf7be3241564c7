"""Machine code that reads JSON eight bytes at a time: strings, numbers, and dictionary coding of words.

Texts are read as bytes (uint8) and as 8-byte words (uint64, little-endian), padded by at least one word.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

_LOOKS = 128
_1 = np.uint64(1)
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _ESCAPES, _SPACES, _OPENINGS, _CLOSINGS = (np.uint64(letter * 0x0101010101010101) for letter in b'"\\ {}')
_PLACES = np.uint64(0x0001020304050607)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_POWERS = np.array([10.0**power for power in range(23)])
_TENS = np.array([10**power for power in range(19)], np.int64)


def padded(pieces: Sequence[bytes], size: int) -> bytes:
    """Join the pieces and pad to whole 8-byte words, plus at least one word; `size` is the sum of their lengths."""
    return b"".join([*pieces, bytes(16 - size % 8)])


def table(words: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Join `words` into 8-byte words; also return where each word begins and where the last one ends."""
    ends = np.cumsum([0, *map(len, words)])
    return np.frombuffer(padded(words, int(ends[-1])), "<u8"), ends


@njit(cache=True)
def skip(text, at, end):  # type: ignore[no-untyped-def]
    while at < end and text[at] == 32:
        at += 1
    return at


@njit(cache=True)
def eight_at(eights, at):  # type: ignore[no-untyped-def]
    """Return the eight bytes from `at` on, the first one lowest."""
    place = np.uint64(at)  # an index that may be negative costs a comparison
    shift, word = (place & np.uint64(7)) << np.uint64(3), place >> np.uint64(3)
    return eights[word] >> shift | eights[word + _1] << _1 << (np.uint64(63) - shift)


@njit(cache=True)
def lowest_of(stops):  # type: ignore[no-untyped-def]
    """Index, 0 to 7, of the lowest byte whose highest bit is set; no other bits may be set."""
    return np.int64((((stops & (~stops + _1)) >> np.uint64(7)) * _PLACES) >> np.uint64(56))


@njit(cache=True)
def string_end(eights, at, end):  # type: ignore[no-untyped-def]
    """Position of the closing quote, -1 when the string is not plain."""
    while at < end:
        eight = eight_at(eights, at)
        quote, escape = eight ^ _QUOTES, eight ^ _ESCAPES
        # Only the lowest set bit is reliable and used; those above it may be wrong (borrow).
        stops = (
            ((quote - _ONES) & ~quote) | ((escape - _ONES) & ~escape) | ((eight - _SPACES) & ~eight) | eight
        ) & _HIGHS
        if stops:
            at += lowest_of(stops)
            return at if at < end and (eight_at(eights, at) & np.uint64(255)) == np.uint64(34) else -1
        at += 8
    return -1


@njit(cache=True)
def plain_end(eights, at, end):  # type: ignore[no-untyped-def]
    """Position after the closing bracket of an array or object that nests no other; -1 when it is not plain."""
    closing = (eight_at(eights, at) & np.uint64(255)) + np.uint64(2)
    at += 1
    while at < end:
        eight = eight_at(eights, at)
        folded = eight | _SPACES  # [ differs from { by this bit, and ] from }
        opening, shutting, escape = folded ^ _OPENINGS, folded ^ _CLOSINGS, eight ^ _ESCAPES
        stops = (
            ((opening - _ONES) & ~opening)
            | ((shutting - _ONES) & ~shutting)
            | ((escape - _ONES) & ~escape)
            | ((eight - _SPACES) & ~eight)
            | eight
        ) & _HIGHS
        if stops:
            at += lowest_of(stops)
            return at + 1 if at < end and (eight_at(eights, at) & np.uint64(255)) == closing else -1
        at += 8
    return -1


@njit(cache=True)
def number(text, at, end):  # type: ignore[no-untyped-def]
    """Read a non-negative decimal number without exponent; return it and the position after it, -1 when it is none.

    The number is the nearest float64, or -1.0 when rounding it takes more than 64 bits.
    """
    first, digits, fraction = at, 0, -1
    while at < end:
        letter = text[at]
        if 48 <= letter <= 57:
            digits = digits * 10 + (letter - 48) if 0 <= digits < 90_000_000_000_000_000 else -1
        elif letter == 46 and fraction < 0 and at > first:
            fraction = at + 1
        else:
            break
        at += 1
    whole = at - first if fraction < 0 else fraction - 1 - first
    if whole == 0 or at == fraction or (text[first] == 48 and whole > 1):
        return -1.0, -1
    if at < end and (text[at] == 101 or text[at] == 69 or text[at] == 46):  # e E .
        return -1.0, -1
    return _nearest(digits, at - fraction if fraction >= 0 else 0), at


@njit(cache=True)
def _nearest(digits, decimals):  # type: ignore[no-untyped-def]
    """Return the float64 nearest to `digits` / 10**`decimals`; `digits` is -1 when there were too many."""
    if 0 <= digits < 1 << 53 and decimals <= 22:
        return digits / _POWERS[decimals]  # both are exact, so the quotient is the nearest
    if decimals > 10 or digits < 0:
        return -1.0
    whole, rest = digits // _TENS[decimals], digits % _TENS[decimals]
    if not 1 << 30 <= whole < 1 << 31:
        return -1.0
    # A second between 2004 and 2038 has 22 binary places: round the rest to them. There is no tie: a number halfway
    # between two of them has 23 decimals, and this one at most 10.
    places, over = (rest << 22) // _TENS[decimals], (rest << 22) % _TENS[decimals]
    if 2 * over > _TENS[decimals]:
        places += 1
    return ((whole << 22) + places) / 4_194_304.0


@njit(cache=True)
def same(eights, at, others, there, length):  # type: ignore[no-untyped-def]
    """Whether two pieces are the same bytes."""
    while length >= 8:
        if eight_at(eights, at) != eight_at(others, there):
            return False
        at, there, length = at + 8, there + 8, length - 8
    return ((eight_at(eights, at) ^ eight_at(others, there)) & below(length)) == np.uint64(0)


@njit(cache=True)
def below(length):  # type: ignore[no-untyped-def]
    """Mask of the lowest `length` bytes, `length` < 8."""
    return (_1 << np.uint64(8 * length)) - _1


@njit(cache=True)
def gather(letters, spans, count, out):  # type: ignore[no-untyped-def]
    """Write `count` pieces, a newline after each; returns the number of bytes written."""
    at = 0
    for each in range(count):
        for place in range(spans[each, 0], spans[each, 1]):
            out[at] = letters[place]
            at += 1
        out[at] = 10
        at += 1
    return at


@njit(cache=True)
def code(eights, first, last, field, slots, spans, counts):  # type: ignore[no-untyped-def]
    """Return 1 + the word's number in its field's dictionary, adding new words; 0 after too many probes.

    The hash is not keyed: words made to collide are left to the next decoder, whose hash is.
    """
    letters, at = np.uint64(last - first), first
    while last - at >= 8:
        letters = (letters ^ eight_at(eights, at)) * _MIX
        letters ^= letters >> np.uint64(32)
        at += 8
    letters = (letters ^ (eight_at(eights, at) & below(last - at))) * _MIX
    mask = slots.shape[1] - 1
    slot = np.int64(letters >> np.uint64(40)) & mask
    for _ in range(_LOOKS):
        if not slots[field, slot]:
            word = counts[field]
            counts[field] = word + 1
            spans[field, word, 0], spans[field, word, 1] = first, last
            slots[field, slot] = word + 1
            return word + 1
        word = slots[field, slot] - 1
        start = spans[field, word, 0]
        if spans[field, word, 1] - start == last - first and same(eights, first, eights, start, last - first):
            return word + 1
        slot = (slot + 1) & mask
    return 0
