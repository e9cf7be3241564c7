"""Votes from JSON objects: as the contract has them, or translated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from services.sources.base import Chunk, Rejected, Source
from services.sources.fields import is_contract
from services.sources.judging import judge
from services.sources.plan import Plan
from streams.contracts.vote import InvalidRecord, Vote, decode_json, parse_vote

Items = Callable[[], Iterator[list[bytes]]]
"""Reads the items of a source from its start, in lists."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding of arbitrary bytes may raise."""


class JsonSource(Source):
    """JSON objects, one a vote.

    When the file is of the contract's shape and at least half of its first objects are votes as they stand (`strict`),
    each item is read exactly as the stream would read it. Otherwise columns and spellings are translated, see `fields`,
    `spelling` and `plan`.
    """

    def __init__(self, plan: Plan, items: Items, *, name: str, unit: str, strict: bool) -> None:
        super().__init__(name, plan.total, plan.note, unique=not is_contract(plan.taken))
        self._plan = plan
        self._items = items
        self._unit = unit
        self._read = self._by_contract if strict else self._translated
        self._loose = loose_decoder(plan.taken)

    def chunks(self) -> Iterator[Chunk]:
        """The votes; a blank line is no item, but counts as a line."""
        start = 1
        for items in self._items():
            yield self._read(items, start)
            start += len(items)

    def _by_contract(self, items: list[bytes], start: int) -> Chunk:
        votes: list[Vote] = []
        rejected = []
        now, arena = self._plan.now, self._plan.arena
        for number, item in enumerate(items, start):
            try:
                votes.append(parse_vote(item, now))
            except InvalidRecord as invalid:
                if item.strip():
                    rejected.append(self._rejected(number, item, invalid))
        if arena is not None:
            for vote in votes:
                vote.arena = arena
        return Chunk(votes, rejected)

    def _translated(self, items: list[bytes], start: int) -> Chunk:
        decode = self._loose.decode
        loose, numbers, rejected = [], [], []
        for number, item in enumerate(items, start):
            try:
                loose.append(decode(item))
                numbers.append(number)
            except UNREADABLE:
                if item.strip():
                    rejected.append(self._rejected(number, item, _reason(self._loose, item)))
        cells = {field: list(map(attrgetter(field), loose)) for field in self._plan.taken}
        votes, refused = judge(self._plan.columns(cells, numbers), self._plan.now)
        for position, invalid in refused:
            number = numbers[position]
            rejected.append(self._rejected(number, items[number - start], invalid))
        return Chunk(votes, rejected)

    def _rejected(self, number: int, item: bytes, invalid: InvalidRecord) -> Rejected:
        return Rejected(f"{self._unit} {number}", invalid.reason, invalid.detail, item)


def loose_decoder(taken: Mapping[str, str]) -> msgspec.json.Decoder[Any]:
    """Decoder of the taken fields, whatever their type; others, whole conversations say, are skipped unread."""
    shape = msgspec.defstruct("Loose", [(field, Any, None) for field in taken], rename=dict(taken), gc=False)
    return msgspec.json.Decoder(shape)


def _reason(decoder: msgspec.json.Decoder[Any], item: bytes) -> InvalidRecord:
    try:
        decode_json(decoder, item)
    except InvalidRecord as invalid:
        return invalid
    raise AssertionError("decoded the second time")  # pragma: no cover -- the first attempt failed on the same bytes
