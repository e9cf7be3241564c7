"""Snapshots from a table: its rows, of one board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.audit.cells import date_of, interval_of, number_of, word_of
from services.audit.columns import need_columns
from services.audit.table import Table
from services.sources import SourceError
from streams.audit.history import Row

FAVOURED = ("text", "overall", "text/overall", "full", "text/full")
"""Boards that are taken when none is named, the first one found."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Rows of one board.

    Attributes
    ----------
    rows
        At least one.
    board
        Name of the board, None when the file has one only and does not name it.
    refused
        Places and reasons of rows that name no model or no date.
    """

    rows: list[Row]
    board: str | None
    refused: list[tuple[str, str]]


def read_snapshots(table: Table, chosen: Mapping[str, str] | None, board: str | None) -> Snapshots:
    """Read one board of a table.

    Raises
    ------
    SourceError
        When a column is missing, there is no such board, or no row can be used.
    """
    taken = need_columns(table.columns, chosen)
    places = {field: table.columns.index(column) for field, column in taken.items()}
    boards: dict[str, list[Row]] = {}
    refused: list[tuple[str, str]] = []
    for place, cells in table.rows:
        row = _row(cells, places)
        if isinstance(row, str):
            refused.append((place, row))
            continue
        parts = [word_of(cells[places[field]]) or "" for field in ("board", "category") if field in places]
        boards.setdefault("/".join(each for each in parts if each), []).append(row)
    if not boards:
        why = f" ({refused[0][0]}: {refused[0][1]})" if refused else ""
        raise SourceError(f"{table.name}: there is no row that can be used{why}")
    chosen_board = _choose(sorted(boards), board)
    return Snapshots(boards[chosen_board], chosen_board or None, refused)


def _row(cells: Sequence[Any], places: Mapping[str, int]) -> Row | str:
    """The row, or why there is none."""

    def cell(field: str) -> Any:
        return cells[places[field]] if field in places else None

    date, model = date_of(cell("date")), word_of(cell("model"))
    if date is None:
        return f"{cell('date')!r:.40} is no date"
    if model is None:
        return "it names no model"
    score, lower, upper = (number_of(cell(field)) for field in ("score", "lower", "upper"))
    ends = interval_of(cell("interval"))
    if score is not None and ends is not None and lower is None and upper is None:
        lower, upper = score - ends[0], score + ends[1]
    return Row(
        date=date,
        model=model,
        provider=word_of(cell("provider")),
        license=word_of(cell("license")),
        votes=number_of(cell("votes")),
        rank=number_of(cell("rank")),
        score=score,
        lower=lower,
        upper=upper,
    )


def _choose(boards: list[str], board: str | None) -> str:
    by_name = {name.casefold(): name for name in boards}
    if board is not None:
        wanted = board.strip().casefold()
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
