"""The model record: what an arena declares about one of its models."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.contracts.names import LABEL_PATTERN, NAME_PATTERN, TEXT_PATTERN, is_lost, unprintable
from streams.contracts.reasons import Reason
from streams.contracts.vote import (
    ARENA_PATTERN,
    FUTURE_SECONDS,
    InvalidRecord,
    ModelName,
    decode_json,
    is_arena,
    lost_name,
    read_name,
)

License = Literal["proprietary", "open_weight", "open_source"]
Visibility = Literal["public", "private"]
Status = Literal["active", "deprecated", "retired"]

LEAST_WEIGHT, LARGEST_WEIGHT = 1e-9, 1e9
"""Bounds of a weight that is not 0: shares of any sum of weights are finite, and no positive share rounds to 0."""


class Model(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of the `models` topic, key `arena/model`, compacted. Fairness is measured against it."""

    arena: Annotated[str, Meta(extra_json_schema={"pattern": ARENA_PATTERN})]
    model: ModelName
    provider: Annotated[str, Meta(min_length=1, max_length=128, extra_json_schema={"pattern": NAME_PATTERN})]
    license: License
    visibility: Visibility
    status: Status
    weight: Annotated[
        float,
        Meta(
            ge=0,
            description="Sampling weight: 0, which means never sampled, or from 1e-9 to 1e9.",
            extra_json_schema={"anyOf": [{"const": 0}, {"minimum": LEAST_WEIGHT, "maximum": LARGEST_WEIGHT}]},
        ),
    ]
    tstamp: Annotated[float, Meta(ge=0, description="Epoch seconds.")]
    family: Annotated[str, Meta(max_length=128, extra_json_schema={"pattern": LABEL_PATTERN})] | None = None
    announced_at: Annotated[float, Meta(ge=0)] | None = None
    reason: Annotated[str, Meta(max_length=1024, extra_json_schema={"pattern": TEXT_PATTERN})] | None = None


_decoder = msgspec.json.Decoder(Model)


def check_model(record: Model, arrived: float, ahead: float = FUTURE_SECONDS) -> Model:
    """Check a decoded model record against the rules that types cannot express.

    Returns it with its names in their normal form; raises `InvalidRecord`.
    """
    if not is_arena(record.arena):
        raise InvalidRecord(Reason.INVALID_ARENA, f"arena {record.arena[:40]!r} does not match {ARENA_PATTERN}")
    model, provider = read_name("model", record.model, 128), read_name("provider", record.provider, 128)
    if is_lost(model):
        raise lost_name("model", model)
    family = record.family and read_name("family", record.family, 128, 0)
    if record.reason and (found := unprintable(record.reason)):
        raise InvalidRecord(Reason.INVALID_FIELD, f"reason holds the character {found}, which cannot be read")
    if record.weight and not LEAST_WEIGHT <= record.weight <= LARGEST_WEIGHT:
        raise InvalidRecord(
            Reason.INVALID_FIELD,
            f"weight is {record.weight:g}, and neither 0 nor from {LEAST_WEIGHT:g} to {LARGEST_WEIGHT:g}",
        )
    if not math.isfinite(record.tstamp) or (record.announced_at is not None and not math.isfinite(record.announced_at)):
        raise InvalidRecord(Reason.INVALID_TSTAMP, "a time is not finite")
    if record.tstamp > arrived + ahead:
        raise InvalidRecord(Reason.FUTURE_TSTAMP, f"tstamp is {record.tstamp - arrived:.0f} s after its arrival")
    if (model, provider, family) == (record.model, record.provider, record.family):
        return record
    return msgspec.structs.replace(record, model=model, provider=provider, family=family)


def model_key(arena: str, model: str) -> bytes:
    """Record key of a model, its name in normal form; compaction keeps the newest record of each key."""
    return f"{arena}/{model}".encode()


def split_key(key: bytes | None) -> tuple[str, str]:
    """Arena and model of a record key; raises `InvalidRecord` when it is not `arena/model`."""
    try:
        arena, _, model = (key or b"").decode().partition("/")
    except UnicodeDecodeError:
        arena, model = "", ""
    if not is_arena(arena) or not 1 <= len(model) <= 128:
        raise InvalidRecord(Reason.KEY_MISMATCH, f"key {key!r} is not arena/model")
    return arena, model


def parse_model(value: bytes | None, key: bytes | None, arrived: float, ahead: float = FUTURE_SECONDS) -> Model:
    """Decode and check one model record, its names in their normal form; raises `InvalidRecord`.

    The key must name the model in its normal form: compaction would keep the records of both spellings of a key.
    """
    record = check_model(decode_json(_decoder, value), arrived, ahead)
    if key != model_key(record.arena, record.model):
        raise InvalidRecord(Reason.KEY_MISMATCH, f"key {key!r} is not {model_key(record.arena, record.model)!r}")
    return record
