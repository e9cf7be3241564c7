"""Tables of any kind of file: the names of its columns, and its cells in blocks of columns."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from services.sources import SourceError
from services.sources.csvrows import Block as CsvBlock
from services.sources.csvrows import csv_blocks
from services.sources.reading import lines_of, opened

TEXT = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson", ".json")
KINDS = (*TEXT, *LINES, ".parquet")


NUMBER = "number of the row"
"""Column that numbers the rows of Parquet files while they are filtered."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, by column.

    Attributes
    ----------
    cells
        Column to its n cells; a cell that is not there is None.
    rows
        Numbers of these n rows in the table, from 1.
    where
        The place of a row by its number, `line 17`.
    """

    cells: dict[str, Sequence[Any]]
    rows: Sequence[int]
    where: Callable[[int], str]


Only = Mapping[str, Collection[Any]]
"""Column to the cells that are wanted: rows with others are left out."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of a file; each reading begins at the start.

    Attributes
    ----------
    name
        Of the file.
    columns
        Names of the columns.
    """

    name: str
    columns: list[str]
    _read: Callable[[Sequence[str], Only], Iterator[Block]]

    def blocks(self, columns: Sequence[str], only: Only | None = None) -> Iterator[Block]:
        """The cells of some columns, of all rows or of those whose cells are wanted."""
        return self._read(columns, only or {})

    def distinct(self, columns: Sequence[str]) -> Counter[tuple[Any, ...]]:
        """How often each combination of cells of some columns occurs, in the order of their first occurrence."""
        found: Counter[tuple[Any, ...]] = Counter()
        for block in self.blocks(columns):
            found.update(zip(*(block.cells[column] for column in columns), strict=True))
        return found


def open_table(spec: str, stdin: BinaryIO | None = None) -> Table:
    """Open a file by its path, or standard input (`-`, one JSON object a line).

    Raises
    ------
    SourceError
        When it cannot be read, or is no table.
    """
    if spec == "-":
        return _of_objects("stdin", "standard input", lines_of((stdin or sys.stdin.buffer).read))
    path = Path(spec)
    kind = _kind(path)
    if path.is_dir():
        raise SourceError(f"{path}: is a directory")
    if not path.exists():
        raise SourceError(f"{path}: there is no such file")
    if kind == ".parquet":
        return _of_parquet(path)
    if kind in TEXT:
        return _of_text(path, TEXT[kind])
    return _of_objects(path.name, str(path), _blocks(path))


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = "".join(suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    if kind not in KINDS:
        raise SourceError(f"{path}: not a kind of file that is read here ({', '.join(KINDS)})")
    return kind


def _of_text(path: Path, delimiter: str) -> Table:
    with csv_blocks(path, delimiter) as (header, _):
        columns = header

    def read(names: Sequence[str], only: Only) -> Iterator[Block]:
        places = [columns.index(name) for name in names]
        tests = [(columns.index(name), {*wanted}) for name, wanted in only.items()]
        first, width = 1, len(columns)
        with csv_blocks(path, delimiter) as (_, coming):
            for block in coming:
                rows = block.rows
                if {*map(len, rows)} != {width}:
                    rows = [_of_length(path, block, at, width) for at in range(len(rows))]
                kept: Sequence[int] = range(len(rows))
                for at, wanted in tests:
                    kept = [each for each in kept if rows[each][at] in wanted]
                if tests:
                    rows = [rows[each] for each in kept]
                cells: dict[str, Sequence[Any]] = {
                    name: [row[at] for row in rows] for name, at in zip(names, places, strict=True)
                }
                yield Block(cells, [first + each for each in kept], _line_of(block, first))
                first += len(block.rows)

    return Table(path.name, columns, read)


def _line_of(block: CsvBlock, first: int) -> Callable[[int], str]:
    return lambda number: f"line {block.line(number - first):,}"


def _of_length(path: Path, block: CsvBlock, at: int, width: int) -> list[Any]:
    """A row as long as the header.

    A number such as `5,971` without quotes makes two cells of one, and shifts all that follow: that is an error.
    """
    row = block.rows[at]
    if any(row[width:]):
        raise SourceError(
            f"{path}: line {block.line(at):,} has {len(row)} cells, the header {width}: is a separator within a cell"
            " that is not quoted?"
        )
    return [*row[:width], *[None] * (width - len(row))]


def _blocks(path: Path) -> Iterator[list[bytes]]:
    with opened(path) as file:
        content = file.read() if ".json" in (each.lower() for each in path.suffixes) else None
        if content is None:
            yield from lines_of(file.read)
        elif content.lstrip().startswith(b"["):
            try:
                yield [bytes(each) for each in msgspec.json.decode(content, type=list[msgspec.Raw])]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise SourceError(f"{path}: not a JSON array: {error}") from None
        else:
            yield content.splitlines()


def _of_objects(name: str, described: str, lines: Iterable[list[bytes]]) -> Table:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, item in enumerate(chain.from_iterable(lines), 1):
        if item.strip():
            try:
                rows.append((number, decode(item)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                rows.append((number, {}))
    columns = list(dict.fromkeys(column for _, cells in rows for column in cells))
    if not columns:
        raise SourceError(f"{described}: there is no JSON object in it" if rows else f"{described}: it is empty")

    def read(names: Sequence[str], only: Only) -> Iterator[Block]:
        kept = [each for each in rows if all(each[1].get(name) in wanted for name, wanted in only.items())]
        cells: dict[str, Sequence[Any]] = {column: [each.get(column) for _, each in kept] for column in names}
        yield Block(cells, [number for number, _ in kept], "line {:,}".format)

    return Table(name, columns, read)


def _of_parquet(path: Path) -> Table:
    import polars  # a second of start-up that other files do without

    try:
        columns = list(polars.read_parquet_schema(path))
    except (polars.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None

    def read(names: Sequence[str], only: Only) -> Iterator[Block]:
        try:
            frame = polars.read_parquet(path, columns=[*dict.fromkeys([*names, *only])], row_index_name=NUMBER)
        except (polars.exceptions.PolarsError, OSError) as error:
            raise SourceError(f"{path}: it cannot be read to its end ({str(error).splitlines()[0]})") from None
        for name, wanted in only.items():
            frame = frame.filter(polars.col(name).is_in([*wanted], nulls_equal=True))
        cells: dict[str, Sequence[Any]] = {name: frame[name].to_list() for name in names}
        yield Block(cells, (frame[NUMBER] + 1).to_list(), "row {:,}".format)

    return Table(path.name, columns, read)
