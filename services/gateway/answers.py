"""What the gateway answers, beside errors."""

from __future__ import annotations

import msgspec

from streams.contracts.reasons import Reason


class Rejected(msgspec.Struct, frozen=True):
    """One item that was not taken. `index` counts the items as sent, from 0 (NDJSON: lines that are not blank)."""

    index: int
    reason: Reason
    detail: str


class VotesAnswer(msgspec.Struct, frozen=True):
    """What became of the votes of one request: `accepted` are in Kafka, acknowledged by all in-sync replicas."""

    accepted: int
    rejected: list[Rejected]


class ModelAnswer(msgspec.Struct, frozen=True):
    """The model record that was written, or of which the removal was."""

    arena: str
    model: str
