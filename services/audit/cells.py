"""Cells of snapshots: dates, totals and intervals, as boards write them."""

from __future__ import annotations

import math
import re
from typing import Any

from services.sources.spelling import seconds, text

_COMPACT = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})")
_INTERVAL = re.compile(r"\+?\s*(\d+(?:\.\d+)?)\s*/\s*[-−]\s*(\d+(?:\.\d+)?)|±\s*(\d+(?:\.\d+)?)")


def date_of(value: Any) -> float | None:
    """Epoch seconds of a date, None when it is none.

    >>> date_of("2024-06-19"), date_of("20240619"), date_of(20240619), date_of("2024/06/19"), date_of("soon")
    (1718755200.0, 1718755200.0, 1718755200.0, 1718755200.0, None)
    """
    written = value.strip() if isinstance(value, str) else text(value) if isinstance(value, (int, float)) else None
    if isinstance(written, str) and (match := _COMPACT.fullmatch(written)):
        value = "-".join(match.groups())
    moment = seconds(value)
    if isinstance(moment, bool) or not isinstance(moment, (int, float)) or not math.isfinite(moment):
        return None
    # Years 1970 to 9999: further ones cannot be written as dates.
    return float(moment) if 0 <= moment < 253_402_300_800 else None


def number_of(value: Any) -> float | None:
    """A number, with separators of thousands or not; None when it is none.

    >>> number_of("42,046"), number_of("42046.0"), number_of(" 1_000 "), number_of("-"), number_of(None)
    (42046.0, 42046.0, 1000.0, None, None)
    """
    if isinstance(value, str):
        value = value.strip().replace(",", "").replace("_", "").replace("\u202f", "").replace(" ", "")
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def word_of(value: Any) -> str | None:
    """A text without blanks around it; None when there is none.

    >>> word_of(" x "), word_of("nan"), word_of(7)
    ('x', None, '7')
    """
    word = text(value)
    word = word.strip() if isinstance(word, str) else None
    return None if not word or word.casefold() in ("nan", "null") else word


def interval_of(value: Any) -> tuple[float, float] | None:
    """Distances to the lower and the upper end.

    >>> interval_of("+3/-4"), interval_of("±2.5"), interval_of("3")
    ((4.0, 3.0), (2.5, 2.5), None)
    """
    match = _INTERVAL.search(value) if isinstance(value, str) else None
    if match is None:
        return None
    up, down, both = match.groups()
    return (float(both), float(both)) if both else (float(down), float(up))
