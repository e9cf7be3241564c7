"""A registry file: model records in the contract's shape, one JSON object per line, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec

from services.sources import SourceError
from services.sources.reading import lines_of, opened
from streams.contracts.model import Model, check_model
from streams.contracts.vote import InvalidRecord, decode_json

_decoder = msgspec.json.Decoder(Model)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_registry(path: Path) -> list[Model]:
    """Read every record.

    Raises
    ------
    SourceError
        When the file cannot be read, has a line that is no model record (the message names it), or has no record.
    """
    if path.is_dir() or not path.exists():
        raise SourceError(f"{path}: {'is a directory' if path.is_dir() else 'there is no such file'}")
    records = []
    number = 0
    with opened(path) as file:
        for block in lines_of(file.read):
            for line in block:
                number += 1
                if line.strip():
                    records.append(_read(line, f"{path}, line {number}"))
    if not records:
        raise SourceError(f"{path}: there is no model record in it")
    return records


def of_arena(records: Sequence[Model], arena: str | None, path: Path) -> list[Model]:
    """The records of one arena; `arena` may be None if there is only one.

    Raises
    ------
    SourceError
        When the registry lacks the arena, or has several and `arena` is None.
    """
    arenas = sorted({record.arena for record in records})
    if arena is None and len(arenas) > 1:
        raise SourceError(f"{path}: it is about several arenas, choose one with --arena: {', '.join(arenas)}")
    chosen = arena or arenas[0]
    if chosen not in arenas:
        raise SourceError(f"{path}: it has no model of arena {chosen!r}; there are {', '.join(arenas)}")
    return [record for record in records if record.arena == chosen]


def _read(line: bytes, where: str) -> Model:
    try:
        record: Model = decode_json(_decoder, line)
        # A file has no record times: each record's own `tstamp` counts as its arrival.
        checked = check_model(record, record.tstamp)
    except InvalidRecord as invalid:
        raise SourceError(f"{where}: no model record: {invalid.detail}") from None
    given = _fields.decode(line).keys()
    missing = [name for name in Model.__struct_fields__ if name not in given]
    for name in given - {*Model.__struct_fields__}:
        # A misspelt field would be ignored: a notice would be missed, and its model would raise a silent_removal alert.
        if meant := get_close_matches(name.casefold(), missing, 1, cutoff=0.8):
            raise SourceError(f"{where}: {name!r} is not read; {meant[0]!r} is")
    return checked
