"""Opens what the user typed (a path, a directory, a glob, a name, or `-`) as votes or as a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

from services.sources.base import Source, SourceError
from services.sources.named import NAMED
from services.sources.parts import Part, find_parts, must_differ
from services.sources.table import Dated, Joined, Table
from streams.contracts.vote import is_arena

if TYPE_CHECKING:
    from services.sources.outcomes import By


_LOOK = 512
"""Number of first bytes in which a web page is recognised."""


def open_source(
    spec: str,
    *,
    columns: Mapping[str, str] | None = None,
    arena: str | None = None,
    now: float,
    stdin: BinaryIO | None = None,
    layout: str | None = None,
    words: Mapping[str, str] | None = None,
    by: By | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
    ahead: float | None = None,
    times: bool = True,
) -> Source:
    """Open votes for reading.

    Parameters
    ----------
    spec
        A source of `open_table`, or a name in `NAMED`.
    columns
        Field to column, for names that are not among the aliases; an empty column switches an optional field off.
    arena
        Arena of every vote; overrides the file's.
    now
        Epoch seconds: arrival of every vote, and the end of synthetic times.
    stdin
        Replaces the process's standard input.
    layout
        Name of a shipped layout, or a TOML file; by default the best fitting one.
    words
        Word of the winner's column to its meaning; overrides all others.
    by
        Whether the winner's column holds names or sides.
    only
        Column to the values of rows that count.
    ahead
        Times up to this many seconds after `now` are accepted.
    times
        Whether the file's times are used; otherwise times are synthetic.

    Raises
    ------
    SourceError
        When nothing can be read; a bad row is no error: it is reported, and reading continues.
    """
    if arena is not None and not is_arena(arena):
        raise SourceError(f"arena {arena!r}: use 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit")
    if spec in NAMED:
        if columns or layout or words or by or only:
            raise SourceError(f"{spec} has no columns to name")
        return NAMED[spec].load(now, arena or "text")

    from services.sources.plan import ReadOptions
    from services.sources.votes import votes_of

    table = open_table(spec, stdin, more=f" nor a data set ({', '.join(NAMED)})")
    return votes_of(table, ReadOptions(columns, arena, now, layout, words, by, only, ahead, times))


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
