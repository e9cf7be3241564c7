"""Model records become notices: the registry's changes, to be placed among the votes."""

from __future__ import annotations

from streams.contracts.model import parse_model, split_key
from streams.contracts.vote import InvalidRecord
from streams.intake.decode import Reject
from streams.intake.records import Records
from streams.ledger.codec import Notice


def declare(records: Records) -> tuple[list[Notice], list[Reject]]:
    """Decode and check model records; a record without value takes the model off the registry."""
    notices: list[Notice] = []
    rejects: list[Reject] = []
    places = zip(records.partition.tolist(), records.offset.tolist(), records.recorded.tolist(), strict=True)
    for index, (key, value, (partition, offset, recorded)) in enumerate(
        zip(records.keys, records.values, places, strict=True)
    ):
        try:
            model = None if value is None else parse_model(value, key, recorded / 1000)
            arena, name = split_key(key)
        except InvalidRecord as error:
            rejects.append(Reject(index, error.reason, error.detail))
            continue
        notices.append(Notice(arena, name, model, partition, offset, recorded))
    return notices, rejects
