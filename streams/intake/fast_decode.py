"""Votes as JSON, read by machine code straight into columns: the fastest of the three decoders, for plain votes.

It handles the part of JSON that programs write: ASCII without escapes, spaces as white space, each known field once,
and unknown fields that hold a string, a number or null. It also declines fields that may mark a record as no ordinary
vote. When anything in a fetch is not plain, it declines the whole fetch and the next decoder handles it, so this one
needs no reasons for refusals. Strings are dictionary-coded in place, so each distinct one becomes an object once;
arrays, style objects and `p_pair` are coded by their raw text, and msgspec decodes each distinct text once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.vote import WINNERS
from streams.intake.json_bytes import code, gather, number, plain_end, same, skip, string_end, table

ID, MODEL_A, MODEL_B, WINNER, TSTAMP, ARENA, VOTER, LANGUAGE, CATEGORIES, PROMPT, BATTLE, P_PAIR, DRAWN_AT, STYLE = (
    range(14)
)
_FIELDS = (
    b"id", b"model_a", b"model_b", b"winner", b"tstamp", b"arena", b"voter", b"language", b"categories",
    b"prompt_hash", b"battle", b"p_pair", b"drawn_at", b"style",
)  # fmt: skip
_LONGEST = (64, 128, 128, 16, 32, 32, 64, 64, 1 << 16, 64, 64, 32, 32, 1 << 16)
"""Maximum bytes of a value, by field, without quotes."""
_REQUIRED = 1 << ID | 1 << MODEL_A | 1 << MODEL_B | 1 << WINNER | 1 << TSTAMP
_SAYS = (b"anony", b"count", b"weight", b"is_valid", b"dedup_tag")
_NAMES, _NAME_AT = table(_FIELDS + _SAYS)
_WINNERS, _WINNER_AT = table(tuple(word.encode() for word in WINNERS))
_WINNER_CODES = np.array(list(WINNERS.values()), np.uint8)
_MOST = np.array(_LONGEST, np.int64)
_PLACES = 32
"""Number of fields per record whose positions are remembered."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A fetch as columns.

    Attributes
    ----------
    codes
        int32[14, n] by field: 1 + number of the word, 0 for absent, null or empty. `MODEL_A` and `MODEL_B` share the
        dictionary of `MODEL_A`. Meaningless for `ID`, `WINNER`, `TSTAMP` and `DRAWN_AT`.
    words
        By field: the distinct values as raw text, strings without their quotes, in order of appearance.
    winner
        uint8[n].
    tstamp
        float64[n].
    drawn_at
        float64[n], NaN for absent or null.
    """

    codes: NDArray[np.int32]
    words: list[list[str]]
    winner: NDArray[np.uint8]
    tstamp: NDArray[np.float64]
    drawn_at: NDArray[np.float64]


def scan(values: list[bytes], keys: list[bytes]) -> Scanned | None:
    """Read a fetch in which each key equals the vote's id; None when anything in it is not plain.

    Parameters
    ----------
    values, keys
        n values and n keys, n >= 1.
    """
    n = len(values)
    if not n:
        return None
    # n plain votes were found in a text with n newlines: no value contains one, so each value is one vote.
    letters, eights = _lines(values)
    id_letters, ids = _lines(keys)
    size = 64
    while size < 3 * n:
        size *= 2
    slots = np.zeros((len(_FIELDS), size), np.int32)
    spans = np.empty((len(_FIELDS), 2 * n, 2), np.int64)
    counts = np.zeros(len(_FIELDS), np.int64)
    codes = np.zeros((len(_FIELDS), n), np.int32)
    winner, tstamp, drawn_at = np.empty(n, np.uint8), np.empty(n), np.full(n, np.nan)
    if not _scan(letters, eights, id_letters, ids, slots, spans, counts, codes, winner, tstamp, drawn_at):
        return None
    words = [_words(letters, spans[field], count) for field, count in enumerate(counts.tolist())]
    return Scanned(codes, words, winner, tstamp, drawn_at)


def _lines(pieces: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Join the pieces, a newline after each; return them as bytes and, padded, as 8-byte words."""
    text = b"\n".join([*pieces, bytes(16)])
    return np.frombuffer(text, np.uint8, len(text) - 16), np.frombuffer(text, "<u8", len(text) // 8)


def _words(letters: NDArray[np.uint8], spans: NDArray[np.int64], count: int) -> list[str]:
    """Return the pieces as strings; splitting one text takes a third of the time of slicing each."""
    lengths = spans[:count, 1] - spans[:count, 0]
    text = np.empty(int(lengths.sum()) + count, np.uint8)
    gather(letters, spans, count, text)
    # Only ASCII without newlines: the scan fails on anything else.
    return text.tobytes().decode("ascii").split("\n")[:count]


@njit(cache=True)
def _scan(text, eights, id_text, ids, slots, spans, counts, codes, winner, tstamp, drawn_at):  # type: ignore[no-untyped-def]
    """Fill the columns; False at the first thing that is not plain."""
    n, end = len(winner), len(text)
    second = np.empty((n, 2), np.int64)
    # The bytes before each value, from `{` or `,` to the colon, are mostly the same in the next record.
    before, fields = np.zeros((_PLACES, 2), np.int64), np.zeros(_PLACES, np.int64)
    begin = id_begin = id_end = 0
    for row in range(n):
        seen, place, seconds = 0, 0, -1.0
        if begin >= end or text[begin] != 123:  # {
            return False
        at = begin
        while True:
            length = before[place, 1] - before[place, 0]
            if length and at + length < end and same(eights, at, eights, before[place, 0], length):
                field, at = fields[place], at + length
            else:
                first = at
                field, at = _name(text, eights, at, end)
                if at < 0:
                    return False
                before[place, 0], before[place, 1], fields[place] = first, at, field
            place = min(place + 1, _PLACES - 1)
            at = skip(text, at, end)
            if at >= end:
                return False
            # value
            opening, first = text[at], at
            if opening == 34:
                first += 1
                last = string_end(eights, first, end)
                if last < 0:
                    return False
                at = last + 1
            elif opening == 91 or opening == 123:  # [ {
                last = at = plain_end(eights, at, end)
                if at < 0:
                    return False
            elif (
                opening == 110 and at + 4 <= end and text[at + 1] == 117 and text[at + 2] == 108 and text[at + 3] == 108
            ):
                last = at = at + 4  # null
            else:
                seconds, at = number(text, at, end)
                last = at
                if at < 0:
                    return False
            if field >= 0:
                if seen >> field & 1 or last - first > _MOST[field]:
                    return False
                seen |= 1 << field
                if field == ID:
                    id_end = id_begin + last - first
                    if opening != 34 or last == first or id_end >= len(id_text) or id_text[id_end] != 10:
                        return False
                    if not same(eights, first, ids, id_begin, last - first):
                        return False
                elif field == WINNER:
                    found = -1
                    for each in range(len(_WINNER_CODES)):
                        length = _WINNER_AT[each + 1] - _WINNER_AT[each]
                        if length == last - first and same(eights, first, _WINNERS, _WINNER_AT[each], length):
                            found = each
                            break
                    if opening != 34 or found < 0:
                        return False
                    winner[row] = _WINNER_CODES[found]
                elif field == TSTAMP:
                    if opening < 48 or opening > 57 or seconds < 0:
                        return False
                    tstamp[row] = seconds
                elif field in (MODEL_A, MODEL_B):
                    if opening != 34 or last == first:
                        return False
                    if field == MODEL_A:
                        word = code(eights, first, last, MODEL_A, slots, spans, counts)
                        if word == 0:
                            return False
                        codes[MODEL_A, row] = word
                    else:
                        second[row, 0], second[row, 1] = first, last
                elif opening == 110:
                    if field == ARENA:
                        return False
                elif field == DRAWN_AT:
                    if opening < 48 or opening > 57 or seconds < 0:
                        return False
                    drawn_at[row] = seconds
                else:
                    wanted = 91 if field == CATEGORIES else 123 if field == STYLE else 34
                    if field == P_PAIR:
                        if opening == 34 or opening == 91 or opening == 123:
                            return False
                    elif opening != wanted:
                        return False
                    if last > first:
                        word = code(eights, first, last, field, slots, spans, counts)
                        if word == 0:
                            return False
                        codes[field, row] = word
                    elif field == ARENA:
                        return False
            elif opening == 91 or opening == 123:
                return False  # an unknown field that holds an array or object
            at = skip(text, at, end)
            if at >= end:
                return False
            if text[at] == 125:  # }
                break
            if text[at] != 44:  # ,
                return False
        at += 1
        if at >= end or text[at] != 10 or at - begin > 65_536 or seen & _REQUIRED != _REQUIRED:
            return False
        begin, id_begin = at + 1, id_end + 1
    if begin != end or id_begin != len(id_text):
        return False
    for row in range(n):
        word = code(eights, second[row, 0], second[row, 1], MODEL_A, slots, spans, counts)
        if word == 0 or word == codes[MODEL_A, row]:
            return False
        codes[MODEL_B, row] = word
    return True


@njit(cache=True)
def _name(text, eights, at, end):  # type: ignore[no-untyped-def]
    """Read the field name after `{` or `,`: its number (-1: unknown) and the position after its colon.

    Both are -1 when the name is not plain.
    """
    at = skip(text, at + 1, end)
    if at >= end or text[at] != 34:
        return -1, -1
    first = at + 1
    last = string_end(eights, first, end)
    if last < 0:
        return -1, -1
    at = skip(text, last + 1, end)
    if at >= end or text[at] != 58:  # :
        return -1, -1
    for each in range(len(_NAME_AT) - 1):
        length = _NAME_AT[each + 1] - _NAME_AT[each]
        if length == last - first and same(eights, first, _NAMES, _NAME_AT[each], length):
            return (each, at + 1) if each < len(_MOST) else (-1, -1)
    return -1, at + 1


def warm() -> None:
    """Compile, or load from disk."""
    scan([b'{"id":"x","model_a":"a","model_b":"b","winner":"tie","tstamp":1.0}'], [b"x"])
