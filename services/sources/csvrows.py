"""Rows of CSV and TSV files, in blocks, with the lines they end at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, islice
from pathlib import Path
from typing import Protocol

from services.sources.base import SourceError
from services.sources.reading import opened

BLOCK_ROWS = 2_000
"""With ten times as many, cells fall out of the processor's cache and reading is a third slower."""


class Block:
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
        """The line, from 1, at which a row of `rows` ends; found only when asked for."""
        if not self._ends:
            ends = accumulate(map(_lines_of, self._all_rows), initial=self._before)
            self._ends = [end for row, end in zip(self._all_rows, islice(ends, 1, None), strict=True) if row]
        return self._ends[position]


@contextmanager
def csv_blocks(path: Path, delimiter: str) -> Iterator[tuple[list[str], Iterator[Block]]]:
    """The header, and the rows below it.

    Raises
    ------
    SourceError
        When the file cannot be read or is empty.
    """
    csv.field_size_limit(2**31 - 1)  # conversations beside the vote are longer than the default of 128 KiB
    with opened(path) as file, io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter)
        header = next(reader, None)
        if header is None:
            raise SourceError(f"{path}: it is empty")
        yield header, _blocks(reader)


class _Reader(Protocol):
    """What is used of `csv.reader`, whose own type has no public name."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


def _blocks(reader: _Reader) -> Iterator[Block]:
    line = reader.line_num
    while rows := list(islice(reader, BLOCK_ROWS)):
        yield Block(rows, line)
        line = reader.line_num


def _lines_of(row: list[str]) -> int:
    """Lines of the file that a row takes: one, and those that begin within its cells."""
    whole = "".join(row)
    return 1 + whole.count("\n") + whole.count("\r") - whole.count("\r\n")
