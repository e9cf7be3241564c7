"""What the gateway answers, beside errors."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.contracts.reasons import Reason


class Rejected(msgspec.Struct, frozen=True):
    """One item that was not taken. `index` counts the items as sent, from 0 (NDJSON: lines that are not blank)."""

    index: int
    reason: Reason
    detail: str


class VotesAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the votes of one request: `accepted` are in Kafka, acknowledged by all in-sync replicas."""

    accepted: int
    rejected: list[Rejected]
    duplicates: Annotated[
        int,
        Meta(
            description="So many of the accepted ones have the arena and id of one before them in this request, and"
            " count once with it. Left out when none has. Votes of other requests are not looked at: that an id was"
            " sent before only intake knows, and an answer cannot say it."
        ),
    ] = 0
    renamed: Annotated[
        dict[str, str],
        Meta(
            description="Names of models, languages and categories that were not in their normal form, and the form"
            " under which they are counted. Left out when all were."
        ),
    ] = {}


class ModelAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model record that was written, or of which the removal was; `model` as it is counted, in its normal form."""

    arena: str
    model: str
    unread: Annotated[
        list[str],
        Meta(
            description="Fields of the body that a model record does not have: they are kept in it, and nothing heeds"
            " them. `announced_at` misspelt is no announcement. Left out when there is none."
        ),
    ] = []
