"""From a table to votes: finds the layout of its columns, surveys all rows, then reads the rows by the plan."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import msgspec

from services.sources.answers import must_be_models
from services.sources.base import Chunk, Source, SourceError
from services.sources.cells import values, whole
from services.sources.contract import ContractSource
from services.sources.distinct import all_different
from services.sources.fields import Fitted
from services.sources.grouped import must_be_single_votes
from services.sources.ids import made_up_prefix
from services.sources.jsonfile import JsonTable, json_tables, mostly_votes
from services.sources.jsonitems import UNREADABLE, without_nan
from services.sources.labels import labels_beside
from services.sources.pairtable import PairTable
from services.sources.plan import HEAD_ROWS, Plan, ReadOptions, described, fit
from services.sources.rivals import OFTEN_OTHER, TOLD, Comparison, Rival, rivals_of
from services.sources.survey import Survey, SurveyResult
from services.sources.table import Joined, Table
from streams.contracts.vote import Vote

NAMES = ("model_a", "model_b", "winner", "id", "voter", "language", "arena", "prompt_hash")
"""Fields whose cells are names, as text or numbers."""

NUMBERED = ("", "index", "id", "rank", "row", "unnamed: 0", "n", "total", "games", "battles", "count")
"""Columns in tables of counts per pair that number the rows, or may hold sums by another rule."""

BARE = {*Vote.__struct_fields__} - {"anony", "count", "weight", "is_valid", "dedup_tag"}
"""Fields that have no influence on whether a row is exactly one vote that counts."""


class TableSource(Source):
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
        for block in self._table.blocks(list(self._plan.taken.values())):
            yield self._plan.chunk(block)


def votes_of(table: Table, asked: ReadOptions) -> Source:
    """The votes of a table; all rows are surveyed first, except those of a pipe.

    Raises
    ------
    SourceError
        When its columns do not fit votes, or the survey finds rows that cannot be votes.
    """
    with described(table.described):
        fitted = fit(table.columns, asked)
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
        plan = Plan(fitted, asked, prefix, total, found, labels_beside(table.folder, fitted))
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
