"""Tables of any kind of file: the names of its columns, and its rows with their places."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from services.sources import SourceError
from services.sources.csvrows import csv_blocks
from services.sources.reading import lines_of, opened

TEXT = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson", ".json")
KINDS = (*TEXT, *LINES, ".parquet")

HEAD = 100
"""Objects whose names make the header of JSON lines."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of a file.

    Attributes
    ----------
    name
        Of the file.
    columns
        Names of the columns.
    rows
        Place (`line 7`) and cells of each row; a cell that is not there is None.
    """

    name: str
    columns: list[str]
    rows: Iterator[tuple[str, Sequence[Any]]]


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

    def rows() -> Iterator[tuple[str, Sequence[Any]]]:
        with csv_blocks(path, delimiter) as (_, blocks):
            for block in blocks:
                for at, row in enumerate(block.rows):
                    yield f"line {block.line(at)}", [*row, *[None] * (len(columns) - len(row))]

    return Table(path.name, columns, rows())


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


def _of_objects(name: str, described: str, blocks: Iterator[list[bytes]]) -> Table:
    decode = msgspec.json.Decoder(dict[str, Any]).decode

    def objects() -> Iterator[tuple[str, dict[str, Any]]]:
        number = 0
        for block in blocks:
            for item in block:
                number += 1
                if not item.strip():
                    continue
                try:
                    yield f"line {number}", decode(item)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    yield f"line {number}", {}

    coming = objects()
    head = [each for _, each in zip(range(HEAD), coming, strict=False)]
    columns = list(dict.fromkeys(name for _, cells in head for name in cells))
    if not columns:
        raise SourceError(f"{described}: there is no JSON object in it" if head else f"{described}: it is empty")

    def rows() -> Iterator[tuple[str, Sequence[Any]]]:
        for source in (iter(head), coming):
            for place, cells in source:
                yield place, [cells.get(column) for column in columns]

    return Table(name, columns, rows())


def _of_parquet(path: Path) -> Table:
    import polars  # a second of start-up that other files do without

    try:
        columns = list(polars.read_parquet_schema(path))
    except (polars.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None

    def rows() -> Iterator[tuple[str, Sequence[Any]]]:
        try:
            frame = polars.read_parquet(path)
        except (polars.exceptions.PolarsError, OSError) as error:
            raise SourceError(f"{path}: it cannot be read to its end ({str(error).splitlines()[0]})") from None
        for number, row in enumerate(frame.iter_rows(), 1):
            yield f"row {number}", row

    return Table(path.name, columns, rows())
