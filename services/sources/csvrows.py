"""CSV and TSV rows: finds the separator and the quoting, and reads the cells in blocks with line numbers.

What is decided, and how:

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Protocol

from services.sources.base import SourceError
from services.sources.parts import Part

BLOCK_ROWS = 500
"""Rows of a block. 4x as many fall out of the CPU cache and are read a sixth slower, 10x a third slower."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Separator to its name."""

_SAMPLE = 64 << 10
_SAID = re.compile(r"sep=(.)\r?\n?")
_CLOSE = re.compile(r'(?:[^"]|"")*+"')


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The separator and quoting of a file.

    Attributes
    ----------
    separator
        Character between cells.
    quoted
        Whether a quote at the start of a cell is a quote and not text.
    said
        Whether the first line names the separator.
    """

    separator: str
    quoted: bool = True
    said: bool = False

    def reader(self, text: Iterator[str]) -> _Reader:
        """The rows of a text."""
        csv.field_size_limit(2**31 - 1)  # conversations beside the vote are longer than the default of 128 KiB
        quoting: Any = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        return csv.reader(text, delimiter=self.separator, quoting=quoting, strict=True)


class CsvBlock:
    """Some rows of a file, blank lines left out.

    Attributes
    ----------
    rows
        Cells of each row.
    """

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


class _Reader(Protocol):
    """The used interface of `csv.reader`, whose own type has no public name."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


class _Rows:
    """Rows of a reader; errors name the line where the quote opened."""

    def __init__(self, part: Part, form: CsvDialect, reader: _Reader, skipped: int) -> None:
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
                    if sum(map(_is_word, alike)) >= 2:  # one may be chance
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
    for separator in (own, *SEPARATORS):
        widths = [len(row) for row in _forgiving(sample, separator) if any(cell.strip() for cell in row)]
        if not widths or widths[0] == 1:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths), separator == own
        if alike > most:
            best, most = separator, alike
        if most == (1.0, True):
            break
    return best


def _forgiving(sample: str, separator: str) -> Iterator[list[str]]:
    csv.field_size_limit(2**31 - 1)
    return csv.reader(io.StringIO(sample, newline=""), delimiter=separator)


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


def _well_quoted(text: Any, width: int) -> str | None:
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


def _is_word(cell: str) -> bool:
    return len(cell) > 1 and any(map(str.isalpha, cell))


def _lines_of(row: Sequence[str]) -> int:
    """Number of lines that a row takes in the file: one, plus the line ends within its cells."""
    whole = "".join(row)
    return 1 + whole.count("\n") + whole.count("\r") - whole.count("\r\n")
