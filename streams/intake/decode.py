"""Bytes to rows: decode a whole fetch at once, and record by record only when a record in it is not valid.

Three decoders are tried in turn, each when the one before declines; they agree on every input: machine code for the
plainest votes (`streams.intake.fast_decode`), the fast decoder, and the strict one. The fast decoder accepts a fetch
only when every record is valid. Joining the values with newlines and decoding them as lines takes half the time of
decoding them one by one. It is safe because each value is checked to begin with `{`, to end with `}` and to contain no
newline: JSON allows no raw newline inside a string, and after `}` at the end of a line an open object would need `,` or
`}`, not the `{` that begins the next line. So no value can span two lines, each line holds at least one value, and n
values in n lines are one each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import get_type_hints

import msgspec
import numpy as np

from streams.contracts.names import is_lost, settled
from streams.contracts.reasons import Reason
from streams.contracts.vote import (
    DRAWN_SECONDS,
    FUTURE_SECONDS,
    MAX_DEPTH,
    MAX_RECORD_BYTES,
    SAYS_NOTHING,
    InvalidRecord,
    Style,
    Vote,
    is_arena,
    parse_vote,
    what_it_says,
)
from streams.intake.fast_decode import (
    ARENA,
    BATTLE,
    CATEGORIES,
    LANGUAGE,
    MODEL_A,
    MODEL_B,
    P_PAIR,
    PROMPT,
    STYLE,
    VOTER,
    Scanned,
    scan,
)
from streams.intake.records import Records
from streams.intake.reject_limit import NOBODY
from streams.ledger.rows import Codes, Rows, coded_sets, rows_of, style_columns

_lines = msgspec.json.Decoder(Vote).decode_lines
_hints = get_type_hints(Vote, include_extras=True)
_labels = msgspec.json.Decoder(_hints["categories"]).decode
_chance = msgspec.json.Decoder(_hints["p_pair"]).decode
_style = msgspec.json.Decoder(Style).decode
ARENA_DEFAULT = "text"
_NO_OBJECT = {
    Reason.EMPTY,
    Reason.TOO_LARGE,
    Reason.TOO_DEEP,
    Reason.INVALID_UTF8,
    Reason.INVALID_JSON,
    Reason.NOT_AN_OBJECT,
}


class _Named(msgspec.Struct):
    arena: str = ARENA_DEFAULT


_named = msgspec.json.Decoder(_Named).decode


@dataclass(frozen=True, slots=True)
class Reject:
    """A refused record: its index in the fetch, the reason, and its arena if it names one."""

    index: int
    reason: Reason
    detail: str
    arena: str = NOBODY


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded fetch: usable votes as rows with their ids and arenas, and the rejects, both in order."""

    ids: list[bytes]
    arenas: list[str]
    rows: Rows
    rejects: list[Reject]


def decode(records: Records) -> Decoded:
    """Decode and check all records of a fetch; no input raises."""
    return _fastest(records) or _fast(records) or strict(records)


def strict(records: Records) -> Decoded:
    """Decode record by record, with a reason for each refusal; slower by half. It defines what is accepted."""
    votes: list[Vote] = []
    kept: list[int] = []
    rejects: list[Reject] = []
    for index, (key, value, recorded) in enumerate(
        zip(records.keys, records.values, records.recorded.tolist(), strict=True)
    ):
        try:
            vote = parse_vote(value, recorded / 1000)
            if key != vote.id.encode():
                raise InvalidRecord(Reason.KEY_MISMATCH, f"key {key!r} is not the id {vote.id!r}")
        except InvalidRecord as error:
            rejects.append(Reject(index, error.reason, error.detail, _arena_of(value, error.reason)))
            continue
        votes.append(vote)
        kept.append(index)
    chosen = np.array(kept, dtype=np.int64)
    rows = rows_of(votes, records.partition[chosen], records.offset[chosen], records.recorded[chosen])
    return Decoded([vote.id.encode() for vote in votes], [vote.arena for vote in votes], rows, rejects)


def _arena_of(value: bytes | None, reason: Reason) -> str:
    """Return the arena of a refused vote; `reason` tells whether the value is a JSON object."""
    if value is None or reason in _NO_OBJECT:
        return NOBODY
    try:
        named = _named(value).arena
    except msgspec.MsgspecError:
        return NOBODY
    return named if is_arena(named) else NOBODY


def _fastest(records: Records) -> Decoded | None:
    """Decode a fetch of plain votes in machine code; None when it holds anything else, good or bad."""
    try:
        found = scan(records.values, records.keys)  # type: ignore[arg-type]  # the except handles None
        if found is None:
            return None
        arenas = found.words[ARENA]
        sets = [_labels(word) for word in found.words[CATEGORIES]]
        chances = [math.nan, *map(_chance, found.words[P_PAIR])]
        styles = [None, *map(_style, found.words[STYLE])]
    except (TypeError, msgspec.MsgspecError):
        return None
    if (
        not all(map(is_arena, arenas))
        or not (found.tstamp <= records.recorded / 1000 + FUTURE_SECONDS).all()
        or (found.drawn_at > found.tstamp + DRAWN_SECONDS).any()
    ):
        return None
    # Names that are not in normal form, unreadable or lost are left to the strict decoder.
    models = found.words[MODEL_A]
    if not all(map(settled, chain(models, found.words[LANGUAGE], *sets))) or any(map(is_lost, models)):
        return None
    codes = found.codes
    language, voter, prompt, battle = (_worded(found, field) for field in (LANGUAGE, VOTER, PROMPT, BATTLE))
    category_sets, categories = coded_sets(sets, codes[CATEGORIES])
    return Decoded(
        records.keys,  # type: ignore[arg-type]  # every key is the id of its vote
        _arenas(arenas, codes[ARENA]),
        Rows(
            models=models,
            model_a=codes[MODEL_A] - 1,
            model_b=codes[MODEL_B] - 1,
            winner=found.winner,
            tstamp=found.tstamp,
            partition=records.partition,
            offset=records.offset,
            recorded=records.recorded,
            languages=language[0],
            language=language[1],
            category_sets=category_sets,
            categories=categories,
            voters=voter[0],
            voter=voter[1],
            prompts=prompt[0],
            prompt=prompt[1],
            battles=battle[0],
            battle=battle[1],
            p_pair=np.array(chances)[codes[P_PAIR]] if len(chances) > 1 else None,
            drawn_at=None if np.isnan(found.drawn_at).all() else found.drawn_at,
            style=style_columns(styles, codes[STYLE]) if len(styles) > 1 else None,
        ),
        [],
    )


def _worded(found: Scanned, field: int) -> tuple[list[str], Codes | None]:
    words = found.words[field]
    return ["", *words], found.codes[field] if words else None


def _arenas(words: list[str], codes: Codes) -> list[str]:
    if not words:
        return [ARENA_DEFAULT] * len(codes)
    if len(words) == 1 and codes.all():
        return words * len(codes)
    named = [ARENA_DEFAULT, *words]
    return [named[code] for code in codes.tolist()]


def _fast(records: Records) -> Decoded | None:
    """Decode the fetch in one go; None when any record of it needs a closer look."""
    n = len(records)
    try:
        text = b"\n".join(records.values)  # type: ignore[arg-type]  # the except handles a None value
        if (
            not _are_lines(text, n)
            or (len(text) > MAX_RECORD_BYTES and max(map(len, records.values)) > MAX_RECORD_BYTES)  # type: ignore[arg-type]
            or _most_openings(text) > MAX_DEPTH
        ):
            return None
        if not text.isascii():
            text.decode()
        votes = _lines(text)
    except (TypeError, UnicodeDecodeError, RecursionError, msgspec.MsgspecError):
        return None
    if len(votes) != n:
        return None
    ids = [vote.id.encode() for vote in votes]
    if ids != records.keys:
        return None
    arenas = [vote.arena for vote in votes]
    if not all(map(is_arena, set(arenas))):
        return None
    rows = rows_of(votes, records.partition, records.offset, records.recorded)
    if (
        rows.winner.max() == 255
        or (rows.model_a == rows.model_b).any()
        or not (rows.tstamp <= records.recorded / 1000 + FUTURE_SECONDS).all()
        or (rows.drawn_at is not None and (rows.drawn_at > rows.tstamp + DRAWN_SECONDS).any())
        or not all(map(settled, chain(rows.models, rows.languages, *rows.category_sets)))
        or any(map(is_lost, rows.models))
        or list(map(what_it_says, votes)).count(SAYS_NOTHING) < n
    ):
        return None
    return Decoded(ids, arenas, rows, [])


def _are_lines(text: bytes, n: int) -> bool:
    """Whether the text is n lines that each begin with `{` and end with `}`; five times as fast as `bytes.count`."""
    if not text.startswith(b"{") or not text.endswith(b"}"):
        return False
    raw = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    return len(ends) == n - 1 and bool((raw[ends - 1] == ord("}")).all() and (raw[ends + 1] == ord("{")).all())


def _most_openings(text: bytes) -> int:
    """Return the largest `count_openings` of any line; the text is not empty."""
    raw = np.frombuffer(text, np.uint8)
    openings = np.flatnonzero(raw | 0x20 == ord("{"))  # only `[` differs from `{` by just this bit
    ends = np.append(np.flatnonzero(raw == ord("\n")), len(raw))
    return int(np.diff(np.searchsorted(openings, ends), prepend=0).max())
