"""CSV and TSV as a table: every cell is text, so a model named 4 or 1e3 keeps its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from services.sources import csvrows
from services.sources.base import SourceError
from services.sources.csvrows import csv_blocks, form_of
from services.sources.parts import Part
from services.sources.reading import other_encoding
from services.sources.table import Only, Table, TableBlock
from streams.contracts.reasons import Reason
from streams.contracts.vote import MAX_RECORD_BYTES, InvalidRecord


class CsvTable(Table):
    """Rows of a CSV or TSV file with a header.

    A row with more or fewer cells than the header is refused: its cells cannot be assigned to columns. One additional
    empty cell, after a separator at the end of the row, is ignored. Blank lines are skipped.
    """

    for_spreadsheets = True

    def __init__(self, part: Part) -> None:
        self._part = part
        self._form = form_of(part)
        self._is_utf8 = False
        with csv_blocks(part, self._form) as (header, _):
            super().__init__(part.name, str(part), header)
        if any(not _is_utf8(name) for name in header):
            self._check_encoding()
            raise SourceError(f"{part}: a name of its header is not UTF-8")

    def head(self, rows: int, columns: Sequence[str]) -> list[bytes]:
        """The first rows with all their cells."""
        with csv_blocks(self._part, self._form) as (_, blocks):
            block = next(blocks, None)
            return [] if block is None else [repr(row).encode() for row in block.rows[:rows]]

    def _read(self, columns: Sequence[str], only: Only, first: int) -> Iterator[TableBlock]:
        places = [self.columns.index(column) for column in columns]
        wanted = [(self.columns.index(column), tuple(cells)) for column, cells in only.items()]
        with csv_blocks(self._part, self._form) as (header, blocks):
            for block in blocks:
                yield self._block(block, first, columns, places, len(header), wanted)
                first += len(block.rows)

    def _block(
        self,
        block: csvrows.CsvBlock,
        first: int,
        columns: Sequence[str],
        places: Sequence[int],
        width: int,
        wanted: Sequence[tuple[int, tuple[Any, ...]]],
    ) -> TableBlock:
        rows = block.rows
        bad: dict[int, InvalidRecord] = {}
        if {*map(len, rows)} != {width}:
            bad = {
                at: _ragged(len(row), width)
                for at, row in enumerate(rows)
                if len(row) != width and not (len(row) == width + 1 and not row[-1])
            }
        good: Sequence[int] = [at for at in range(len(rows)) if at not in bad] if bad else range(len(rows))
        for place, those in wanted:  # filter before picking cells: one board is a tenth of a history
            good = [at for at in good if rows[at][place] in those]
        cells = _pick(rows, good, places)
        broken = _not_utf8(cells)
        if broken:
            self._check_encoding()
            bad |= {good[at]: InvalidRecord(Reason.INVALID_UTF8, "a cell is not UTF-8") for at in broken}
            good = [at for at in good if at not in bad]
            cells = _pick(rows, good, places)
        return TableBlock(
            cells=dict(zip(columns, cells, strict=True)),
            rows=[first + at for at in good] if len(good) < len(rows) else range(first, first + len(rows)),
            height=len(rows),
            refused=[(first + at, invalid) for at, invalid in bad.items()],
            where=lambda number: f"line {block.line(number - first)}",
            original=lambda number: self._original(rows[number - first]),
        )

    def _check_encoding(self) -> None:
        """Raise `SourceError` if the file has another encoding; checked once, at the first cell that is not UTF-8."""
        if not self._is_utf8:
            said = other_encoding(self._part.path, self._part.member, lambda _: True)
            if said is not None:
                raise SourceError(said)
            self._is_utf8 = True

    def _original(self, row: list[str]) -> bytes:
        return self._form.separator.join(row).encode("utf-8", "surrogateescape")[:MAX_RECORD_BYTES]


def _ragged(cells: int, width: int) -> InvalidRecord:
    reason = Reason.MISSING_FIELD if cells < width else Reason.INVALID_FIELD
    return InvalidRecord(reason, f"{cells} cells, the header has {width}")


def _pick(rows: list[list[str]], good: Sequence[int], places: Sequence[int]) -> list[list[str]]:
    kept = rows if len(good) == len(rows) else [rows[at] for at in good]
    return [list(map(itemgetter(place), kept)) for place in places]


def _not_utf8(columns: Sequence[Sequence[str]]) -> set[int]:
    """Positions of rows with a cell that was not UTF-8; one join per column is the fast path when there are none."""
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
