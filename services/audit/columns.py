"""Which columns and rows of a file of snapshots are read: maps columns to fields, and keeps the rows of one board."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from services.audit.dates import word_of
from services.audit.table import Table
from services.sources import SourceError
from services.sources.table import FILE_DATE, TableBlock
from streams.contracts.names import normalised

ALIASES: dict[str, tuple[str, ...]] = {
    "date": (
        "date",
        "snapshot_date",
        "last_updated",
        "publish_date",
        "leaderboard_publish_date",
        "snapshot",
        "timestamp",
        "tstamp",
        "day",
        "last_update",
        "scraped_at",
        FILE_DATE,
    ),
    "model": ("model", "model_name", "key", "model_key", "name"),
    "provider": ("organization", "organisation", "provider", "org", "vendor"),
    "license": ("license", "licence", "license_type"),
    "votes": ("votes", "vote_count", "num_battles", "votes_count", "number_of_votes", "num_votes", "battles"),
    "board": ("board", "leaderboard", "arena", "subset"),
    "category": ("category",),
    "rank": ("rank", "rank_ub", "rank (ub)", "ranking"),
    "score": ("arena_score", "score", "rating", "arena score", "arena_elo", "elo"),
    "lower": ("lower", "rating_q025", "rating_lower", "ci_lower", "score_lower", "score_ci_lower", "rating_ci_lower"),
    "upper": ("upper", "rating_q975", "rating_upper", "ci_upper", "score_upper", "score_ci_upper", "rating_ci_upper"),
    "interval": ("ci95", "95% ci", "ci", "confidence_interval", "interval"),
}
"""Field to the columns that may hold it; the first one found is used, and case is ignored.

Agent boards count steps (`observation_count`) and sessions (`session_count`). Neither is a vote between two models, so
neither column is read unless the user names it.
"""

NEEDED = ("date", "model")

STANDING = ("votes", "score", "rank")
"""A file needs at least one of these. Without votes, an audit reports listings only, never exposure."""

EVENTS = ("event", "event_type", "event_name", "action", "change_type")
"""Columns of files whose rows are events. Such files lack the days on which a model is on the board without events."""

PAIRS = ({"model_a", "model_b"}, {"model_1", "model_2"}, {"model_left", "model_right"}, {"left", "right"})
"""Columns that only a file of votes has."""


def find_columns(found: Sequence[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Field to column, for the fields that the file has.

    Parameters
    ----------
    found
        Names of the file's columns.
    chosen
        The user's field to column; overrides aliases, and an empty column switches the field off.

    Raises
    ------
    SourceError
        When `chosen` names a field or column that does not exist.

    >>> find_columns(["Publish_Date", "model_name", "vote_count"])
    {'date': 'Publish_Date', 'model': 'model_name', 'votes': 'vote_count'}
    """
    names = {name.strip().casefold(): name for name in reversed(found)}
    taken: dict[str, str] = {}
    for field, column in (chosen or {}).items():
        if field not in ALIASES:
            raise SourceError(f"columns: {field!r} is not a field of a snapshot; the fields are {', '.join(ALIASES)}")
        if column.strip() and column.strip().casefold() not in names:
            raise SourceError(f"columns: there is no column {column!r} for {field}; found: {', '.join(found)}")
        taken[field] = names[column.strip().casefold()] if column.strip() else ""
    for field, aliases in ALIASES.items():
        free = next((names[each] for each in aliases if each in names and names[each] not in taken.values()), None)
        if field not in taken and free is not None:
            taken[field] = free
    return {field: taken[field] for field in ALIASES if taken.get(field)}


def is_snapshots(found: Sequence[str], chosen: Mapping[str, str] | None = None) -> bool:
    """Whether these are columns of snapshots: date, model, and votes, score or rank, but no pair of models."""
    names = {name.strip().casefold() for name in found}
    if any(pair <= names for pair in PAIRS) or {"model_a", "model_b"} & {*(chosen or {})}:
        return False
    try:
        taken = find_columns(found, chosen)
    except SourceError:
        return False
    return all(field in taken for field in NEEDED) and any(field in taken for field in STANDING)


def need_columns(found: Sequence[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """`find_columns`, but raises `SourceError` if a required column is missing or the rows are events."""
    events = [name for name in found if name.strip().casefold() in EVENTS]
    if events:
        raise SourceError(
            f"the column {events[0]!r} says that each row is an event. An audit needs snapshots: every model of the"
            " board, on each date"
        )
    taken = find_columns(found, chosen)
    missing = [field for field in NEEDED if field not in taken]
    if missing or not any(field in taken for field in STANDING):
        wanted = " and ".join(f"{field} ({', '.join(ALIASES[field][:4])}, …)" for field in missing or STANDING[:1])
        raise SourceError(
            f"no column for {wanted}; found: {', '.join(map(repr, found)) or 'none'}. Name it: --columns"
            f" {(missing or STANDING)[0]}=NAME"
        )
    return taken


def unused(found: Sequence[str], taken: Mapping[str, str]) -> list[str]:
    """Columns that are not read."""
    return [name for name in found if name not in taken.values()]


FAVOURED = ("text", "overall", "text/overall", "full", "text/full")
"""Default boards, in order of preference."""


@dataclass(frozen=True, slots=True)
class BoardRows:
    """Rows of one board.

    Attributes
    ----------
    board
        Name of the board, empty when the file does not name it.
    cells
        Field to the cells of its column.
    numbers
        Number of each row in the file, from 1.
    read
        Number of rows of all boards in the file.
    """

    board: str
    cells: dict[str, list[object]]
    numbers: list[int]
    read: int


def board_rows(table: Table, taken: Mapping[str, str], board: str | None) -> BoardRows:
    """Read the rows of the named board, or of the default one.

    Parameters
    ----------
    table
        A file.
    taken
        Field to column.
    board
        Name of the board or one part of it, None for the default.

    Raises
    ------
    SourceError
        When there is no such board, there are several without a default one, or there is no row.
    """
    naming = [taken[field] for field in ("board", "category") if field in taken]
    fields = [field for field in taken if taken[field] not in naming]
    try:
        keys = table.distinct(naming or [taken["model"]])
    except TypeError:
        raise SourceError(f"{table.name}: cells of {', '.join(naming) or 'model'} are lists or objects") from None
    if not keys:
        for block in table.blocks(naming):
            _complain_of_refused(table, block)
        raise SourceError(f"{table.name}: there is no row that can be used")
    spreadsheet = table.for_spreadsheets
    names = {
        key: "/".join(word for cell in key if (word := word_of(cell, of_spreadsheet=spreadsheet))) if naming else ""
        for key in keys
    }
    chosen = _choose(sorted({*names.values()}), board)
    mine = {key for key, name in names.items() if name == chosen}
    only = {column: {key[at] for key in mine} for at, column in enumerate(naming)}
    cells: dict[str, list[object]] = {field: [] for field in fields}
    numbers: list[int] = []
    for block in table.blocks([*dict.fromkeys([*naming, *(taken[field] for field in fields)])], only):
        _complain_of_refused(table, block)
        # `only` filters each column by itself; drop the unwanted combinations.
        kept = [key in mine for key in zip(*(block.cells[column] for column in naming), strict=True)]
        numbers.extend(compress(block.rows, kept) if naming else block.rows)
        for field in fields:
            column = block.cells[taken[field]]
            cells[field].extend(compress(column, kept) if naming else column)
    return BoardRows(chosen, cells, numbers, keys.total())


def _complain_of_refused(table: Table, block: TableBlock) -> None:
    for number, invalid in block.refused:
        raise SourceError(
            f"{table.described}: {block.where(number)} cannot be read: {invalid.detail}; is a separator within a cell"
            " without quotes around it, as in 5,971?"
        )


def places_of(table: Table, numbers: Collection[int]) -> dict[int, str]:
    """Row number to place in the file; reads the file again, up to the last of these rows."""
    found: dict[int, str] = {}
    for block in table.blocks([]):
        inside = {*numbers}.intersection(block.rows)
        found |= {number: block.where(number) for number in inside}
        if len(found) == len(numbers):
            break
    return found


def _choose(boards: list[str], board: str | None) -> str:
    by_name = {name.casefold(): name for name in boards}
    if board is not None:
        wanted = normalised(board).casefold()
        parts = [name for name in boards if wanted in name.casefold().split("/")]
        if wanted in by_name:
            return by_name[wanted]
        if len(parts) == 1:
            return parts[0]
        if boards == [""]:
            raise SourceError("the file has one board, without a name: leave out --board")
        more = f"; the boards are: {', '.join(name or '(unnamed)' for name in boards)}"
        raise SourceError(f"there is no board {board!r}{more}" if not parts else f"{board!r} is several boards{more}")
    if len(boards) == 1:
        return boards[0]
    for name in FAVOURED:
        if name in by_name:
            return by_name[name]
    raise SourceError(f"the file has several boards, choose one with --board: {', '.join(map(repr, boards))}")
