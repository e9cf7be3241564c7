"""Parse the bodies of POST /v1/votes and PUT /v1/arenas/{arena}/models/{model} into records for Kafka. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter

import msgspec
import numpy as np

from services.gateway.responses import Rejected
from services.http.errors import Refusal, Refused
from streams.contracts.model import Model, model_key, parse_model, split_key
from streams.contracts.names import normalised
from streams.contracts.reasons import FIELD_REASONS, Reason
from streams.contracts.vote import DOOR_SECONDS, InvalidRecord, decode_json, parse_vote

MAX_VOTES = 50_000
"""Maximum of items per request: a body of 8 MB could hold four million, each with an entry in the answer."""

BLANK, NEWLINE = b" \t\r\n", b"\n"
NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})

_value = msgspec.json.Decoder(msgspec.Raw)
_array = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])

Item = bytes | msgspec.Raw


@dataclass(frozen=True, slots=True)
class ParsedVotes:
    """Records and rejected items of one body.

    Parameters
    ----------
    records
        Key and value of each good vote; the value is the item as it was sent, unknown fields included.
    arenas
        Each arena of the records, with the index of its first vote.
    arena_of, models_of
        The arena of each record, and its two models.
    rejected
        The other items.
    renamed
        Names in the records that are not in normal form, each with the normal form that is counted.
    """

    records: list[tuple[bytes, bytes | None]]
    arenas: dict[str, int]
    rejected: list[Rejected]
    arena_of: list[str]
    models_of: list[tuple[str, str]]
    renamed: dict[str, str] = field(default_factory=dict)

    def duplicates(self) -> int:
        """Number of records with the arena and id of an earlier one."""
        if len(self.arenas) < 2:
            return len(self.records) - len({key for key, _ in self.records})
        return len(self.records) - len(
            {(arena, key) for arena, (key, _) in zip(self.arena_of, self.records, strict=True)}
        )

    def names(self) -> dict[str, dict[str, None]]:
        """Models that the records name, by arena, in order of first appearance."""
        found: dict[str, dict[str, None]] = {arena: {} for arena in self.arenas}
        for arena, models in zip(self.arena_of, self.models_of, strict=True):
            found[arena].update(dict.fromkeys(models))
        return found

    def without(self, reason: Reason, why: Callable[[str, tuple[str, str]], str | None]) -> ParsedVotes:
        """Copy that rejects the votes for whose arena and models `why` returns a detail for a person."""
        kept = ParsedVotes([], {}, [*self.rejected], [], [], self.renamed)
        unused = {each.index for each in self.rejected}
        indices = (index for index in count() if index not in unused)
        for index, record, arena, models in zip(indices, self.records, self.arena_of, self.models_of, strict=False):
            detail = why(arena, models)
            if detail is not None:
                kept.rejected.append(Rejected(index, reason, detail))
                continue
            kept.records.append(record)
            kept.arenas.setdefault(arena, index)
            kept.arena_of.append(arena)
            kept.models_of.append(models)
        kept.rejected.sort(key=attrgetter("index"))
        return kept


def is_ndjson(content_type: str) -> bool:
    """Whether a Content-Type declares NDJSON.

    >>> is_ndjson("application/x-ndjson; charset=utf-8")
    True
    """
    return content_type.partition(";")[0].strip().lower() in NDJSON_TYPES


def split_body(body: bytes, ndjson: bool) -> Sequence[Item]:
    r"""Split a body into items, without decoding the items.

    An object or an array is one JSON text: when it is malformed, the whole body is refused. In NDJSON each line is its
    own JSON text, and a bad line is rejected alone. NDJSON is also recognised without its content type, when the body
    is not one JSON value and its first line is an object.

    Raises
    ------
    Refused
        When the body cannot be split; with the reason.

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
        text.decode()  # msgspec does not check the UTF-8 of strings that it skips
        _count(text)
        return _few(_array.decode(text) if text[:1] == b"[" else [_value.decode(text)])
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        if _looks_like_lines(text):
            return _few(_lines(text))
        raise _not_json(error) from None


def read_votes(items: Sequence[Item], arrived: float) -> ParsedVotes:
    """Decode and check every item with `parse_vote`, as intake does later; intake accepts a `tstamp` further ahead."""
    votes = ParsedVotes([], {}, [], [], [])
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
            votes.models_of.append((vote.model_a, vote.model_b))
            votes.renamed.update(renamed)
    return votes


def _count(text: bytes) -> None:
    """Refuse an array of too many items before msgspec allocates them: 8 MB of `1,` are four million objects."""
    if text[:1] != b"[" or text.count(b",") < MAX_VOTES:
        return
    # Drop escaped backslashes and quotes; then a letter after an odd number of quotes is inside a string.
    letters = np.frombuffer(text.replace(rb"\\", b"").replace(rb"\"", b""), np.uint8)
    letters = letters[np.cumsum(letters == ord('"'), dtype=np.uint8) & 1 == 0]
    steps = np.zeros(256, np.int8)
    steps[list(b"[{")], steps[list(b"]}")] = 1, -1
    outermost = np.cumsum(steps[letters], dtype=np.int32) == 1
    if (items := 1 + int(np.count_nonzero(outermost & (letters == ord(","))))) > MAX_VOTES:
        raise Refused(Refusal.TOO_MANY_VOTES, f"{items} items, at most {MAX_VOTES} are allowed in one request")


def _lines(body: bytes) -> list[bytes]:
    if body.count(b"\n") > 4 * MAX_VOTES:  # blank lines are not items, but no client needs this many
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


def read_model(body: bytes, arena: str, model: str, now: float) -> tuple[bytes, bytes]:
    """Key and value of the record; arena and model come from the path, `tstamp` is now unless the body has one.

    The model is written in its normal form.

    Raises
    ------
    Refused
        When the body is not a valid record of this model; with the reason.

    >>> body = b'{"provider":"p","license":"proprietary","visibility":"public","status":"active","weight":1}'
    >>> read_model(body, "text", "m", 7.0)[1][:42]
    b'{"arena":"text","model":"m","tstamp":7.0,"'
    """
    try:
        fields: dict[str, msgspec.Raw] = decode_json(_fields, body)
        path = {"arena": arena, "model": normalised(model)}
        for name, wanted in path.items():
            given = _text(fields[name]) if name in fields else wanted
            if given is None or (normalised(given) if name == "model" else given) != wanted:
                raise InvalidRecord(FIELD_REASONS[name], f"{name} in the body is not {wanted!r}, as in the path")
        value = msgspec.json.encode({**path, "tstamp": now} | fields | path)
        key = model_key(arena, path["model"])
        parse_model(value, key, now, DOOR_SECONDS)
    except InvalidRecord as error:
        raise Refused(error.reason, error.detail) from None
    return key, value


def unread_fields(value: bytes) -> list[str]:
    """Fields of a record that `Model` does not have, such as misspelt ones: they have no effect.

    >>> unread_fields(b'{"model":"m","anounced_at":1}')
    ['anounced_at']
    """
    return sorted(_fields.decode(value).keys() - {*Model.__struct_fields__})


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.ValidationError:
        return None


def key_of(arena: str, model: str) -> bytes:
    """Record key of the model in the path, for its removal; raises `Refused` when no model can have this key.

    `model` is the name as in its record: a record from before names had a normal form has a key of its own.
    """
    key = model_key(arena, model)
    try:
        split_key(key)
    except InvalidRecord:
        raise Refused(Reason.INVALID_MODEL, f"{arena[:40]!r}, {model[:140]!r} is not an arena and a model") from None
    return key
