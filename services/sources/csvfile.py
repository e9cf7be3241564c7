"""Votes from CSV and TSV: every cell is text, so a model named 4 or nan stays what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from services.sources.base import Chunk, Rejected, Source, SourceError
from services.sources.csvrows import Block, csv_blocks
from services.sources.labels import labels_beside
from services.sources.pairtable import PairTable
from services.sources.plan import HEAD_ROWS, Asked, Plan, Refused, described, fit, made_up_prefix
from services.sources.survey import Survey
from streams.contracts.reasons import Reason
from streams.contracts.vote import MAX_RECORD_BYTES, InvalidRecord


class CsvSource(Source):
    """Rows of a CSV file with a header.

    A row with more or fewer cells than the header is refused: its cells cannot be told apart. A blank line is no row.
    """

    def __init__(self, plan: Plan, path: Path, delimiter: str, *, name: str) -> None:
        super().__init__(
            name,
            plan.total,
            plan.notes,
            unique=plan.unique,
            timed=plan.timed,
            layout=plan.fitted.layout.name,
        )
        self._plan = plan
        self._path = path
        self._delimiter = delimiter

    def chunks(self) -> Iterator[Chunk]:
        """The votes; where a row was refused, the line is that of its end."""
        with csv_blocks(self._path, self._delimiter) as (header, blocks):
            places = [header.index(column) for column in self._plan.taken.values()]
            start = 1
            for block in blocks:
                yield self._chunk(block, start, places, len(header))
                start += len(block.rows)

    def _chunk(self, block: Block, start: int, places: list[int], width: int) -> Chunk:
        rows = block.rows
        bad: dict[int, InvalidRecord] = {}
        if {*map(len, rows)} != {width}:
            bad = {at: _ragged(len(row), width) for at, row in enumerate(rows) if len(row) != width}
        good = [at for at in range(len(rows)) if at not in bad] if bad else range(len(rows))
        cells = _pick(rows, good, places)
        broken = _not_utf8(cells)
        if broken:
            bad |= {good[at]: InvalidRecord(Reason.INVALID_UTF8, "a cell is not UTF-8") for at in broken}
            good = [at for at in range(len(rows)) if at not in bad]
            cells = _pick(rows, good, places)
        read = self._plan.read(dict(zip(self._plan.taken, cells, strict=True)), [start + at for at in good])
        rejected = [(at, self._rejected(rows[at], block.line(at), Refused(at, invalid))) for at, invalid in bad.items()]
        rejected += [
            (good[each.position], self._rejected(rows[good[each.position]], block.line(good[each.position]), each))
            for each in read.refused
        ]
        rejected.sort(key=itemgetter(0))
        return Chunk(read.votes, [each for _, each in rejected], read.account(len(rows)))

    def _rejected(self, row: list[str], line: int, refused: Refused) -> Rejected:
        original = self._delimiter.join(row).encode("utf-8", "surrogateescape")
        return refused.at(f"line {line}", original[:MAX_RECORD_BYTES])


def open_csv(path: Path, name: str, asked: Asked, delimiter: str) -> Source:
    """A CSV (`,`) or TSV (tab) file; it is read through once to count its rows and to survey them."""
    with csv_blocks(path, delimiter) as (header, blocks), described(path):
        fitted = fit(header, asked)
        places = [header.index(column) for column in fitted.taken.values()]
        survey = Survey(fitted, asked.arena)
        table = PairTable(fitted) if fitted.aggregated else None
        total = 0
        head: list[bytes] = []
        for block in blocks:
            rows = block.rows
            if len(head) < HEAD_ROWS:
                head += [repr(row).encode("utf-8", "surrogateescape") for row in rows[: HEAD_ROWS - len(head)]]
            whole = [at for at, row in enumerate(rows) if len(row) == len(header)]
            cells = dict(zip(fitted.taken, _pick(rows, whole, places), strict=True))
            if table is not None:
                table.add(cells, [f"line {block.line(at)}" for at in whole], refused=len(rows) - len(whole))
            else:
                survey.look(cells, len(whole))
            total += len(rows)
        if not total:
            raise SourceError("it has a header but no rows")
        prefix = made_up_prefix(name, head)
        if table is not None:
            return table.source(prefix, asked)
        plan = Plan(fitted, asked, prefix, total, survey.found(), labels_beside(path, fitted))
    return CsvSource(plan, path, delimiter, name=name)


def _ragged(cells: int, width: int) -> InvalidRecord:
    reason = Reason.MISSING_FIELD if cells < width else Reason.INVALID_FIELD
    return InvalidRecord(reason, f"{cells} cells, the header has {width}")


def _pick(rows: list[list[str]], good: Sequence[int], places: list[int]) -> list[list[str]]:
    kept = rows if len(good) == len(rows) else [rows[at] for at in good]
    return [list(map(itemgetter(place), kept)) for place in places]


def _not_utf8(columns: Sequence[Sequence[str]]) -> set[int]:
    """Positions of rows with a cell that was not UTF-8; one join a column finds that there are none."""
    broken: set[int] = set()
    for column in columns:
        if not _is_utf8("".join(column)):
            broken.update(position for position, cell in enumerate(column) if not _is_utf8(cell))
    return broken


def _is_utf8(cell: str) -> bool:
    if cell.isascii():
        return True
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
