"""Opening a source by what the person typed: a path, a name, or `-`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from services.sources.base import Source, SourceError
from services.sources.named import NAMED
from streams.contracts.vote import is_arena

if TYPE_CHECKING:
    from services.sources.outcomes import By

KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


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
        A path (`.jsonl`, `.ndjson`, `.json`, `.csv`, `.tsv`, each also with `.gz`; `.parquet`), a name in `NAMED`, or
        `-` for one JSON object a line on standard input.
    columns
        Field to column, where the names are not among the aliases; an empty column switches an optional field off.
    arena
        Puts every vote into this arena, whatever the file says.
    now
        Epoch seconds: arrival of every vote, and the end of a made-up clock.
    stdin
        In place of the process's standard input.
    layout
        Name of a shipped layout, or a TOML file; the best fitting one unless given.
    words
        Word of the winner's column to its meaning, before all others.
    by
        Whether the winner's column holds names or sides.
    only
        Column to the values of rows that count.
    ahead
        Seconds after `now` up to which times are taken.
    times
        Whether the file's times are used; else the clock is made up.

    Raises
    ------
    SourceError
        When nothing can be read; a bad row is no error, it is reported and the reading goes on.
    """
    if arena is not None and not is_arena(arena):
        raise SourceError(f"arena {arena!r}: use 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit")
    if spec in NAMED:
        if columns or layout or words or by or only:
            raise SourceError(f"{spec} has no columns to name")
        return NAMED[spec].load(now, arena or "text")

    from services.sources.jsonopen import open_array, open_lines, open_pipe
    from services.sources.plan import Asked

    asked = Asked(columns, arena, now, layout, words, by, only, ahead, times)
    if spec == "-":
        return open_pipe(stdin or sys.stdin.buffer, asked)
    path = Path(spec)
    kind = _kind(path)
    _must_be_a_file(path)
    name = path.name[: path.name.lower().rindex(kind)] or path.name
    if kind in (".csv", ".tsv"):
        from services.sources.csvfile import open_csv

        return open_csv(path, name, asked, "," if kind == ".csv" else "\t")
    if kind == ".parquet":
        from services.sources.parquet import open_parquet

        return open_parquet(path, name, asked)
    return open_array(path, name, asked) if kind == ".json" else open_lines(path, name, asked)


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    kind = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    if kind not in KINDS or (packed and kind == ".parquet"):
        raise SourceError(
            f"{path}: not a kind of file that is read here ({', '.join(KINDS)}, all but the last also with .gz)"
            f" nor a data set ({', '.join(NAMED)})"
        )
    return kind


def _must_be_a_file(path: Path) -> None:
    if path.is_dir():
        raise SourceError(f"{path}: is a directory")
    if not path.exists():
        raise SourceError(f"{path}: there is no such file")
