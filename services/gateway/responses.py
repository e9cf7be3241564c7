"""Response bodies of the gateway, except errors."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.contracts.reasons import Reason


class Rejected(msgspec.Struct, frozen=True):
    """A rejected item. `index` counts the items as sent, from 0 (NDJSON: lines that are not blank)."""

    index: int
    reason: Reason
    detail: str


class VotesAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Result for the votes of one request: `accepted` votes are in Kafka, acknowledged by all in-sync replicas."""

    accepted: int
    rejected: list[Rejected]
    duplicates: Annotated[
        int,
        Meta(
            description="Number of accepted votes with the same arena and id as an earlier one in this request; they"
            " count once. Left out when 0. Other requests are not compared: only intake knows whether an id was sent"
            " before."
        ),
    ] = 0
    renamed: Annotated[
        dict[str, str],
        Meta(
            description="Names of models, languages and categories that were not in normal form, and the form under"
            " which they are counted. Left out when all were normal."
        ),
    ] = {}


class ModelAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model record that was written or removed; `model` is the normal form, under which it is counted."""

    arena: str
    model: str
    unread: Annotated[
        list[str],
        Meta(
            description="Unknown fields of the body: the record keeps them, but nothing uses them, so a misspelt"
            " `announced_at` announces nothing. Left out when there are none."
        ),
    ] = []
