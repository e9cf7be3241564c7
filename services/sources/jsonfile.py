"""Votes from JSON objects: as the contract has them, or translated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from services.sources.base import Account, Chunk, Rejected, Source
from services.sources.plan import Plan, Refused
from streams.contracts.names import normalised
from streams.contracts.vote import MAX_RECORD_BYTES, InvalidRecord, Vote, decode_json, parse_vote

Items = Callable[[], Iterator[list[bytes]]]
"""Reads the items of a source from its start, in lists."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding of arbitrary bytes may raise."""


class JsonSource(Source):
    """JSON objects, one a vote.

    When the file is of the contract's shape and at least half of its first objects are votes as they stand (`strict`),
    each item is read exactly as the stream would read it, and only what the stream would refuse is translated.
    Otherwise every item is: see `fields`, `outcomes` and `plan`.
    """

    def __init__(self, plan: Plan, items: Items, *, name: str, unit: str, strict: bool) -> None:
        super().__init__(
            name,
            plan.total,
            plan.notes,
            unique=plan.unique,
            timed=plan.timed,
            layout=plan.fitted.layout.name,
        )
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
        votes: list[Vote | None] = []
        odd = []
        now, arena = self._plan.asked.now, self._plan.asked.arena
        for number, item in enumerate(items, start):
            try:
                votes.append(parse_vote(item, now))
            except InvalidRecord:
                if item.strip():
                    votes.append(None)
                    odd.append(number)
        plain = [vote for vote in votes if vote is not None]
        names = {vote.model_a for vote in plain} | {vote.model_b for vote in plain}
        if any(name != normalised(name) for name in names):
            return self._translated(items, start)
        if arena is not None:
            for vote in plain:
                vote.arena = arena
        if not odd:
            return Chunk(plain, [], Account(len(plain)))
        places = [at for at, vote in enumerate(votes) if vote is None]
        read: list[Vote] = []
        rejected: list[Rejected] = []
        account = Account(len(plain))
        done = 0
        for at, number in zip(places, odd, strict=True):
            read += [vote for vote in votes[done:at] if vote is not None]
            part = self._translated([items[number - start]], number)
            read += part.votes
            rejected += part.rejected
            account += part.account
            done = at + 1
        read += [vote for vote in votes[done:] if vote is not None]
        return Chunk(read, rejected, account)

    def _translated(self, items: list[bytes], start: int) -> Chunk:
        decode = self._loose.decode
        loose, numbers, rejected = [], [], []
        for number, item in enumerate(items, start):
            try:
                loose.append(decode(item))
                numbers.append(number)
            except UNREADABLE:
                if item.strip():
                    rejected.append(self._rejected(number, item, Refused(0, _reason(self._loose, item))))
        cells = {key: list(map(attrgetter(key), loose)) for key in self._plan.taken}
        read = self._plan.read(cells, numbers)
        for each in read.refused:
            number = numbers[each.position]
            rejected.append(self._rejected(number, items[number - start], each))
        return Chunk(read.votes, rejected, read.account(len(numbers) + len(rejected) - len(read.refused)))

    def _rejected(self, number: int, item: bytes, refused: Refused) -> Rejected:
        return refused.at(f"{self._unit} {number}", item[:MAX_RECORD_BYTES])


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
