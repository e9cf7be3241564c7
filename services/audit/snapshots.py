"""Snapshots from a table: reads the rows of one board column by column, and accounts for every row.

The board is chosen first: if a file has many boards, only the rows of one are kept. Each distinct value of a column is
parsed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from services.audit.columns import BoardRows, board_rows, need_columns, places_of, unused
from services.audit.dates import check_date_format, far_dates, interval_of, order_of, read_date, word_of
from services.audit.numbers import Number, NumberFormat, format_named, read_number, sniff_format
from services.audit.table import Table
from services.sources import SourceError
from services.sources.table import Joined
from streams.audit.board.history import Row
from streams.audit.report.document import LeftOut, Reading

NUMBERS = ("votes", "score", "lower", "upper", "rank")

FALL, LEAST_TOTAL = 0.02, 100
"""A total of at least `LEAST_TOTAL` votes that falls by more than `FALL` of itself was not just corrected."""

FALLING, LEAST_COMPARED = 0.2, 5
"""If this part of the models falls on half of the dates, the column holds no totals; minimum dates and models."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The user's options for reading a file of snapshots.

    Attributes
    ----------
    columns
        Field to column, for columns with unknown names; None for none.
    board
        Name of the board, None for text or overall.
    number_format, date_format
        Conventions of the file, None to infer them from its cells.
    drop
        Leave out and report what cannot be read; otherwise it is an error.
    """

    columns: Mapping[str, str] | None = None
    board: str | None = None
    number_format: str | None = None
    date_format: str | None = None
    drop: bool = False


@dataclass(frozen=True, slots=True)
class BoardSnapshots:
    """Rows of one board.

    Attributes
    ----------
    rows
        The rows, at least one.
    board
        Name of the board, None when the file has only one and does not name it.
    reading
        Account of what was read, counted and left out.
    """

    rows: list[Row]
    board: str | None
    reading: Reading


def read_snapshots(table: Table, wanted: Wanted) -> BoardSnapshots:
    """Read one board of a table.

    Raises
    ------
    SourceError
        When a column or the board is missing, cells cannot be read and `drop` is not set, or too few rows are left.
    """
    taken = need_columns(table.columns, wanted.columns)
    named = ("model", "provider", "license", "board", "category")
    table.need(list(taken.values()), {field: taken[field] for field in named if field in taken})
    if isinstance(table, Joined):
        table.must_be_everywhere(
            [taken[field] for field in ("date", "model", "votes", "score", "rank") if field in taken]
        )
        for each in table.tables:
            if not each.count():
                raise SourceError(f"{each.described}: it has no rows; without it a day is missing")
    found = board_rows(table, taken, wanted.board)
    columns = {field: _column(found.cells[field]) for field in taken if field not in ("board", "category")}
    left_out: list[LeftOut] = []
    dates, date_form = _dates(columns["date"], wanted)
    words: dict[str, dict[object, str | None]] = {
        field: {cell: word_of(cell, of_spreadsheet=table.for_spreadsheets) for cell in {*columns[field]}}
        for field in ("model", "provider", "license")
        if field in columns
    }
    names = words["model"]
    far = _far(columns["date"], dates)
    if far and not wanted.drop:
        said = _placed(table, _unread("date", columns["date"], far, found))
        raise SourceError(_complaint(table, said, len(found.numbers), far="years away from all other dates"))
    dates |= dict.fromkeys(far)
    left_out += _unread("date", columns["date"], {cell for cell, date in dates.items() if date is None}, found)
    left_out += _unread("model", columns["model"], {cell for cell, name in names.items() if name is None}, found)
    form = _number_format(columns, wanted)
    numbers = {field: _numbers(columns[field], form, field == "votes") for field in NUMBERS if field in columns}
    ignored = []
    for field, (_, bad) in [*numbers.items()]:
        if bad and field == "votes":
            left_out += _unread(field, columns[field], bad, found)
        elif bad:
            # With half a column, the ranking would contain only the readable rows.
            ignored.append(f"{taken[field]} ({min(map(str, bad))!r:.40} is no number)")
            del numbers[field]
    intervals = _intervals(columns.get("interval", []), form)
    if intervals is None:
        ignored.append(f"{taken['interval']} (not all of its cells are intervals)")
    left_out = _placed(table, left_out)
    if left_out and not wanted.drop:
        raise SourceError(_complaint(table, left_out, len(found.numbers)))
    rows = _rows(columns, dates, words, {field: read for field, (read, _) in numbers.items()}, intervals or {})
    _check_left(table, left_out, rows, len(found.numbers))
    if "votes" in taken:
        _must_be_totals(table, rows, taken["votes"])
    totals = [number for number in numbers.get("votes", ({}, set()))[0].values() if number is not None]
    reading = Reading(
        read=found.read,
        other_boards=found.read - len(found.numbers),
        counted=len(rows),
        duplicates=len(rows) - len({(row.date, row.model) for row in rows}),
        left_out=left_out,
        columns=dict(taken),
        unused=unused(table.columns, taken),
        ignored=ignored,
        number_format=form.example,
        date_format=date_form or "year first or named month",
        precision=_precision(totals),
        without_total=sum(row.votes is None for row in rows),
    )
    return BoardSnapshots(rows, found.board or None, reading)


def _column(cells: list[object]) -> list[object]:
    """Hashable cells: a list or an object becomes its repr, which no field can read."""
    try:
        hash(tuple(cells))
    except TypeError:
        return [cell if isinstance(cell, (str, int, float)) or cell is None else repr(cell) for cell in cells]
    return cells


def _dates(cells: list[object], wanted: Wanted) -> tuple[dict[object, float | None], str | None]:
    distinct = {*cells}
    form = check_date_format(wanted.date_format) if wanted.date_format else order_of(distinct)
    read: dict[object, float | None] = {}
    for cell in distinct:
        try:
            read[cell] = read_date(cell, form)
        except ValueError:
            read[cell] = None
    return read, form


def _far(cells: list[object], dates: Mapping[object, float | None]) -> set[object]:
    """Cells whose year is probably mistyped."""
    rows: Counter[float] = Counter()
    for cell, count in Counter(cells).items():
        if (date := dates[cell]) is not None:
            rows[date] += count
    far = far_dates(rows)
    return {cell for cell, date in dates.items() if date in far}


def _number_format(columns: Mapping[str, list[object]], wanted: Wanted) -> NumberFormat:
    if wanted.number_format is not None:
        return format_named(wanted.number_format)
    return sniff_format({field: Counter(columns[field]) for field in NUMBERS if field in columns})


def _numbers(cells: list[object], form: NumberFormat, counts: bool) -> tuple[dict[object, Number | None], set[object]]:
    """Numbers of the distinct cells, and the cells that cannot be read; counts must be whole and not negative."""
    read: dict[object, Number | None] = {}
    bad: set[object] = set()
    for cell in {*cells}:
        try:
            number = read_number(cell, form)
        except ValueError:
            number = None
            bad.add(cell)
        if counts and number is not None and (number.value < 0 or number.value != round(number.value)):
            number = None
            bad.add(cell)
        read[cell] = number
    return read, bad


def _precision(totals: list[Number]) -> float:
    """The unit that totals are rounded to; for floors (`12,300+`) the smallest, since `12,000+` may be one of them."""
    floors = [number.floor for number in totals if number.floor]
    return max([number.step for number in totals] + [min(floors, default=0.0)], default=0.0)


def _intervals(cells: list[object], form: NumberFormat) -> dict[object, tuple[float, float] | None] | None:
    """Distances to both ends of the distinct cells; None when a cell is neither an interval nor unknown."""
    try:
        return {cell: interval_of(cell, form) for cell in {*cells}}
    except ValueError:
        return None


def _rows(
    columns: Mapping[str, list[object]],
    dates: Mapping[object, float | None],
    words: Mapping[str, Mapping[object, str | None]],
    numbers: Mapping[str, Mapping[object, Number | None]],
    intervals: Mapping[object, tuple[float, float] | None],
) -> list[Row]:
    count = len(columns["date"])
    nothing: Sequence[None] = [None] * count
    texts = {
        field: list(map(words[field].get, columns[field])) if field in columns else nothing
        for field in ("provider", "license")
    }
    values = {
        field: [None if (number := numbers[field][cell]) is None else number.value for cell in columns[field]]
        if field in numbers
        else nothing
        for field in NUMBERS
    }
    around = [intervals.get(cell) for cell in columns["interval"]] if intervals else nothing
    rows = []
    for at, (date, name) in enumerate(zip(columns["date"], columns["model"], strict=True)):
        when, model = dates[date], words["model"][name]
        if when is None or model is None:
            continue
        score, lower, upper, ends = values["score"][at], values["lower"][at], values["upper"][at], around[at]
        if score is not None and ends is not None and lower is None and upper is None:
            lower, upper = score - ends[0], score + ends[1]
        votes, rank = values["votes"][at], values["rank"][at]
        rows.append(Row(when, model, texts["provider"][at], texts["license"][at], votes, rank, score, lower, upper))
    return rows


def _unread(field: str, cells: list[object], bad: set[object], found: BoardRows) -> list[LeftOut]:
    """One entry per distinct unreadable cell, most frequent first; `first` is the number of its first row."""
    if not bad:
        return []
    counts = Counter(cell for cell in cells if cell in bad)
    first = {cell: at for at, cell in reversed([*enumerate(cells)]) if cell in bad}
    return [
        LeftOut(field, "" if cell is None else str(cell)[:80], count, str(found.numbers[first[cell]]))
        for cell, count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    ]


def _placed(table: Table, left_out: list[LeftOut]) -> list[LeftOut]:
    """Replace row numbers by the line or row in the file."""
    if not left_out:
        return []
    places = places_of(table, {int(each.first) for each in left_out})
    return [replace(each, first=places.get(int(each.first), f"row {each.first}")) for each in left_out]


def _complaint(table: Table, left_out: list[LeftOut], rows: int, *, far: str | None = None) -> str:
    parts = []
    for field in dict.fromkeys(each.field for each in left_out):
        mine = [each for each in left_out if each.field == field]
        count = sum(each.count for each in mine)
        shown = ", ".join(f"{each.value!r} ({each.count:,}, first at {each.first})" for each in mine[:8])
        more = f" and {len(mine) - 8:,} others" if len(mine) > 8 else ""
        what = far or {"date": "no date", "model": "no name", "votes": "not a whole number of votes"}[field]
        parts.append(f"{field}: {count:,} of {rows:,} cells are {what}: {shown}{more}")
    option = {"date": "--date-format", "votes": "--number-format"}.get(left_out[0].field) if far is None else None
    say = f"say how they are written with {option}, or go" if option else "go"
    return f"{table.name}: {'; '.join(parts)}. Correct them, {say} on without them with --drop-unreadable"


def _check_left(table: Table, left_out: list[LeftOut], rows: list[Row], of: int) -> None:
    """Refuse a file if most rows cannot be read, or if it cannot be snapshots."""
    unread = sum(each.count for each in left_out if each.field == "votes")
    if not rows or 2 * len(rows) < of or 2 * unread > of:
        worst = left_out[0]
        said = f" ({worst.first}: {worst.field} {worst.value!r})" if left_out else ""
        raise SourceError(f"{table.name}: most rows cannot be read{said}; nothing can be said from the rest")
    a_date = Counter(row.date for row in rows)
    alone = sum(count == 1 for count in a_date.values())
    if len({row.model for row in rows}) >= 5 and len(a_date) >= 5 and 2 * alone > len(a_date):
        raise SourceError(
            f"{table.name}: {alone:,} of {len(a_date):,} dates name a single model. These are not snapshots of a board:"
            " each date needs a row for every model"
        )


def _must_be_totals(table: Table, rows: list[Row], column: str) -> None:
    """Refuse votes per period, which go up and down; an audit needs totals, whose gains are the votes."""
    before: dict[str, float] = {}
    compared: Counter[float] = Counter()
    fallen: Counter[float] = Counter()
    totals: dict[tuple[float, str], float] = {}
    for row in rows:
        if row.votes is not None:
            totals[row.date, row.model] = max(row.votes, totals.get((row.date, row.model), 0.0))
    for (date, model), votes in sorted(totals.items()):
        known = before.get(model, 0.0)
        if known >= LEAST_TOTAL:
            compared[date] += 1
            fallen[date] += votes < (1 - FALL) * known
        before[model] = votes
    judged = [date for date, models in compared.items() if models >= LEAST_COMPARED]
    falling = [date for date in judged if fallen[date] >= FALLING * compared[date]]
    if len(judged) >= LEAST_COMPARED and 2 * len(falling) >= len(judged):
        raise SourceError(
            f"{table.name}: column {column!r} holds no totals: on {len(falling):,} of {len(judged):,} dates a fifth of"
            " the models or more have fewer votes than before. Are they votes of a day, or of the last days? An audit"
            " needs all votes up to each date: add them up, or leave them out with --columns votes="
        )
