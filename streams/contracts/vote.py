"""The vote: one battle of two anonymous models and the person's choice."""

from __future__ import annotations

import math
import re
from itertools import accumulate
from operator import attrgetter
from typing import Annotated, Protocol, TypeVar

import msgspec
from msgspec import Meta

from streams.contracts.names import LABEL_PATTERN, NAME_PATTERN, is_lost, normalised, settled, unprintable
from streams.contracts.reasons import FIELD_REASONS, Reason

MAX_RECORD_BYTES = 65_536
"""A vote or model record larger than this is refused before it is decoded."""

MAX_DEPTH = 100
"""JSON that nests deeper is refused. The decoder's own limit also counts the caller's Python frames, so with that one
caller would accept a record that another refuses."""

FUTURE_SECONDS = 300.0
"""How far `tstamp` may be ahead of the broker's record time: clocks differ, but not by five minutes."""
DOOR_SECONDS = 240.0
"""The same at the gateway, by its own clock: a slower broker clock must not refuse a vote that the gateway accepted."""

DRAWN_SECONDS = 5.0
"""How far `drawn_at` may be ahead of `tstamp`: draws and votes may be timed by two machines, and clocks differ."""

ARENA_PATTERN = "^[a-z0-9][a-z0-9_-]{0,31}$"
is_arena = re.compile(ARENA_PATTERN.rstrip("$") + r"\Z").match  # `$` alone would let a trailing newline pass

WINNERS = {"model_a": 0, "model_b": 1, "tie": 2, "both_bad": 3, "none": 4, "tie (bothbad)": 3}
"""Words of `winner` and their code in the ledger. All other words are refused."""
MODEL_A, MODEL_B, TIE, BOTH_BAD, NONE = range(5)
WINNER_NAMES = ("model_a", "model_b", "tie", "both_bad", "none")

STYLE_FIELDS = ("tokens_a", "tokens_b", "headers_a", "headers_b", "lists_a", "lists_b", "bolds_a", "bolds_b")

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
ModelName = Annotated[str, Meta(min_length=1, max_length=128, extra_json_schema={"pattern": NAME_PATTERN})]
BoardLabel = Annotated[str, Meta(max_length=64, extra_json_schema={"pattern": LABEL_PATTERN})]


class Style(msgspec.Struct, gc=False, frozen=True):
    """Counts of what the two answers look like, for style control; written without a fraction: `3`, not `3.0`."""

    tokens_a: Count
    tokens_b: Count
    headers_a: Count
    headers_b: Count
    lists_a: Count
    lists_b: Count
    bolds_a: Count
    bolds_b: Count


class DedupTag(msgspec.Struct, gc=False, frozen=True):
    """Whether the battle is in the counted sample of the battles with the same prompt."""

    sampled: Annotated[bool, Meta(extra_json_schema={"const": True})]


class Vote(msgspec.Struct, gc=False, omit_defaults=True):
    """One record of the `votes` topic; names as in the public Arena data sets.

    Unknown fields are allowed and ignored; `null` in an optional field means absent, except
    in `arena`. The last five fields are not in the ledger: a record is refused when one of them
    says that it is not one whole vote that counts.
    """

    id: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="Unique per vote within its arena; also the record key."),
    ]
    model_a: ModelName
    model_b: ModelName
    winner: Annotated[
        str,
        Meta(
            description="`none`: shown but not voted on; counts as exposure, never for a rating.",
            extra_json_schema={"enum": list(WINNERS)},
        ),
    ]
    tstamp: Annotated[float, Meta(ge=0, description="Epoch seconds.")]
    arena: Annotated[str, Meta(extra_json_schema={"pattern": ARENA_PATTERN})] = "text"
    voter: Annotated[str, Meta(max_length=64, description="Opaque; the arena hashes it.")] | None = None
    language: BoardLabel | None = None
    categories: Annotated[tuple[BoardLabel, ...], Meta(max_length=8)] | None = None
    prompt_hash: Annotated[str, Meta(max_length=64)] | None = None
    battle: (
        Annotated[
            str,
            Meta(
                max_length=64,
                description="Opaque id of the draw of two models; several votes may be about one draw.",
            ),
        ]
        | None
    ) = None
    p_pair: Annotated[float, Meta(gt=0, le=1, description="Probability with which this pair was drawn.")] | None = None
    drawn_at: (
        Annotated[
            float,
            Meta(
                ge=0,
                description="When the two models were drawn, epoch seconds;"
                f" at most {DRAWN_SECONDS:g} s after `tstamp`, because two clocks differ.",
            ),
        ]
        | None
    ) = None
    style: Style | None = None
    anony: (
        Annotated[
            bool,
            Meta(
                description="Whether the models' names were hidden; votes on named models do not count.",
                extra_json_schema={"const": True},
            ),
        ]
        | None
    ) = None
    count: Annotated[float, Meta(description="A record is one vote.", extra_json_schema={"const": 1})] | None = None
    weight: Annotated[float, Meta(description="All votes weigh the same.", extra_json_schema={"const": 1})] | None = (
        None
    )
    is_valid: Annotated[bool, Meta(extra_json_schema={"const": True})] | None = None
    dedup_tag: DedupTag | None = None


what_it_says = attrgetter("anony", "count", "weight", "is_valid", "dedup_tag")
"""The fields by which a sender may declare that a record is not one whole vote that counts."""
SAYS_NOTHING = (None,) * 5


class InvalidRecord(Exception):  # noqa: N818 -- it names the record, and the caller's next step is the dead letter
    """A record that cannot be used; the caller writes a dead letter or rejects the item.

    Parameters
    ----------
    reason
        Member of the closed set.
    detail
        One sentence for people.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


_strict = msgspec.json.Decoder(Vote)

# An unterminated string matches to the end of the text, without backtracking: linear on any input.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_STEPS = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_OTHER_BYTES = bytes(set(range(256)) - set(_STEPS))


def count_openings(value: bytes) -> int:
    """Number of `{` and `[`, including those in strings: an upper bound of the nesting depth."""
    return value.count(b"{") + value.count(b"[")


def _depth(value: bytes) -> int:
    brackets = _STRING.sub(b"", value).translate(None, _OTHER_BYTES)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """A JSON decoder that behaves like msgspec's and raises the same errors."""

    def decode(self, buf: bytes, /) -> T_co:
        """Decode the bytes."""
        ...


def decode_json(decoder: Decoder[T_co], value: bytes | None) -> T_co:
    """Decode one JSON record with `decoder`.

    Raises
    ------
    InvalidRecord
        With the reason; for any bytes the only error.
    """
    if not value:
        raise InvalidRecord(Reason.EMPTY, "the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        raise InvalidRecord(Reason.TOO_LARGE, f"{len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed")
    try:
        value.decode()  # msgspec does not check strings that it skips
        if count_openings(value) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            raise InvalidRecord(Reason.TOO_DEEP, f"the JSON nests deeper than {MAX_DEPTH}")
        return decoder.decode(value)
    except UnicodeDecodeError as error:
        raise InvalidRecord(Reason.INVALID_UTF8, f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise InvalidRecord(Reason.TOO_DEEP, "the JSON nests too deeply") from None
    except msgspec.ValidationError as error:
        raise InvalidRecord(_validation_reason(str(error)), str(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidRecord(Reason.INVALID_JSON, str(error)) from None


def _validation_reason(message: str) -> Reason:
    if "missing required field" in message and "$." not in message:
        return Reason.MISSING_FIELD
    path = re.search(r"`\$\.([a-z_]+)", message)
    if path is None:
        return Reason.NOT_AN_OBJECT
    return FIELD_REASONS.get(path.group(1), Reason.INVALID_FIELD)


def read_name(field: str, given: str, longest: int, least: int = 1) -> str:
    """Return the normal form of a name; raises `InvalidRecord` when it is empty, too long or not printable."""
    if settled(given):
        return given
    name = normalised(given)
    if found := unprintable(name):
        why = f"holds the character {found}, which cannot be read"
    elif len(name) < least:
        why = "has only blanks and invisible characters"
    elif len(name) > longest:
        why = f"is longer than {longest} characters in its normal form"
    else:
        return name
    raise InvalidRecord(FIELD_REASONS.get(field, Reason.INVALID_FIELD), f"{field} {why}")


def lost_name(field: str, name: str) -> InvalidRecord:
    """Make the error for a record with a placeholder as name; see `is_lost`."""
    return InvalidRecord(Reason.INVALID_MODEL, f"{field} {name!r} is what programs write for a missing name")


def check_vote(
    vote: Vote, arrived: float, ahead: float = FUTURE_SECONDS, renamed: dict[str, str] | None = None
) -> None:
    """Check a decoded vote against the rules that types cannot express, and normalise its names.

    Parameters
    ----------
    vote
        A decoded vote; its names are changed in place.
    arrived
        Time at which the record arrived, epoch seconds (the broker's record time in the stream).
    ahead
        How many seconds `tstamp` may be later than that.
    renamed
        Collects each name that was not in its normal form, with that form.

    Raises
    ------
    InvalidRecord
        With the reason.
    """
    if not is_arena(vote.arena):
        raise InvalidRecord(Reason.INVALID_ARENA, f"arena {vote.arena[:40]!r} does not match {ARENA_PATTERN}")
    if vote.winner not in WINNERS:
        raise InvalidRecord(Reason.UNKNOWN_WINNER, f"winner {vote.winner[:40]!r} is none of {', '.join(WINNERS)}")
    if not all(map(settled, _names(vote))):
        _settle(vote, renamed)
    if is_lost(vote.model_a):
        raise lost_name("model_a", vote.model_a)
    if is_lost(vote.model_b):
        raise lost_name("model_b", vote.model_b)
    if vote.model_a == vote.model_b:
        raise InvalidRecord(Reason.SAME_MODEL, f"both sides are {vote.model_a!r}")
    if not math.isfinite(vote.tstamp):
        raise InvalidRecord(Reason.INVALID_TSTAMP, "tstamp is not finite")
    if vote.tstamp > arrived + ahead:
        raise InvalidRecord(Reason.FUTURE_TSTAMP, f"tstamp is {vote.tstamp - arrived:.0f} s after its arrival")
    if vote.drawn_at is not None:
        _check_drawn(vote.drawn_at, vote.tstamp)
    if what_it_says(vote) != SAYS_NOTHING:
        _check_whole(vote)


def _names(vote: Vote) -> tuple[str, ...]:
    return vote.model_a, vote.model_b, vote.language or "", *(vote.categories or ())


def _settle(vote: Vote, renamed: dict[str, str] | None) -> None:
    """Normalise the names of a vote."""
    given = _names(vote)
    vote.model_a = read_name("model_a", vote.model_a, 128)
    vote.model_b = read_name("model_b", vote.model_b, 128)
    if vote.language:
        vote.language = read_name("language", vote.language, 64, 0)
    if vote.categories:
        vote.categories = tuple([read_name("categories", each, 64, 0) for each in vote.categories])
    if renamed is not None:
        renamed.update((old, new) for old, new in zip(given, _names(vote), strict=True) if old != new)


def _check_drawn(drawn_at: float, tstamp: float) -> None:
    """Refuse a draw that is later than the vote on it, because the vote would be held against a later policy."""
    if not math.isfinite(drawn_at):
        raise InvalidRecord(Reason.INVALID_FIELD, "drawn_at is not finite")
    if drawn_at > tstamp + DRAWN_SECONDS:
        late = drawn_at - tstamp
        raise InvalidRecord(
            Reason.INVALID_FIELD, f"drawn_at is {late:.0f} s after tstamp, but models are drawn before the vote on them"
        )


def _check_whole(vote: Vote) -> None:
    """Refuse a record that declares that it is not one whole vote that counts, because it would be counted as one."""
    if vote.anony is False:
        raise InvalidRecord(Reason.NOT_ANONYMOUS, "anony is false: a vote on models whose names were shown")
    if vote.is_valid is False:
        raise InvalidRecord(Reason.INVALID_FIELD, "is_valid is false: the arena itself does not count this vote")
    if vote.dedup_tag is not None and not vote.dedup_tag.sampled:
        raise InvalidRecord(
            Reason.INVALID_FIELD, "dedup_tag.sampled is false: the arena itself does not count this vote"
        )
    for name, given in (("count", vote.count), ("weight", vote.weight)):
        if given is not None and given != 1:
            raise InvalidRecord(
                Reason.INVALID_FIELD, f"{name} is {given:g}, but a record is one vote: send each with an id of its own"
            )


def parse_vote(
    value: bytes | None, arrived: float, ahead: float = FUTURE_SECONDS, renamed: dict[str, str] | None = None
) -> Vote:
    """Decode and check one vote, its names in their normal form; `ahead` and `renamed` as in `check_vote`.

    >>> vote = b'{"id":"v1","model_a":"x","model_b":"y","winner":"tie","tstamp":1.0}'
    >>> parse_vote(vote, arrived=2.0).winner
    'tie'
    >>> parse_vote(vote.replace(b'"y"', b'"x"'), arrived=2.0)
    Traceback (most recent call last):
        ...
    streams.contracts.vote.InvalidRecord: same_model: both sides are 'x'
    """
    vote: Vote = decode_json(_strict, value)
    check_vote(vote, arrived, ahead, renamed)
    return vote
