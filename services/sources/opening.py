"""Opens what the user typed (a path, a directory, a glob, or `-`) as a table."""

from __future__ import annotations

import sys
from typing import BinaryIO

from services.sources.base import SourceError
from services.sources.parts import Part, find_parts, must_differ
from services.sources.table import Dated, Joined, Table

_LOOK = 512
"""Number of first bytes in which a web page is recognised."""


def open_table(spec: str, stdin: BinaryIO | None = None, *, dated: bool = False, more: str = "") -> Table:
    """Open a table.

    Parameters
    ----------
    spec
        A path of a `.jsonl`, `.ndjson`, `.json`, `.csv`, `.tsv` or `.parquet` file, each also packed (`.gz`, `.bz2`,
        `.xz`, `.zst`, `.zip`); a directory or a glob (`shards/*.parquet`) of files of one kind; or `-` for one JSON
        object a line on standard input.
    stdin
        Replaces the process's standard input.
    dated
        Add the column `FILE_DATE` if every file has a date in its name.
    more
        Other possible sources, for the error message.

    Raises
    ------
    SourceError
        When it cannot be read, or is no table.
    """
    if spec == "-":
        from services.sources.jsonfile import pipe_table

        return pipe_table(stdin or sys.stdin.buffer)
    parts = find_parts(spec, more)
    if not dated:  # two days of a board may be the same
        must_differ(parts.files, spec)
    tables = [_table(part) for part in parts.files]
    days = [part.date for part in parts.files]
    if dated:
        tables = [
            Dated(table, day) if None not in days and day else table for table, day in zip(tables, days, strict=True)
        ]
    table = tables[0] if len(tables) == 1 else Joined(parts.name, spec, tables)
    table.stem, table.note = parts.name, "; ".join(filter(None, (parts.note, table.note)))
    table.folder = parts.files[0].path.absolute().parent
    return table


def _table(part: Part) -> Table:
    if part.kind != ".parquet":
        _must_be_no_page(part)
    if part.kind in (".csv", ".tsv"):
        from services.sources.csvfile import CsvTable

        return CsvTable(part)
    if part.kind == ".parquet":
        from services.sources.parquet import ParquetTable

        return ParquetTable(part)
    from services.sources.jsonfile import json_table

    return json_table(part)


def _must_be_no_page(part: Part) -> None:
    """Raise `SourceError` if the file is a web page saved under the name of data."""
    with part.opened() as file:
        start = file.read(_LOOK).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise SourceError(
            f"{part}: it is a web page (HTML), not {part.kind[1:].upper()}: what was saved is a page about the file,"
            " or an error page. Download the file itself, or remove this one"
        )
