"""An audit from a file's path to its report: detects the kind of file, reads it and the registry, and audits it.

A registry file has model records in the contract's shape, one JSON object per line, in any order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import msgspec

from services.audit.columns import is_snapshots, need_columns
from services.audit.snapshots import Wanted, read_snapshots
from services.audit.table import Table, open_table
from services.audit.votes import audit_votes
from services.sources import NAMED, SourceError, open_source
from services.sources.fields import resolve
from services.sources.parts import Part
from services.sources.reading import lines_of, opened
from services.sources.summary import Summary
from services.sources.table import FILE_DATE, Joined
from services.sources.votes import ReadingKeywords
from streams.audit.assemble import audit_snapshots
from streams.audit.options import Options
from streams.audit.report.document import Report
from streams.contracts.model import Model, check_model
from streams.contracts.vote import InvalidRecord, decode_json, is_arena

LOCAL_SECONDS = 14 * 3600.0
"""Maximum time that local times may be ahead of UTC."""


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """The user's request.

    Attributes
    ----------
    source
        A path, a named data set, or `-`.
    kind
        `snapshots`, `votes`, or `auto`: decided by the columns.
    wanted
        Options for reading snapshots; its columns and `drop` also apply to votes.
    registry
        File of model records, None for none.
    arena
        Arena of the votes or of the registry, None if there is only one.
    options
        Options of the audit.
    reading
        Options for reading votes: keywords of `open_source` other than the columns.
    """

    source: str
    kind: str
    wanted: Wanted
    registry: Path | None
    arena: str | None
    options: Options
    reading: ReadingKeywords = field(default_factory=ReadingKeywords)


def run_audit(asked: AuditRequest) -> tuple[Report, Summary | None]:
    """Audit a source.

    Returns
    -------
    The report; for votes also their summary. The report itself has the account of snapshots.

    Raises
    ------
    SourceError
        When a file cannot be read, or is neither snapshots nor votes.
    """
    table = _snapshot_table(asked)
    return _of_votes(asked) if table is None else _of_snapshots(table, asked)


def _snapshot_table(asked: AuditRequest) -> Table | None:
    """The table if the source holds snapshots, None if it holds votes."""
    if asked.kind == "votes" or asked.source in NAMED or (asked.source == "-" and asked.kind == "auto"):
        return None
    table = open_table(asked.source)
    if asked.kind == "auto" and not is_snapshots(table.columns, asked.wanted.columns):
        if asked.reading.get("layout") is None:
            _complain_of_undated(table, asked.wanted.columns)
        _complain_unless_votes(table, asked)
        return None
    if asked.kind == "snapshots":
        _complain_of_undated(table, asked.wanted.columns)
    return table


def _complain_of_undated(table: Table, chosen: Mapping[str, str] | None) -> None:
    """Raise `SourceError` for boards without dates, neither in a column nor in the names of their files."""
    if is_snapshots(table.columns, chosen) or not is_snapshots([*table.columns, FILE_DATE], chosen):
        return
    files = table.tables if isinstance(table, Joined) else [table]
    without = [each.described for each in files if Part(Path(each.described), None, "").date is None]
    more = f" and {len(without) - 3} others" if len(without) > 3 else ""
    raise SourceError(
        f"{table.described}: boards without dates: there is no column of dates, and no date in the name of"
        f" {', '.join(without[:3])}{more}. An audit compares dates: write the day into each file's name, as in"
        " board_2025-01-06.csv, or name the column by --columns date=NAME"
    )


def _complain_of_nested(table: Table) -> None:
    """Raise `SourceError` if columns hold lists of rows, naming them."""
    block = next(table.blocks([*dict.fromkeys(table.columns)]), None)
    nested = [
        column
        for column, cells in (block.cells.items() if block is not None else ())
        if any(isinstance(cell, list) and cell and isinstance(cell[0], dict) for cell in cells)
    ]
    if nested:
        raise SourceError(
            f"{table.described}: {', '.join(map(repr, nested))} holds a list of rows within each row. Write them as one"
            " list, each with its date, its model and its votes or score (pandas: explode, then json_normalize)"
        )


def _complain_unless_votes(table: Table, asked: AuditRequest) -> None:
    """Raise `SourceError` if the file is neither votes nor snapshots, with what each kind needs."""
    chosen = asked.wanted.columns
    try:
        resolve(table.columns, chosen, asked.reading.get("layout"), asked.reading.get("only"))
    except SourceError as no_votes:
        try:
            need_columns(table.columns, chosen)
        except SourceError as no_snapshots:
            _complain_of_nested(table)
            raise SourceError(f"{table.name}: neither snapshots ({no_snapshots}) nor votes ({no_votes})") from None


def _of_snapshots(table: Table, asked: AuditRequest) -> tuple[Report, None]:
    snapshots = read_snapshots(table, asked.wanted)
    records = None if asked.registry is None else of_arena(read_registry(asked.registry), asked.arena, asked.registry)
    board = snapshots.board
    name = asked.arena or (records[0].arena if records else board if board and is_arena(board) else "text")
    options = replace(asked.options, arena=name, precision=snapshots.reading.precision)
    report = audit_snapshots(
        snapshots.rows, source=table.name, registry=records, options=options, reading=snapshots.reading
    )
    return report, None


def _of_votes(asked: AuditRequest) -> tuple[Report, Summary]:
    records = None if asked.registry is None else read_registry(asked.registry)
    now = time.time()
    # Times without a zone are read as UTC but may be local: the summary has a note when they are ahead of now.
    source = open_source(asked.source, columns=asked.wanted.columns, now=now, ahead=LOCAL_SECONDS, **asked.reading)
    try:
        report, summary = audit_votes(source, records, asked.options, asked.arena, drop=asked.wanted.drop)
    except SourceError as error:
        raise SourceError(f"{asked.source}: {error}") from None
    summary.close(now)
    return report, summary


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
