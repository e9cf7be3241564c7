"""JSON votes in the contract's shape: decoded as in the stream, which is several times faster than a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from services.sources.base import Account, Chunk, RejectedItem, Source
from services.sources.fields import CONTRACT
from services.sources.jsonfile import JsonTable
from services.sources.jsonitems import with_keys_twice, without_nan
from services.sources.plan import Plan
from services.sources.table import Table, TableBlock
from streams.contracts.vote import InvalidRecord, Vote, parse_vote

Reader = Callable[[list[bytes], int, Callable[[int], str]], TableBlock]


class ContractSource(Source):
    """JSON objects of the contract's shape, each decoded exactly as in the stream, except that NaN is null.

    Objects that the stream would refuse are translated like those of any other file.
    """

    def __init__(self, plan: Plan, table: Table, tables: list[JsonTable]) -> None:
        super().__init__(
            table.stem,
            plan.total,
            [*filter(None, (table.note,)), *plan.notes],
            unique=plan.unique,
            timed=plan.timed,
            layout=plan.fitted.layout.name,
            unused=plan.fitted.unused(table.columns),
        )
        self._plan = plan
        self._tables = tables

    def chunks(self) -> Iterator[Chunk]:
        """The votes; blank lines are skipped, but counted in line numbers."""
        first = 1
        for table in self._tables:
            prefix = f"{table.name}, " if len(self._tables) > 1 else ""
            columns = [column for column in self._plan.taken.values() if column in table.columns]
            read = table.reader(columns)
            start = first
            for start, items, where in table.items(first):
                yield self._chunk(items, start, _after(prefix, where), read)
                start += len(items)
            first = start

    def _chunk(self, items: list[bytes], start: int, where: Callable[[int], str], read: Reader) -> Chunk:
        votes: list[Vote] = []
        rejected: list[RejectedItem] = []
        account, plain = Account(), 0
        now, arena = self._plan.asked.now, self._plan.asked.arena
        parsed = [_parsed(item, now) for item in items]
        twice = with_keys_twice(items, Vote.__struct_fields__, () if None in parsed else CONTRACT)
        odd = [vote is None or at in twice for at, vote in enumerate(parsed)]
        for strange, run in groupby(range(len(items)), key=odd.__getitem__):
            places = list(run)
            first, end = places[0], places[-1] + 1
            if strange:
                # Neighbours together: one by one, a refused line takes ten times as long as a vote.
                part = self._plan.chunk(read(items[first:end], start + first, where))
                votes += part.votes
                rejected += part.rejected
                account += part.account
                continue
            for vote in parsed[first:end]:
                if vote is not None:
                    if arena is not None:
                        vote.arena = arena
                    votes.append(vote)
            plain += end - first
        return Chunk(votes, rejected, account + Account(plain))


def _parsed(item: bytes, now: float) -> Vote | None:
    """The vote; None when the stream would refuse it."""
    for form in (bytes, without_nan):
        try:
            return parse_vote(form(item), now)
        except InvalidRecord:
            continue
    return None


def _after(prefix: str, where: Callable[[int], str]) -> Callable[[int], str]:
    return (lambda number: prefix + where(number)) if prefix else where
