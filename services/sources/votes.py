"""Votes from what the user named: finds the layout of a table's columns, surveys all rows, then reads them by the plan.

JSON votes in the contract's shape are decoded as in the stream, which is several times faster than a table.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, TypedDict

import msgspec

from services.sources.base import Account, Chunk, ReadOptions, RejectedItem, SourceError, VoteSource, described
from services.sources.cells import values, whole
from services.sources.distinct import all_different
from services.sources.fields import CONTRACT, Fitted, resolve
from services.sources.ids import made_up_prefix
from services.sources.jsonfile import JsonTable, json_tables, mostly_votes
from services.sources.jsonitems import UNREADABLE, with_keys_twice, without_nan
from services.sources.named import NAMED
from services.sources.opening import open_table
from services.sources.outcomes import By, labels_beside
from services.sources.plan import Plan
from services.sources.refusals import must_be_models, must_be_single_votes
from services.sources.rivals import OFTEN_OTHER, TOLD, Comparison, Rival, rivals_of
from services.sources.survey import Survey, SurveyResult
from services.sources.table import Joined, Table, TableBlock
from streams.contracts.vote import InvalidRecord, Vote, is_arena, parse_vote

if TYPE_CHECKING:
    from services.sources.paircounts import PairTable

NAMES = ("model_a", "model_b", "winner", "id", "voter", "language", "arena", "prompt_hash", "battle")
"""Fields whose cells are names, as text or numbers."""

NUMBERED = ("", "index", "id", "rank", "row", "unnamed: 0", "n", "total", "games", "battles", "count")
"""Columns in tables of counts per pair that number the rows, or may hold sums by another rule."""

HEAD_ROWS = 16
"""Number of rows hashed into the tag of generated ids."""

BARE = {*Vote.__struct_fields__} - {"anony", "count", "weight", "is_valid", "dedup_tag"}
"""Fields that have no influence on whether a row is exactly one vote that counts."""


class TableSource(VoteSource):
    """Votes from the rows of a table, with columns and words translated; see `fields`, `outcomes` and `plan`."""

    def __init__(self, plan: Plan, table: Table) -> None:
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
        self._table = table

    def chunks(self) -> Iterator[Chunk]:
        """The votes; refused rows are reported with their place."""
        for block in self._table.blocks(list(self._plan.fitted.taken.values())):
            yield self._plan.chunk(block)


class ReadingKeywords(TypedDict, total=False):
    """Keywords of `open_source` that say how votes are read; without `columns`, which snapshots have, too."""

    layout: str | None
    words: Mapping[str, str] | None
    by: By | None
    only: Mapping[str, Sequence[str]] | None


def open_source(
    spec: str,
    *,
    columns: Mapping[str, str] | None = None,
    arena: str | None = None,
    now: float,
    stdin: BinaryIO | None = None,
    layout: str | None = None,
    words: Mapping[str, str] | None = None,
    by: By | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
    ahead: float | None = None,
    times: bool = True,
) -> VoteSource:
    """Open votes for reading.

    Parameters
    ----------
    spec
        A source of `open_table`, or a name in `NAMED`.
    columns
        Field to column, for names that are not among the aliases; an empty column switches an optional field off.
    arena
        Arena of every vote; overrides the file's.
    now
        Epoch seconds: arrival of every vote, and the end of synthetic times.
    stdin
        Replaces the process's standard input.
    layout
        Name of a shipped layout, or a TOML file; by default the best fitting one.
    words
        Word of the winner's column to its meaning; overrides all others.
    by
        Whether the winner's column holds names or sides.
    only
        Column to the values of rows that count.
    ahead
        Times up to this many seconds after `now` are accepted.
    times
        Whether the file's times are used; otherwise times are synthetic.

    Raises
    ------
    SourceError
        When nothing can be read; a bad row is no error: it is reported, and reading continues.
    """
    if arena is not None and not is_arena(arena):
        raise SourceError(f"arena {arena!r}: use 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit")
    if spec in NAMED:
        if columns or layout or words or by or only:
            raise SourceError(f"{spec} has no columns to name")
        return NAMED[spec].load(now, arena or "text")

    table = open_table(spec, stdin, more=f" nor a data set ({', '.join(NAMED)})")
    return votes_of(table, ReadOptions(columns, arena, now, layout, words, by, only, ahead, times))


def votes_of(table: Table, asked: ReadOptions) -> VoteSource:
    """The votes of a table; all rows are surveyed first, except those of a pipe.

    Raises
    ------
    SourceError
        When its columns do not fit votes, or the survey finds rows that cannot be votes.
    """
    with described(table.described):
        fitted = resolve(table.columns, asked.columns, asked.layout, asked.only)
    columns = list(fitted.taken.values())
    table.need(columns, {name: column for name in NAMES if (column := fitted.column(name)) is not None})
    if isinstance(table, Joined):
        table.must_be_everywhere(columns)
    pipe = table.folder is None
    rivals = rivals_of(fitted, table.columns, asked.columns or {}, forced=asked.layout is not None)
    with described(table.described):
        _must_be_compared(rivals, fitted, pipe=pipe)
    prefix = made_up_prefix(table.stem, table.head(1 if pipe else HEAD_ROWS, columns))
    if fitted.aggregated:
        with described(table.described):
            return _pairs(table, fitted).source(prefix, asked)
    tables = json_tables(table)
    bare = _is_bare(fitted) and not rivals
    strict = fitted.contract and asked.plain and bare and mostly_votes(tables, asked.now)
    comparison = Comparison(fitted, rivals)
    total = None
    if pipe:
        found = SurveyResult(ids="own" if fitted.contract else "numbered")
    elif strict and _all_ids_differ(tables):
        total, found = table.count(), SurveyResult(ids="own", unique=True)
    else:
        total, found = _survey(table, fitted, asked, comparison)
        strict = strict and found.ids == "own"
    if total == 0:
        raise SourceError(f"{table.described}: it has columns but no rows")
    if strict:
        found.said.clear()
    with described(table.described):
        must_be_models(found.said)
        if not (pipe or strict or "count" in fitted.places or "count" in (asked.columns or {}) or found.whole_weights):
            known = {*comparison.columns}
            must_be_single_votes(
                table, found.said, [name for name in fitted.unused(table.columns) if name not in known]
            )
        plan = Plan(fitted, asked, prefix, total, found, labels_beside(table.folder, fitted.column("winner")))
        found.notes += comparison.check(plan.outcomes) if not pipe else []
    return ContractSource(plan, table, tables) if strict else TableSource(plan, table)


def _survey(table: Table, fitted: Fitted, asked: ReadOptions, comparison: Comparison) -> tuple[int, SurveyResult]:
    survey, total = Survey(fitted, asked.arena, times=asked.times), 0
    for block in table.blocks([*fitted.taken.values(), *comparison.columns]):
        survey.look(fitted.cells(block.cells), len(block.rows))
        comparison.look(block)
        total += block.height
    with described(table.described):
        return total, survey.found()


def _must_be_compared(rivals: Sequence[Rival], fitted: Fitted, *, pipe: bool) -> None:
    """Raise `SourceError` for rivals that cannot be compared: in a pipe, or where a row represents many votes."""
    for rival in rivals:
        other = fitted.aggregated and rival.columns[0].strip().casefold() in OFTEN_OTHER
        if (pipe or fitted.aggregated) and rival.field not in TOLD and not other:
            why = "standard input is read once" if pipe else "the counts of a row have several outcomes"
            raise SourceError(
                f"{rival.taken!r} and {rival.named} may both be the {rival.field}, and they cannot be compared: {why}."
                f" {rival.choice()}"
            )


def _pairs(table: Table, fitted: Fitted) -> PairTable:
    """Counts per pair; raises if an unused column of whole numbers is not the sum of the used: it may hold votes."""
    from services.sources.paircounts import PairTable  # imports numpy, which other sources need only later

    pairs = PairTable(fitted)
    others = {} if fitted.layout.matrix else dict.fromkeys(fitted.unused(table.columns), True)
    for block in table.blocks([*fitted.taken.values(), *others]):
        cells = fitted.cells(block.cells)
        pairs.add(cells, list(map(block.where, block.rows)), refused=len(block.refused))
        counted = [list(map(whole, values(place, cells))) for place in fitted.counts.values()]
        sums = [sum(each or 0 for each in row) for row in zip(*counted, strict=True)]
        for column in [column for column, numbers in others.items() if numbers]:
            found = list(map(whole, block.cells[column]))
            others[column] = None not in found and column.strip().casefold() not in NUMBERED
            if found == sums:
                others[column] = False
    if unclear := [column for column, numbers in others.items() if numbers]:
        raise SourceError(
            f"column {unclear[0]!r} holds whole numbers, and it is not known whether they are votes: name what it"
            f" counts, --columns ties={unclear[0]} (wins_a, wins_b, ties or both_bad), or leave it out"
        )
    return pairs


def _is_bare(fitted: Fitted) -> bool:
    """Whether the file has only fields of the contract, under their own names."""
    return (
        not (fitted.flags or fitted.only or fitted.boards or fitted.anonymous or fitted.watched)
        and all(name not in fitted.places or fitted.column(name) == name for name in BARE)
        and {*fitted.places} <= BARE
    )


def _all_ids_differ(tables: list[JsonTable]) -> bool:
    decode = msgspec.json.Decoder(_Id).decode
    hashes = array("q")
    for table in tables:
        for _, items, _ in table.items(1):
            for item in items:
                try:
                    vote = decode(item)
                except UNREADABLE:
                    try:
                        vote = decode(without_nan(item))
                    except UNREADABLE:
                        continue
                if not (isinstance(vote.id, str) and isinstance(vote.arena, str | None)):
                    return False
                hashes.append(hash((vote.id, vote.arena)))
    return all_different(hashes)


class _Id(msgspec.Struct, gc=False):
    """The fields that identify a vote."""

    id: object = None
    arena: object = None


Reader = Callable[[list[bytes], int, Callable[[int], str]], TableBlock]


class ContractSource(TableSource):
    """JSON objects of the contract's shape, each decoded exactly as in the stream, except that NaN is null.

    Objects that the stream would refuse are translated like those of any other file.
    """

    def __init__(self, plan: Plan, table: Table, tables: list[JsonTable]) -> None:
        super().__init__(plan, table)
        self._tables = tables

    def chunks(self) -> Iterator[Chunk]:
        """The votes; blank lines are skipped, but counted in line numbers."""
        first = 1
        for table in self._tables:
            prefix = f"{table.name}, " if len(self._tables) > 1 else ""
            columns = [column for column in self._plan.fitted.taken.values() if column in table.columns]
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
