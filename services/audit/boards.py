"""Chooses the board of a file by the columns that name boards, and reads only its rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any

from services.audit.cells import word_of
from services.audit.table import Table
from services.sources import SourceError
from services.sources.table import TableBlock
from streams.contracts.names import normalised

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
    cells: dict[str, list[Any]]
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
    cells: dict[str, list[Any]] = {field: [] for field in fields}
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
        more = f"; there are {', '.join(name or '(unnamed)' for name in boards)}"
        raise SourceError(f"there is no board {board!r}{more}" if not parts else f"{board!r} is several boards{more}")
    if len(boards) == 1:
        return boards[0]
    for name in FAVOURED:
        if name in by_name:
            return by_name[name]
    raise SourceError(f"the file has several boards, choose one with --board: {', '.join(map(repr, boards))}")
