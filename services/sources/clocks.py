"""How the numbers of a time column encode times: seconds, `yyyymmdd` and longer, or days of a spreadsheet.

One number does not show it: 20240814 is a day, or a moment in August 1970. A whole column does: no votes are from 1970,
so a column in which every number is a date between 1990 and 2099 holds dates. A column with both dates and present-day
seconds is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from services.sources.base import SourceError
from services.sources.times import as_float

Writing = Literal["seconds", "digits", "days"]

MODERN = 1e8
"""From here on, seconds are later than 1973, so they are times of votes; smaller numbers are something else."""

_DIGITS = (8, 10, 12, 14)
"""Lengths of yyyymmdd, yyyymmddHH, yyyymmddHHMM, yyyymmddHHMMSS."""

_FIRST_DAY, _LAST_DAY = 36_526, 73_051
"""2000-01-01 and 2100-01-01 in days of a spreadsheet."""

_EPOCH_DAY = 25_569

_SCALES = ((1e17, "nanoseconds"), (1e14, "microseconds"), (1e11, "milliseconds"), (MODERN, "seconds"))


class TimeNumbers:
    """Counts the numbers of a column by their possible encodings."""

    def __init__(self) -> None:
        self._digits = self._days = self._others = 0
        self._rounded = False
        self._scales: dict[str, int] = {}
        self._example: dict[str, float] = {}

    def look(self, cells: Sequence[object]) -> None:
        """Count some cells; cells that are no numbers are ignored."""
        if (numbers := _plain(cells)) is None:
            numbers = [value for each in cells if (value := _number(each)) is not None]
        if not numbers:
            return
        first = cells[0]  # one cell is enough: a spreadsheet formats the whole column
        self._rounded = self._rounded or (isinstance(first, str) and "e+" in first.casefold())
        if min(numbers) >= MODERN and max(numbers) < 1.99e9:  # seconds before 2033, as nearly always
            self._scales["seconds"] = self._scales.get("seconds", 0) + len(numbers)
            return
        for value in numbers:
            if from_digits(value) is not None:
                self._digits += 1
                self._example.setdefault("digits", value)
            elif _FIRST_DAY <= value < _LAST_DAY:
                self._days += 1
            elif (scale := next((name for at, name in _SCALES if value >= at), None)) is not None:
                self._scales[scale] = self._scales.get(scale, 0) + 1
            else:
                self._others += 1

    def writing(self, column: str | None, notes: list[str]) -> Writing:
        """The encoding of the column; adds notes for the user to `notes`.

        Raises
        ------
        SourceError
            When the column holds both dates, or days of a spreadsheet, and seconds.
        """
        if self._rounded:
            notes.append(f"times of column {column!r} are written as powers of ten (1.72E+09) and are rounded by that")
        modern = sum(self._scales.values())
        if self._digits and (modern or 0 < self._others + self._days <= self._digits):
            raise SourceError(
                f"times of column {column!r} are written in two ways: {self._digits:,} numbers such as"
                f" {self._example['digits']:.0f} are dates (yyyymmdd), {modern + self._others + self._days:,} are none;"
                " write them in one way, or read the votes without times: --columns tstamp="
            )
        if self._digits and not self._others + self._days:
            notes.append(f"numbers of column {column!r} are read as dates, {self._example['digits']:.0f} as yyyymmdd…")
            return "digits"
        if self._days and modern:
            raise SourceError(
                f"times of column {column!r} are written in two ways: {self._days:,} numbers are as small as the days"
                f" of a spreadsheet, {modern:,} are seconds; write them in one way, or --columns tstamp="
            )
        if self._days and not self._others + self._digits:
            notes.append(f"numbers of column {column!r} are read as days of a spreadsheet (45,292 is 2024-01-01)")
            return "days"
        if len(self._scales) > 1:
            held = " and ".join(f"{rows:,} in {scale}" for scale, rows in sorted(self._scales.items()))
            notes.append(f"times of column {column!r} have several units, {held}: each is read by its size")
        return "seconds"


def writing_of(cells: Iterable[object]) -> Writing:
    """The likely encoding of a few numbers; a mixture counts as `digits`, so not as seconds."""
    clock = TimeNumbers()
    clock.look(list(cells))
    try:
        return clock.writing(None, [])
    except SourceError:
        return "digits"


def read(value: object, writing: Writing) -> object:
    """Epoch seconds of a number in this encoding; any other value is returned unchanged.

    >>> read("20240814", "digits"), read(20240814014640, "digits"), read(45518.5, "days"), read("soon", "days")
    (1723593600.0, 1723600000.0, 1723636800.0, 'soon')
    """
    number = _number(value)
    if number is None or writing == "seconds":
        return value
    if writing == "days":
        return (number - _EPOCH_DAY) * 86_400
    found = from_digits(number)
    return value if found is None else found


def from_digits(value: float) -> float | None:
    """Epoch seconds of a number yyyymmdd, also with hours, minutes and seconds; None when it is no such number.

    >>> from_digits(20240814), from_digits(20240230), from_digits(1723593600)
    (1723593600.0, None, None)
    """
    if value != value // 1 or not 19_900_101 <= value < 21e12:
        return None
    text = f"{value:.0f}"
    if len(text) not in _DIGITS or not 1990 <= int(text[:4]) <= 2099:
        return None
    parts = [int(text[:4]), *(int(text[at : at + 2]) for at in range(4, len(text), 2))]
    try:
        return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]  # three to six numbers
    except ValueError:
        return None


def _plain(cells: Sequence[object]) -> list[float] | None:
    """All numbers at once if all cells are present-day times, the common case; else None."""
    try:
        numbers = list(map(as_float, cells)) if bool not in {*map(type, cells)} else []
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if numbers and min(numbers) >= MODERN and sum(numbers) < 1e300 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e300 else None  # neither NaN nor infinite
