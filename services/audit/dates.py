"""Cells of snapshots that are no numbers: dates, names and intervals.

Dates have one order of day and month for the whole column, which is inferred from its days or given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from statistics import median

from services.audit.numbers import UNKNOWN, NumberFormat, read_number
from services.export.official import without_apostrophe
from services.sources import SourceError
from services.sources.spelling import seconds, text
from services.sources.times import epoch
from streams.contracts.names import LOST, normalised

ORDERS = ("dmy", "mdy", "ymd")

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_TIME = r"(?:[T, ]\s*(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:\.\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?(?:\s*\((?:UTC|GMT)\))?"
_REST = _TIME + _ZONE
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_WORD = r"(?P<word>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_SHAPES = tuple(
    re.compile(shape + _REST, re.IGNORECASE)
    for shape in (
        _WEEKDAY + _WORD + r"\s+" + _DAY + r",?\s+(?P<y>\d{4})",
        _WEEKDAY + _DAY + r"[\s.-]+" + _WORD + r",?[\s-]+(?P<y>\d{4})",
        r"(?P<y>\d{4})(?P<sep>[-/.]?)(?P<m>\d{2})(?P=sep)(?P<d>\d{2})",
        r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
    )
)
_NUMERIC = re.compile(r"(?P<one>\d{1,2})(?P<sep>[/.-])(?P<two>\d{1,2})(?P=sep)(?P<y>\d{4})" + _REST, re.IGNORECASE)

FRAGMENT, FAR_FRAGMENT, FAR = 0.05, 300 * 86_400.0, 730 * 86_400.0
"""Share of rows, and distances in seconds. Dates with at most `FRAGMENT` of the rows, each less than half a snapshot,
are mistyped if they are `FAR_FRAGMENT` away from all others. A whole snapshot must be `FAR` away (two years), because
it may be a real late capture of the board."""

KNOWN_DATES = 4
"""Number of other dates that a file must have before far ones count as mistyped."""

_LEAST = 978_307_200.0
"""2001-01-01: a smaller number is no time of a model arena, but a year, a row number or a day of a spreadsheet."""


def order_of(cells: Iterable[object]) -> str | None:
    """Whether the day or the month comes first in dates such as `01/06/2025`; None without such dates.

    Dates with dots have the day first unless one of them cannot; others need a day above 12 in some cell.

    Raises
    ------
    SourceError
        When the cells do not decide the order, or contradict each other.

    >>> order_of(["01/06/2025", "01/13/2025"]), order_of(["06.01.2025"]), order_of(["2025-01-06"])
    ('mdy', 'dmy', None)
    """
    written = {str(cell).strip(): match for cell in cells if (match := _NUMERIC.fullmatch(str(cell).strip()))}
    if not written:
        return None
    day_first = next((cell for cell, match in written.items() if int(match["one"]) > 12), None)
    month_first = next((cell for cell, match in written.items() if int(match["two"]) > 12), None)
    if day_first and month_first:
        raise SourceError(f"dates are written in two orders ({day_first!r}, {month_first!r}): give --date-format")
    if day_first or month_first:
        return "dmy" if day_first else "mdy"
    if all(match["sep"] == "." for match in written.values()):
        return "dmy"
    raise SourceError(
        f"{next(iter(written))!r}: no day of the file is above 12, so day and month cannot be told apart: give"
        " --date-format dmy or mdy"
    )


def far_dates(rows: Mapping[float, int]) -> set[float]:
    """Dates that are far from all others: probably a mistyped year, which would move the start or end of the file.

    The distance must also exceed the span of the other dates (twice the span, for whole snapshots).

    Parameters
    ----------
    rows
        Date to its number of rows.

    >>> day, week = 86_400.0, {1.7e9 + 7 * 86_400 * at: 30 for at in range(8)}
    >>> sorted(far_dates(week | {1.7e9 + 3_650 * day: 1, 1.7e9 - 2_000 * day: 30}))
    [1527200000.0, 2015360000.0]
    >>> far_dates(week | {1.7e9 + 400 * day: 30}), far_dates({1.7e9 + 700 * day * at: 30 for at in range(6)})
    (set(), set())
    """
    far: set[float] = set()
    while len(dates := sorted({*rows} - far)) > KNOWN_DATES:
        at = max(range(1, len(dates)), key=lambda at: dates[at] - dates[at - 1])
        gap = dates[at] - dates[at - 1]
        less, rest = sorted((dates[:at], dates[at:]), key=lambda side: sum(rows[date] for date in side))
        if len(rest) < KNOWN_DATES:
            break
        span, whole = rest[-1] - rest[0], median(rows[date] for date in rest)
        few = sum(rows[date] for date in less) <= FRAGMENT * sum(rows[date] for date in dates)
        if few and all(2 * rows[date] < whole for date in less):
            mistyped = gap > max(FAR_FRAGMENT, span)
        else:
            mistyped = len(less) == 1 and gap > max(FAR, 2 * span)
        if not mistyped:
            break
        far |= {*less}
    return far


def check_date_format(form: str) -> str:
    """Validate the user's date format: `dmy`, `mdy`, `ymd`, or a pattern of strptime.

    Raises
    ------
    SourceError
        When it is none of these.
    """
    if form.casefold() in ORDERS:
        return form.casefold()
    if "%" not in form:
        raise SourceError(f"date format {form!r}: use {', '.join(ORDERS)}, or a pattern such as %d/%m/%y")
    try:
        datetime.strptime(datetime(2025, 1, 6, tzinfo=UTC).strftime(form), form)
    except ValueError as error:
        raise SourceError(f"date format {form!r}: {error}") from None
    return form


def read_date(cell: object, form: str | None) -> float:
    """Epoch seconds of a date or time; a time without a zone is UTC.

    Parameters
    ----------
    cell
        The cell as the file has it.
    form
        Order of day and month, or a pattern of strptime; None when no cell of the file needs one.

    Raises
    ------
    ValueError
        When the cell is no date.

    >>> [read_date(cell, None) for cell in ("2024-06-19", "20240619", 20240619, "Jun 19, 2024", "19 June 2024")]
    [1718755200.0, 1718755200.0, 1718755200.0, 1718755200.0, 1718755200.0]
    >>> read_date("Wed, 19 Jun 2024 02:00:00 +0200", None), read_date("06/19/2024 12:00 AM", "mdy")
    (1718755200.0, 1718755200.0)
    """
    if isinstance(cell, str):
        moment = _pattern(cell.strip(), form) if form and "%" in form else _written(cell.strip(), form)
    elif isinstance(cell, (date, datetime)):
        moment = epoch(cell)
    elif isinstance(cell, (int, float)) and not isinstance(cell, bool):
        moment = _number(cell)
    else:
        moment = None
    # Years up to 9999: `datetime` has no later ones.
    if moment is None or not _LEAST <= moment < 253_402_300_800:
        raise ValueError("no date")
    return float(moment)


def _number(cell: float) -> float | None:
    if not math.isfinite(cell):
        return None
    if cell == int(cell) and 19_000_101 <= cell <= 99_991_231:
        return _written(str(int(cell)), None)
    moment = seconds(cell)
    return float(moment) if isinstance(moment, (int, float)) else None


def _pattern(cell: str, form: str) -> float | None:
    try:
        moment = datetime.strptime(cell, form)
    except ValueError:
        return None
    return epoch(moment)


def _written(cell: str, order: str | None) -> float | None:
    match = _NUMERIC.fullmatch(cell)
    if match is not None:
        if order not in ("dmy", "mdy"):
            return None
        day, month = (match["one"], match["two"]) if order == "dmy" else (match["two"], match["one"])
        return _moment(match, int(match["y"]), int(month), int(day))
    for shape in _SHAPES:
        match = shape.fullmatch(cell)
        if match is not None:
            named = match.groupdict()
            month_number = MONTHS.index(named["word"][:3].lower()) + 1 if named.get("word") else int(named["m"])
            return _moment(match, int(named["y"]), month_number, int(named["d"]))
    try:
        return _number(float(cell))
    except ValueError:
        moment = seconds(cell)
        return float(moment) if isinstance(moment, (int, float)) else None


def _moment(match: re.Match[str], year: int, month: int, day: int) -> float | None:
    hour, minute, second = (int(match[name] or 0) for name in ("h", "min", "s"))
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=_zone(match["zone"])).timestamp()
    except (ValueError, OverflowError):
        return None


def _zone(written: str | None) -> timezone:
    if written is None or written[0] not in "+-":
        return UTC
    length = timedelta(hours=int(written[1:3]), minutes=int(written[-2:]))
    return timezone(-length if written[0] == "-" else length)


_PART = r"\s*([^/±+\-−]+?)\s*"
_BOTH = re.compile(rf"(?:±|\+/-|\+/−){_PART}")
_UP_DOWN = re.compile(rf"\+{_PART}[/,; ]\s*[-−]{_PART}")
_DOWN_UP = re.compile(rf"[-−]{_PART}[/,; ]\s*\+{_PART}")


def word_of(value: object, *, of_spreadsheet: bool = False) -> str | None:
    """A name in its normal form; None when there is none. Otherwise another spelling would look like a model that left.

    A cell `of_spreadsheet` may have an apostrophe before text that looks like a formula, as `isonomy export` writes in
    CSV.

    >>> word_of(" x "), word_of("nan"), word_of("N/A"), word_of(7)
    ('x', None, None, '7')
    """
    word = text(value)
    if of_spreadsheet and isinstance(word, str):
        word = without_apostrophe(word)
    word = normalised(word) if isinstance(word, str) else None
    return None if not word or word.casefold() in LOST else word


def interval_of(value: object, form: NumberFormat) -> tuple[float, float] | None:
    """Distances to the lower and the upper end; None for a spelling of unknown.

    Raises
    ------
    ValueError
        When the cell is neither.

    >>> [interval_of(cell, NumberFormat()) for cell in ("+3/-4", "-4/+3", "±2.5", "-")]
    [(4.0, 3.0), (4.0, 3.0), (2.5, 2.5), None]
    """
    if value is None or (isinstance(value, float) and value != value):
        return None
    written = str(value).strip()
    if written.casefold().translate(str.maketrans("–—−", "---")) in UNKNOWN:
        return None
    if match := _BOTH.fullmatch(written):
        down = up = match[1]
    elif match := _UP_DOWN.fullmatch(written):
        up, down = match.groups()
    elif match := _DOWN_UP.fullmatch(written):
        down, up = match.groups()
    else:
        raise ValueError("no interval")
    ends = [read_number(each, form) for each in (down, up)]
    if ends[0] is None or ends[1] is None:
        raise ValueError("no interval")
    return ends[0].value, ends[1].value
