"""A table: columns of a file of any kind, read in blocks, with the place of each row; several files read as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.sources.base import Cells, SourceError
from streams.contracts.vote import InvalidRecord

FILE_DATE = "file_date"
"""Column made of the dates in the names of a table's files, where each has one."""

Only = Mapping[str, Collection[object]]
"""Column to the wanted cells; rows with other cells are left out."""


@dataclass(frozen=True, slots=True)
class TableBlock:
    """Some rows of a table, by column.

    Attributes
    ----------
    cells
        Column to its n cells.
    rows
        Numbers of these n rows in the table, from 1.
    height
        Number of rows of the table that the block covers: the n rows, the refused and the unwanted ones.
    refused
        Number of each row that cannot be read, and the reason.
    where
        Row number to its place, such as `line 17`.
    original
        Row number to the row as it was read.
    """

    cells: Cells
    rows: Sequence[int]
    height: int
    refused: list[tuple[int, InvalidRecord]]
    where: Callable[[int], str]
    original: Callable[[int], bytes]


class Table(ABC):
    """Rows of one file or of several; each call of `blocks` reads from the start.

    Parameters
    ----------
    name
        Short name of the file or of all files.
    described
        Name of the table in messages.
    columns
        Names of the columns; a field of a nested column is `outer.inner`.
    note
        Note for the user on how the table is read; may be empty.

    Attributes
    ----------
    stem
        Prefix of generated ids: the name without its ending.
    folder
        Directory of the first file; None for a pipe.
    for_spreadsheets
        Whether spreadsheets read this kind of file: text that looks like a formula may have an apostrophe before it.
    """

    for_spreadsheets = False

    def __init__(self, name: str, described: str, columns: Sequence[str], note: str = "") -> None:
        self.name = name
        self.described = described
        self.columns = list(columns)
        self.note = note
        self.stem = name
        self.folder: Path | None = None

    @abstractmethod
    def _read(self, columns: Sequence[str], only: Only, first: int) -> Iterator[TableBlock]:
        """Blocks of these columns; `first` is the number of the first row."""

    @abstractmethod
    def head(self, rows: int, columns: Sequence[str]) -> list[bytes]:
        """The first rows as bytes, for hashing."""

    def count(self) -> int | None:
        """Number of rows, refused ones included; None for a pipe."""
        return sum(block.height for block in self._read([], {}, 1))

    def no_text(self, column: str) -> str | None:
        """The type of a column whose cells cannot be names; None when they can."""
        return None

    def blocks(self, columns: Sequence[str], only: Only | None = None, first: int = 1) -> Iterator[TableBlock]:
        """The cells of some columns.

        Parameters
        ----------
        columns
            Names out of `columns`; other columns are not read if the file's kind allows it.
        only
            Column to its wanted cells, None for all rows; the blocks contain these columns, too.
        first
            Number of the first row.

        Raises
        ------
        SourceError
            When two columns share one of these names, or the file cannot be read to its end.
        """
        only = only or {}
        wanted = list(dict.fromkeys([*columns, *only]))
        self.must_be_single(wanted)
        return self._read(wanted, only, first)

    def must_be_single(self, columns: Sequence[str]) -> None:
        """Raise `SourceError` if two columns share one of these names."""
        for column in columns:
            places = [str(at) for at, name in enumerate(self.columns, 1) if name == column]
            if len(places) > 1:
                raise SourceError(
                    f"{self.described}: {len(places)} columns are named {column!r} (columns {' and '.join(places)});"
                    " rename all but one"
                )

    def need(self, columns: Sequence[str], names: Mapping[str, str]) -> None:
        """Check that columns can be what they are used for.

        Parameters
        ----------
        columns
            The columns that are read.
        names
            Field to column, for the fields whose cells are names.

        Raises
        ------
        SourceError
            When two columns share one of these names, or a column of names has a type without names: dates, lists.
        """
        self.must_be_single(columns)
        for field, column in names.items():
            kind = self.no_text(column) if column in self.columns else None
            if kind is not None:
                raise SourceError(f"{self.described}: column {column!r} ({field}) is of type {kind}; it must be text")

    def distinct(self, columns: Sequence[str]) -> Counter[tuple[object, ...]]:
        """Number of occurrences of each combination of cells of some columns, in the order of first occurrence."""
        found: Counter[tuple[object, ...]] = Counter()
        for block in self.blocks(columns):
            found.update(zip(*(block.cells[column] for column in columns), strict=True))
        return found

    @property
    def rows(self) -> Iterator[tuple[str, Sequence[object]]]:
        """Place and cells of each row.

        Raises
        ------
        SourceError
            At a row that cannot be read.
        """
        for block in self._read(list(dict.fromkeys(self.columns)), {}, 1):
            for number, invalid in block.refused:
                raise SourceError(f"{self.described}: {block.where(number)}: {invalid.detail}")
            for number, row in zip(
                block.rows, zip(*(block.cells[name] for name in self.columns), strict=True), strict=True
            ):
                yield block.where(number), row


class Joined(Table):
    """Several tables, one after the other; the columns are the union of theirs."""

    def __init__(self, name: str, described: str, tables: Sequence[Table], note: str = "") -> None:
        columns: dict[str, None] = {}
        for table in tables:
            columns |= dict.fromkeys(table.columns)
        super().__init__(name, described, list(columns), "; ".join(filter(None, (note, *(t.note for t in tables)))))
        self.tables = tables
        self.for_spreadsheets = any(table.for_spreadsheets for table in tables)

    def _read(self, columns: Sequence[str], only: Only, first: int) -> Iterator[TableBlock]:
        for table in self.tables:
            there = [column for column in columns if column in table.columns]
            if any(None not in wanted for column, wanted in only.items() if column not in there):
                continue
            known = {column: wanted for column, wanted in only.items() if column in there}
            for block in table.blocks(there, known, first):
                cells = {column: block.cells.get(column, [None] * len(block.rows)) for column in columns}
                yield TableBlock(
                    cells, block.rows, block.height, block.refused, _within(table, block.where), block.original
                )
                first += block.height

    def head(self, rows: int, columns: Sequence[str]) -> list[bytes]:
        """The first rows, from as many tables as needed."""
        found: list[bytes] = []
        for table in self.tables:
            found += table.head(rows - len(found), [column for column in columns if column in table.columns])
            if len(found) >= rows:
                break
        return found

    def count(self) -> int:
        """Number of rows of all tables."""
        return sum(table.count() or 0 for table in self.tables)

    def no_text(self, column: str) -> str | None:
        """The first table's type that cannot hold names; None when all can."""
        return next((kind for table in self.tables if (kind := table.no_text(column)) is not None), None)

    def must_be_single(self, columns: Sequence[str]) -> None:
        """Raise `SourceError` if two columns of a file share a name, or two files have the same date."""
        days: dict[str, str] = {}
        for table in self.tables:
            if FILE_DATE in columns and isinstance(table, Dated):
                other = days.setdefault(table.day, table.name)
                if other != table.name:
                    raise SourceError(
                        f"{self.described}: {other} and {table.name} are of one date, {table.day}; name those of one"
                        " board by a glob"
                    )
            table.must_be_single([column for column in columns if column in table.columns])

    def must_be_everywhere(self, columns: Sequence[str]) -> None:
        """Raise `SourceError` if a file lacks one of these columns."""
        for table in self.tables:
            for column in columns:
                if column not in table.columns:
                    raise SourceError(f"{table.described}: it has no column {column!r}, which other files here have")


class Dated(Table):
    """A file's table with the column `FILE_DATE`: the date in the file's name."""

    def __init__(self, table: Table, day: str) -> None:
        super().__init__(table.name, table.described, [*table.columns, FILE_DATE], table.note)
        self._table = table
        self.day = day
        self.for_spreadsheets = table.for_spreadsheets

    def _read(self, columns: Sequence[str], only: Only, first: int) -> Iterator[TableBlock]:
        if self.day not in only.get(FILE_DATE, (self.day,)):
            return
        known = {column: wanted for column, wanted in only.items() if column != FILE_DATE}
        for block in self._table.blocks([column for column in columns if column != FILE_DATE], known, first):
            cells = {**block.cells, FILE_DATE: [self.day] * len(block.rows)}
            yield TableBlock(cells, block.rows, block.height, block.refused, block.where, block.original)

    def head(self, rows: int, columns: Sequence[str]) -> list[bytes]:
        """The first rows of the file."""
        return self._table.head(rows, [column for column in columns if column != FILE_DATE])

    def count(self) -> int | None:
        """Number of rows of the file."""
        return self._table.count()

    def no_text(self, column: str) -> str | None:
        """The type of a column of the file whose cells cannot be names; None when they can."""
        return self._table.no_text(column)


def _within(table: Table, where: Callable[[int], str]) -> Callable[[int], str]:
    return lambda row: f"{table.name}, {where(row)}"


def keep(block: TableBlock, only: Only) -> TableBlock:
    """The wanted rows of a block."""
    if not only:
        return block
    kept: Sequence[int] = range(len(block.rows))
    for column, wanted in only.items():
        cells, those = block.cells[column], tuple(wanted)
        kept = [at for at in kept if cells[at] in those]
    cells_kept = {column: [cells[at] for at in kept] for column, cells in block.cells.items()}
    rows = [block.rows[at] for at in kept]
    return TableBlock(cells_kept, rows, block.height, block.refused, block.where, block.original)
