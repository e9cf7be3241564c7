"""Checks records of a file against the contract: the same rules and reasons as in the stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec

from streams.contracts.reasons import Reason
from streams.contracts.vote import InvalidRecord, Vote, check_vote, parse_vote

_FIELDS = tuple(field.name for field in msgspec.structs.fields(Vote))

# A vote before it is checked: the same fields, of any type. `convert` is six times slower if a field is missing;
# dictionaries would take twice the time.
_Record = msgspec.defstruct("_Record", [(name, Any, None) for name in _FIELDS], omit_defaults=True, gc=False)


def judge(columns: Mapping[str, Sequence[Any]], now: float) -> tuple[list[Vote], list[tuple[int, InvalidRecord]]]:
    """Validate records: the votes in order, and the refused records by position.

    Parameters
    ----------
    columns
        Field to its n values, for `arena` and `id` at least; None means absent.
    now
        Arrival of the votes, epoch seconds.
    """
    cells: Iterable[Any] = (columns.get(name, repeat(None)) for name in _FIELDS)
    records = list(map(_Record, *cells))
    try:
        votes = msgspec.convert(records, list[Vote], from_attributes=True)
    except msgspec.ValidationError:
        return _one_by_one(records, now)
    refused: list[tuple[int, InvalidRecord]] = []
    for position, vote in enumerate(votes):
        try:
            check_vote(vote, now)
        except InvalidRecord as invalid:
            refused.append((position, invalid))
    if refused:
        bad = {position for position, _ in refused}
        votes = [vote for position, vote in enumerate(votes) if position not in bad]
    return votes, refused


def _one_by_one(records: Sequence[Any], now: float) -> tuple[list[Vote], list[tuple[int, InvalidRecord]]]:
    votes, refused = [], []
    for position, record in enumerate(records):
        try:
            try:
                vote = msgspec.convert(record, Vote, from_attributes=True)
                check_vote(vote, now)
            except msgspec.ValidationError:
                # `parse_vote` finds the reason, given the JSON of this record.
                vote = parse_vote(_as_json(record), now)
        except InvalidRecord as invalid:
            refused.append((position, invalid))
        else:
            votes.append(vote)
    return votes, refused


def _as_json(record: Any) -> bytes:
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError as error:
        raise InvalidRecord(Reason.INVALID_UTF8, str(error)) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRecord(Reason.INVALID_FIELD, str(error)) from None
