"""Converts times in files to epoch seconds.

Accepted are numbers (seconds, milliseconds, microseconds or nanoseconds, by magnitude), ISO 8601 also with `UTC` or
`GMT` at the end (`2024-08-14 01:46:40 UTC`), RFC 2822, `Mar 18, 2026` and `18 Mar 2026`, and numeric dates with
slashes, dots or hyphens, year last. Whether the month or the day comes first in numeric dates is decided for the whole
column: by one number above 12; without such a number they are not read. A time without a zone is UTC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from email.utils import parsedate_to_datetime
from typing import Any, Literal

Order = Literal["month", "day"]

as_float: Callable[[Any], float] = float
"""A cell as a number. It may be anything: `TypeError` and `ValueError` say that a column is not plain."""

_SCALES = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))
"""Smallest value in nano-, micro- and milliseconds, and its scale: seconds reach 1e11 in the year 5138."""

_numeric_date = re.compile(
    r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})"
    r"(?:,?[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?\s*([ap]m)?)?\s*(UTC|GMT|Z)?\Z",
    re.IGNORECASE,
)
_year_first = re.compile(r"\A(\d{4})([/.])(\d{2})\2(\d{2})(?!\d)")
_zone_name = re.compile(r"\s*(?:UTC|GMT)\Z", re.IGNORECASE)
_offset = re.compile(r"\s+([+-]\d{2}:?\d{2})\Z")
_named = re.compile(
    r"(?:(?P<month>[a-z]{3,9})\.?\s+(?P<day>\d{1,2}),?|(?P<day_first>\d{1,2})\s+(?P<month_second>[a-z]{3,9})\.?)"
    r"\s+(?P<year>\d{4})"
    r"(?:,?\s+(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?(?:\s+(?P<half>[ap]m))?)?\Z",
    re.IGNORECASE,
)
"""`strptime` would need 54 formats, a millisecond per cell, and would read months in the machine's locale."""
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_month_numbers = {name[:length]: at for at, name in enumerate(_MONTHS, 1) for length in (3, len(name))} | {"sept": 9}


def seconds(value: object, order: Order | None = None) -> object:
    """Epoch seconds; a value that is no time is returned unchanged, an empty one and NaN as None.

    >>> seconds("2024-08-14T00:00:00Z"), seconds(1723593600000), seconds("1723593600.5"), seconds("soon")
    (1723593600.0, 1723593600.0, 1723593600.5, 'soon')
    >>> seconds("2024-08-14 00:00:00 UTC"), seconds("Wed, 14 Aug 2024 00:00:00 +0000"), seconds("Aug 14, 2024")
    (1723593600.0, 1723593600.0, 1723593600.0)
    >>> seconds("2024/08/14 00:00:00"), seconds("2024.08.14")
    (1723593600.0, 1723593600.0)
    >>> seconds("08/14/2024 00:00", "month"), seconds("08/14/2024 00:00")
    (1723593600.0, '08/14/2024 00:00')
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text)
        except ValueError:
            found = _written(text, order)
            return epoch(found) if found is not None else text or None
    if isinstance(value, (datetime, date)):
        return epoch(value)
    if isinstance(value, int) and value >= 2**63:
        return math.inf  # may overflow a float, and is no time anyway
    if isinstance(value, (int, float)):
        return None if math.isnan(value) else next((value * scale for at, scale in _SCALES if value >= at), value)
    return value


def column(cells: Sequence[object], order: Order | None = None) -> Sequence[object]:
    """Epoch seconds of a column; converts all cells at once if they are plain seconds, the common case."""
    try:
        plain = list(map(as_float, cells)) if bool not in {*map(type, cells)} else []
    except (TypeError, ValueError, OverflowError):
        plain = []
    if plain and not math.isnan(sum(plain)) and max(plain) < _SCALES[-1][0]:
        return plain
    return [seconds(cell, order) for cell in cells]


def moments(value: object) -> set[float]:
    """Every moment that a time may mean, with the month or the day first; empty when it is no time."""
    read = (seconds(value, order) for order in ("month", "day", None))
    return {each for each in read if isinstance(each, int | float) and math.isfinite(each)}


def numeric_dates(cells: Iterable[object]) -> set[tuple[int, int]]:
    """The first two numbers of dates such as 08/14/2024, for `order_of`."""
    found = (_numeric_date.match(cell.strip()) for cell in cells if isinstance(cell, str))
    return {(int(match[1]), int(match[3])) for match in found if match}


def order_of(pairs: Iterable[tuple[int, int]]) -> Order | None:
    """Whether the month or the day comes first; None when no date shows it, or dates contradict each other.

    >>> order_of({(8, 14), (1, 2)}), order_of({(14, 8)}), order_of({(1, 2)}), order_of({(14, 8), (8, 14)})
    ('month', 'day', None, None)
    """
    first = second = False
    for a, b in pairs:
        first, second = first or a > 12, second or b > 12
    return None if first == second else "day" if first else "month"


def epoch(value: date) -> float:
    """Epoch seconds of a date (its midnight) or a time; without a zone it is UTC, and infinite beyond all clocks."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except OverflowError:
        return math.inf


def _written(text: str, order: Order | None) -> date | None:
    text = _year_first.sub(r"\1-\3-\4", text)
    zoned = _zone_name.sub("+00:00", text)
    for each in (text, zoned, _offset.sub(r"\1", text)):
        try:
            return datetime.fromisoformat(each)
        except ValueError:
            continue
    if (match := _numeric_date.match(text)) is not None:
        return _of_numbers(match, order)
    if not any(letter.isalpha() for letter in text):
        return None
    if (match := _named.match(_zone_name.sub("", text))) is not None:
        found = _of_names(match)
        return found.replace(tzinfo=UTC) if found is not None and _zone_name.search(text) else found
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None


def _of_names(match: re.Match[str]) -> datetime | None:
    month = _month_numbers.get((match["month"] or match["month_second"]).casefold())
    day, hour = int(match["day"] or match["day_first"]), int(match["hour"] or 0)
    if month is None:
        return None
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"].casefold() == "pm" else 0)
    try:
        return datetime(int(match["year"]), month, day, hour, int(match["minute"] or 0), int(match["second"] or 0))
    except ValueError:
        return None


def _of_numbers(match: re.Match[str], order: Order | None) -> datetime | None:
    if order is None:
        return None
    month, day = (match[1], match[3]) if order == "month" else (match[3], match[1])
    hour = int(match[5] or 0)
    if match[9]:
        hour = hour % 12 + (12 if match[9].casefold() == "pm" else 0)
    try:
        found = datetime(int(match[4]), int(month), int(day), hour, int(match[6] or 0), int(match[7] or 0))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if match[10] else found
