"""CSV and TSV as a table: every cell is text, so a model named 4 or 1e3 keeps its name.

- **The separator** (`,` `;` tab `|`) is that of the file's ending, unless another one makes more of the first rows as
  long as the header. A first line `sep=;` overrides both. Blank lines before the header are skipped.
- **Quotes** are read strictly: a quote that opens a cell must close at its end. Python's lenient reader returns 3 rows
  for a file of 10,000 with one stray quote.
- **TSV** often has no quoting at all, but free text that begins with a quote. If every line has as many tabs as the
  header, each line is a row, and quotes count only if each line by itself is well quoted. Otherwise cells hold tabs or
  line ends, and the file must be well quoted as a whole.
- **Rows within a cell.** A stray quote may close at the next stray quote, and the rows between would become one cell.
  If a line within a cell looks like a row, by its length and by two words that other rows have, the file is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from services.sources.base import SourceError
from services.sources.parts import Part
from services.sources.reading import other_encoding
from services.sources.table import Only, Table, TableBlock
from streams.contracts.reasons import Reason
from streams.contracts.vote import MAX_RECORD_BYTES, InvalidRecord

if TYPE_CHECKING:
    from _csv import Reader


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
        block: CsvBlock,
        first: int,
        columns: Sequence[str],
        places: Sequence[int],
        width: int,
        wanted: Sequence[tuple[int, tuple[object, ...]]],
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


BLOCK_ROWS = 500
"""Rows of a block. 4x as many fall out of the CPU cache and are read a sixth slower, 10x a third slower."""

SEPARATORS = (",", ";", "\t", "|")

LONGEST_CELL = 2**31 - 1
"""Conversations beside the vote are longer than the default of 128 KiB."""

_SAMPLE = 64 << 10
_SAID = re.compile(r"sep=(.)\r?\n?")
_CLOSE = re.compile(r'(?:[^"]|"")*+"')


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The separator and quoting of a file."""

    separator: str
    quoted: bool = True
    """Whether a quote at the start of a cell is a quote and not text."""
    said: bool = False
    """Whether the first line names the separator."""

    def reader(self, text: Iterator[str]) -> Reader:
        """The rows of a text."""
        csv.field_size_limit(LONGEST_CELL)
        return csv.reader(
            text, delimiter=self.separator, quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE, strict=True
        )


class CsvBlock:
    """Some rows of a file: `rows` has the cells of each, without blank lines."""

    def __init__(self, rows: list[list[str]], before: int) -> None:
        self.rows = rows if all(rows) else [row for row in rows if row]
        self._all_rows = rows
        self._before = before
        self._ends: list[int] = []

    def line(self, position: int) -> int:
        """The line, from 1, at which a row of `rows` ends; computed on the first call."""
        if not self._ends:
            ends = accumulate(map(_lines_of, self._all_rows), initial=self._before)
            self._ends = [end for row, end in zip(self._all_rows, islice(ends, 1, None), strict=True) if row]
        return self._ends[position]


def form_of(part: Part) -> CsvDialect:
    """Find the dialect of a file.

    Raises
    ------
    SourceError
        When it cannot be read, or quotes in a TSV file make sense neither as quotes nor as text.
    """
    with _text(part) as text:
        sample = text.read(_SAMPLE)
        whole = not text.read(1)
    if not whole:
        sample = sample[: sample.rfind("\n") + 1] or sample
    if said := _SAID.match(sample):
        return CsvDialect(said[1], said=True)
    own = "\t" if part.kind == ".tsv" else ","
    separator = _separator(sample, own)
    return CsvDialect(separator, quoted=separator != "\t" or _tabs_are_quoted(part))


@contextmanager
def csv_blocks(part: Part, form: CsvDialect) -> Iterator[tuple[list[str], Iterator[CsvBlock]]]:
    """The header, and the rows below it.

    Raises
    ------
    SourceError
        When the file cannot be read or is empty, or a quote is not closed.
    """
    with _text(part) as text:
        if form.said:
            next(text)
        lines = form.reader(text)
        rows = _Rows(part, form, lines, 1 if form.said else 0)
        header = next((row for row in rows.one_by_one() if any(cell.strip() for cell in row)), None)
        if header is None:
            raise SourceError(f"{part}: it is empty")
        yield header, rows.blocks(len(header))


class _Rows:
    """Rows of a reader; errors name the line where the quote opened."""

    def __init__(self, part: Part, form: CsvDialect, reader: Reader, skipped: int) -> None:
        self._part, self._form, self._reader, self._skipped = part, form, reader, skipped

    def one_by_one(self) -> Iterator[list[str]]:
        """All rows, blank ones too."""
        while rows := self._next(1):
            yield rows[0]

    def blocks(self, width: int) -> Iterator[CsvBlock]:
        """The remaining rows, in blocks."""
        line = self._reader.line_num
        while rows := self._next(BLOCK_ROWS):
            block = CsvBlock(rows, line + self._skipped)
            if self._reader.line_num - line != len(rows):  # some cell holds a line end
                self._refuse_rows_within(block, width)
            yield block
            line = self._reader.line_num

    def _next(self, count: int) -> list[list[str]]:
        before = self._reader.line_num
        rows: list[list[str]] = []
        try:
            rows.extend(islice(self._reader, count))
        except csv.Error as error:
            start = before + sum(map(_lines_of, rows)) + 1 + self._skipped
            line = _opening_line(self._part, self._form.separator, start)
            how = "does not close" if "end of data" in str(error) else "is followed by text where it closes"
            raise SourceError(
                f"{self._part}, line {line}: a quote opens a cell and {how}; a quote inside a quoted cell is doubled,"
                " and text that begins with one must be quoted"
            ) from None
        return rows

    def _refuse_rows_within(self, block: CsvBlock, width: int) -> None:
        known: list[set[str]] = []
        for at, row in enumerate(block.rows):
            for column, cell in enumerate(row):
                for found in _rows_within(cell, column, width, self._form.separator):
                    known = known or _words(block.rows, width)
                    alike = [word for place, word in found if word in known[place] or [word] == row[place : place + 1]]
                    if sum(len(word) > 1 and any(map(str.isalpha, word)) for word in alike) >= 2:  # one may be chance
                        raise self._row_within(block.line(at), row, column)

    def _row_within(self, end: int, row: list[str], column: int) -> SourceError:
        line = end - _lines_of(row) + _lines_of(row[:column])
        return SourceError(
            f"{self._part}, line {line}: a quote opens a cell and closes only in line"
            f" {line + _lines_of([row[column]]) - 1}, and rows lie between; a quote inside a quoted cell is doubled,"
            " and text that begins with one must be quoted"
        )


def _words(rows: list[list[str]], width: int) -> list[set[str]]:
    """The set of cells of each column, from rows on a single line."""
    single = [row for row in rows if len(row) == width and not any("\n" in cell for cell in row)]
    return [{row[column] for row in single} for column in range(width)]


def _rows_within(cell: str, column: int, width: int, separator: str) -> Iterator[list[tuple[int, str]]]:
    """Rows that a cell would hold if a stray quote had opened it, as pairs of column and cell."""
    if "\n" not in cell:
        return
    first, *others = (line.rstrip("\r").split(separator) for line in cell.split("\n"))
    *inner, last = others
    yield from (list(enumerate(line)) for line in inner if len(line) == width)
    if len(first) == width - column and len(last) == column + 1:  # the end of one row, and the beginning of another
        yield [*enumerate(first[1:], column + 1), *enumerate(last[:-1])]


@contextmanager
def _text(part: Part) -> Iterator[io.TextIOWrapper]:
    with part.opened() as file, io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
        yield text


def _separator(sample: str, own: str) -> str:
    """The separator that makes most rows of a sample as long as its header; `own` wins a tie."""
    best, most = own, (0.0, False)
    csv.field_size_limit(LONGEST_CELL)
    for separator in (own, *SEPARATORS):
        forgiving = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
        widths = [len(row) for row in forgiving if any(cell.strip() for cell in row)]
        if not widths or widths[0] == 1:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths), separator == own
        if alike > most:
            best, most = separator, alike
        if most == (1.0, True):
            break
    return best


def _tabs_are_quoted(part: Part) -> bool:
    """Whether quotes in a TSV file are quotes and not text."""
    width, even, alone, found = 0, True, True, False
    with _text(part) as text:
        for line in text:
            row = line.rstrip("\r\n")
            if not row.strip():
                continue
            tabs = row.count("\t")
            width = width or tabs + 1
            even = even and tabs + 1 == width
            if row.startswith('"') or '\t"' in row:
                found = True
                alone = alone and _well_quoted([row], width) is None
    if even or not found:
        return found and alone
    with _text(part) as text:
        wrong = _well_quoted(text, width)
    if wrong is not None and "cells" not in wrong:
        raise SourceError(
            f"{part}: quotes are neither quotes nor text: read as quotes, {wrong}; read as text, not every line has"
            f" {width} cells"
        )
    return True


def _well_quoted(text: Iterable[str], width: int) -> str | None:
    """What is wrong with the quoting; None when all quotes close and every row has `width` cells."""
    reader = CsvDialect("\t").reader(iter(text))
    start, wrong = 1, None
    try:
        for row in reader:
            if row and len(row) != width:
                wrong = wrong or f"the row at line {start} has {len(row)} cells"
            start = reader.line_num + 1
    except csv.Error:
        return f"one that opens at line {start} or below does not close at the end of its cell"
    return wrong


def _opening_line(part: Part, separator: str, start: int) -> int:
    """The line of the quote that is not closed well, in a row that starts at line `start`."""
    opened_at = start
    with _text(part) as text:
        within = False
        for number, line in enumerate(islice(text, start - 1, None), start):
            at, content = 0, line.rstrip("\r\n")
            while at <= len(content):
                if not within and content[at : at + 1] == '"':
                    within, opened_at, at = True, number, at + 1
                if within:
                    close = _CLOSE.match(content, at)
                    if close is None:
                        break
                    within, at = False, close.end()
                    if at < len(content) and content[at] != separator:
                        return opened_at
                at = content.find(separator, at) + 1 or len(content) + 1
    return opened_at


def _lines_of(row: Sequence[str]) -> int:
    """Number of lines that a row takes in the file: one, plus the line ends within its cells."""
    whole = "".join(row)
    return 1 + whole.count("\n") + whole.count("\r") - whole.count("\r\n")
