"""The model record: what an arena declares about one of its models."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.contracts.reasons import Reason
from streams.contracts.vote import (
    ARENA_PATTERN,
    FUTURE_SECONDS,
    InvalidRecord,
    ModelName,
    decode_json,
    is_arena,
)

License = Literal["proprietary", "open_weight", "open_source"]
Visibility = Literal["public", "private"]
Status = Literal["active", "deprecated", "retired"]


class Model(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of the `models` topic, key `arena/model`, compacted. Fairness is measured against it."""

    arena: Annotated[str, Meta(extra_json_schema={"pattern": ARENA_PATTERN})]
    model: ModelName
    provider: Annotated[str, Meta(min_length=1, max_length=128)]
    license: License
    visibility: Visibility
    status: Status
    weight: Annotated[float, Meta(ge=0, description="Sampling weight; 0 means never sampled.")]
    tstamp: Annotated[float, Meta(ge=0, description="Epoch seconds.")]
    family: Annotated[str, Meta(max_length=128)] | None = None
    announced_at: Annotated[float, Meta(ge=0)] | None = None
    reason: Annotated[str, Meta(max_length=1024)] | None = None


_decoder = msgspec.json.Decoder(Model)


def check_model(record: Model, arrived: float) -> None:
    """Hold a decoded model record against the rules that types cannot express; raises `InvalidRecord`."""
    if not is_arena(record.arena):
        raise InvalidRecord(Reason.INVALID_ARENA, f"arena {record.arena[:40]!r} does not match {ARENA_PATTERN}")
    if not math.isfinite(record.weight):
        raise InvalidRecord(Reason.INVALID_FIELD, "weight is not finite")
    if record.tstamp > arrived + FUTURE_SECONDS:
        raise InvalidRecord(Reason.FUTURE_TSTAMP, f"tstamp is {record.tstamp - arrived:.0f} s after its arrival")


def model_key(arena: str, model: str) -> bytes:
    """Record key of a model: the pair that compaction keeps the newest of."""
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


def parse_model(value: bytes | None, key: bytes | None, arrived: float) -> Model:
    """Decode and check one model record; raises `InvalidRecord`."""
    record: Model = decode_json(_decoder, value)
    check_model(record, arrived)
    if key != model_key(record.arena, record.model):
        raise InvalidRecord(Reason.KEY_MISMATCH, f"key {key!r} is not {model_key(record.arena, record.model)!r}")
    return record
