"""The body of POST /v1/votes: from bytes to records for Kafka and items rejected. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter

import msgspec
import numpy as np

from services.gateway.responses import Rejected
from services.http.errors import Refusal, Refused
from streams.contracts.reasons import Reason
from streams.contracts.vote import DOOR_SECONDS, InvalidRecord, parse_vote

MAX_VOTES = 50_000
"""Items of one request: a body of 8 MB could hold four million, each with a line in the answer."""

BLANK, NEWLINE = b" \t\r\n", b"\n"
NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})

_value = msgspec.json.Decoder(msgspec.Raw)
_array = msgspec.json.Decoder(list[msgspec.Raw])

Item = bytes | msgspec.Raw


@dataclass(frozen=True, slots=True)
class ParsedVotes:
    """What a body holds.

    Parameters
    ----------
    records
        Key and value of each good vote; the value is the item as it was sent, unknown fields included.
    arenas
        Each arena among them, with the index of its first vote.
    arena_of
        The arena of each record.
    rejected
        The other items.
    renamed
        Names in the records that are counted in another spelling, their normal form.
    """

    records: list[tuple[bytes, bytes | None]]
    arenas: dict[str, int]
    rejected: list[Rejected]
    arena_of: list[str]
    renamed: dict[str, str] = field(default_factory=dict)

    def duplicates(self) -> int:
        """How many records have the arena and id of one before them."""
        if len(self.arenas) < 2:
            return len(self.records) - len({key for key, _ in self.records})
        return len(self.records) - len(
            {(arena, key) for arena, (key, _) in zip(self.arena_of, self.records, strict=True)}
        )

    def without(self, arenas: Set[str], why: Callable[[str], str]) -> ParsedVotes:
        """The same with the votes of some arenas rejected; `why` says of an arena what a person should know."""
        left = {arena: at for arena, at in self.arenas.items() if arena not in arenas}
        kept = ParsedVotes([], left, [*self.rejected], [], self.renamed)
        unused = {each.index for each in self.rejected}
        indices = (index for index in count() if index not in unused)
        for index, record, arena in zip(indices, self.records, self.arena_of, strict=False):
            if arena in arenas:
                kept.rejected.append(Rejected(index, Reason.TOO_MANY_ARENAS, why(arena)))
            else:
                kept.records.append(record)
                kept.arena_of.append(arena)
        kept.rejected.sort(key=attrgetter("index"))
        return kept


def is_ndjson(content_type: str) -> bool:
    """Whether a Content-Type says that the body is lines of JSON.

    >>> is_ndjson("application/x-ndjson; charset=utf-8")
    True
    """
    return content_type.partition(";")[0].strip().lower() in NDJSON_TYPES


def split_body(body: bytes, ndjson: bool) -> Sequence[Item]:
    r"""Take a body apart into items, which are not looked into.

    An object or an array is one JSON text: when it is not well-formed, it is refused whole. Of lines, each is a text of
    its own, and a bad one is rejected by itself. Lines are recognised without their content type, too, when the body is
    not one JSON value and the first of its lines is an object.

    Raises
    ------
    Refused
        With the reason, when the body cannot be taken apart.

    >>> [bytes(item) for item in split_body(b'[{"id": 1}, {"id": 2}]', ndjson=False)]
    [b'{"id": 1}', b'{"id": 2}']
    >>> split_body(b'{"id": 1}\n\n{"id": 2\n', ndjson=False)
    [b'{"id": 1}', b'{"id": 2']
    """
    if ndjson:
        return _few(_lines(body))
    text = body.strip(BLANK)
    if not text:
        raise Refused(Reason.EMPTY, "the body is empty")
    try:
        text.decode()  # msgspec does not look into strings that it skips
        _count(text)
        return _few(_array.decode(text) if text[:1] == b"[" else [_value.decode(text)])
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        if _looks_like_lines(text):
            return _few(_lines(text))
        raise _not_json(error) from None


def read_votes(items: Sequence[Item], arrived: float) -> ParsedVotes:
    """Decode and check every item with the contract's own `parse_vote`, as intake will do again, with more patience."""
    votes = ParsedVotes([], {}, [], [])
    for index, item in enumerate(items):
        value = bytes(item)
        renamed: dict[str, str] = {}
        try:
            vote = parse_vote(value, arrived, DOOR_SECONDS, renamed)
        except InvalidRecord as error:
            votes.rejected.append(Rejected(index, error.reason, error.detail))
        else:
            votes.records.append((vote.id.encode(), value))
            votes.arenas.setdefault(vote.arena, index)
            votes.arena_of.append(vote.arena)
            votes.renamed.update(renamed)
    return votes


def _count(text: bytes) -> None:
    """Refuse an array of too many items before it makes them: eight megabytes of `1,` are four million objects."""
    if text[:1] != b"[" or text.count(b",") < MAX_VOTES:
        return
    # Without what a backslash says is no end of a string; what stands behind an odd number of quotes is in one.
    letters = np.frombuffer(text.replace(rb"\\", b"").replace(rb"\"", b""), np.uint8)
    letters = letters[np.cumsum(letters == ord('"'), dtype=np.uint8) & 1 == 0]
    steps = np.zeros(256, np.int8)
    steps[list(b"[{")], steps[list(b"]}")] = 1, -1
    outermost = np.cumsum(steps[letters], dtype=np.int32) == 1
    if (items := 1 + int(np.count_nonzero(outermost & (letters == ord(","))))) > MAX_VOTES:
        raise Refused(Refusal.TOO_MANY_VOTES, f"{items} items, at most {MAX_VOTES} are allowed in one request")


def _lines(body: bytes) -> list[bytes]:
    if body.count(b"\n") > 4 * MAX_VOTES:  # blank ones do not count, but so many are no votes
        raise Refused(Refusal.TOO_MANY_VOTES, f"{body.count(NEWLINE)} lines, at most {MAX_VOTES} votes are allowed")
    lines = [text for line in body.split(b"\n") if (text := line.strip(BLANK))]
    if not lines:
        raise Refused(Reason.EMPTY, "the body is empty")
    return lines


def _looks_like_lines(text: bytes) -> bool:
    first, newline, _ = text.partition(b"\n")
    if not newline or first[:1] != b"{":
        return False
    try:
        _value.decode(first)
    except (RecursionError, msgspec.DecodeError):
        return False
    return True


def _few(items: Sequence[Item]) -> Sequence[Item]:
    if len(items) > MAX_VOTES:
        raise Refused(Refusal.TOO_MANY_VOTES, f"{len(items)} items, at most {MAX_VOTES} are allowed in one request")
    return items


def _not_json(error: Exception) -> Refused:
    if isinstance(error, UnicodeDecodeError):
        return Refused(Reason.INVALID_UTF8, f"not UTF-8 at byte {error.start}")
    if isinstance(error, RecursionError):
        return Refused(Reason.TOO_DEEP, "the JSON nests too deeply")
    return Refused(Reason.INVALID_JSON, str(error))
