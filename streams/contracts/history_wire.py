"""The wire format of history in Redis: msgpack with little-endian columns, described in docs/contracts/redis.md.

A *sample* holds a value per column for each model that had appeared by then. Models are numbered in order of first
appearance, so sample k holds models 0 to known[k] − 1, and a column concatenates its samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity, Subject

VERSION = 1
_COUNTS = ("<u4", "<u8")
ColumnValues = NDArray[np.float32] | NDArray[np.int64]


class InvalidHistory(ValueError):  # noqa: N818 -- says what the bytes are
    """Bytes that are not a history of this version."""


class Column(msgspec.Struct, frozen=True):
    """An array: `dtype` is one of `<f4`, `<u4`, `<u8`."""

    dtype: str
    data: bytes

    def array(self) -> ColumnValues:
        """Decode the column; counts become int64."""
        if self.dtype not in ("<f4", *_COUNTS):
            raise InvalidHistory(f"a column of type {self.dtype!r}")
        array = np.frombuffer(self.data, self.dtype)
        return array if self.dtype == "<f4" else array.astype(np.int64)


class RatingsTier(msgspec.Struct, frozen=True):
    """A tier of ratings. Lists are of length n, one entry a sample; columns of length Σ known.

    `t` is the end of the step that the sample closes, epoch seconds on the clock of the votes: the sample counts the
    votes before the first one at or after `t`. `recorded` is when the newest of them arrived at the broker, epoch ms;
    `total` is the board's number of battles then. `rating` and `half_width` (of the 95 % interval, NaN while the model
    is provisional; both NaN without a solution) are in points; `battles` counts each model's battles so far.
    """

    v: int
    arena: str
    board: str
    tier: str
    seconds: int
    models: list[str]
    t: list[int]
    recorded: list[int]
    total: list[int]
    known: list[int]
    rating: Column
    half_width: Column
    battles: Column


class Episode(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alert from its onset to its end; times are epoch seconds on the clock of the votes."""

    id: str
    kind: Kind
    severity: Severity
    subject: Subject
    starts_at: float
    detected_at: float
    ends_at: float | None = None


class EvidenceTier(msgspec.Struct, frozen=True):
    """Evidence. Lists are of length n, one entry a point; columns of length Σ known; subjects by number.

    A point is at the end of a review and covers the `reviews` reviews since the point before it: evidence is their
    largest, everything else is of the last one. Recent points are one per review, older ones further apart. `t` is on
    the clock of the votes, `battles` counts the arena's battles so far; `warning`, `page` and `policy` are log10 of the
    two levels and of the evidence against the policy as a whole; `declared` is the declared share of battles, `log10_e`
    and `log10_e_removal` are the evidence against it, `appearances` counts the subject's battles.
    """

    v: int
    arena: str
    subjects: list[Subject]
    t: list[float]
    reviews: list[int]
    battles: list[int]
    warning: list[float]
    page: list[float]
    policy: list[float]
    known: list[int]
    declared: Column
    log10_e: Column
    log10_e_removal: Column
    appearances: Column
    alerts: list[Episode]


H = TypeVar("H", RatingsTier, EvidenceTier)
_encode = msgspec.msgpack.Encoder().encode
_read_ratings = msgspec.msgpack.Decoder(RatingsTier).decode
_read_evidence = msgspec.msgpack.Decoder(EvidenceTier).decode


def floats(parts: Sequence[NDArray[np.number]]) -> Column:
    """Encode a column of real numbers."""
    return Column("<f4", b"".join([part.astype("<f4", copy=False).tobytes() for part in parts]))


def counts(parts: Sequence[NDArray[np.number]]) -> Column:
    """Encode a column of counts, in the narrower type if they fit."""
    dtype = _COUNTS[any(part.size and int(part.max()) >= 2**32 for part in parts)]
    return Column(dtype, b"".join([part.astype(dtype).tobytes() for part in parts]))


def encode_history(history: RatingsTier | EvidenceTier) -> bytes:
    """Encode either; the same history always gives the same bytes."""
    return _encode(history)


def decode_ratings(data: bytes) -> RatingsTier:
    """Decode a tier of ratings; raises `InvalidHistory`."""
    tier = _checked(_read_ratings, data)
    _fit(tier, [tier.recorded, tier.total], [tier.rating, tier.half_width, tier.battles], len(tier.models))
    return tier


def decode_evidence(data: bytes) -> EvidenceTier:
    """Decode evidence; raises `InvalidHistory`."""
    tier = _checked(_read_evidence, data)
    columns = [tier.declared, tier.log10_e, tier.log10_e_removal, tier.appearances]
    _fit(tier, [tier.reviews, tier.battles, tier.warning, tier.page, tier.policy], columns, len(tier.subjects))
    return tier


def _checked(read: Callable[[bytes], H], data: bytes) -> H:
    try:
        found = read(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidHistory(str(error)) from error
    if found.v != VERSION:
        raise InvalidHistory(f"history of version {found.v}, this program reads {VERSION}")
    return found


def _fit(tier: RatingsTier | EvidenceTier, lists: Sequence[Sequence[float]], columns: Sequence[Column], n: int) -> None:
    try:
        lengths = {len(each) for each in (tier.t, tier.known, *lists)}, {len(each.array()) for each in columns}
    except ValueError as error:  # the length is not a whole number of values
        raise InvalidHistory(str(error)) from error
    if lengths != ({len(tier.t)}, {sum(tier.known)}) or not all(0 <= known <= n for known in tier.known):
        raise InvalidHistory("columns that do not fit together")
