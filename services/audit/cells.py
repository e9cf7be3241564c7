"""Cells of snapshots that are neither numbers nor dates: names and intervals."""

from __future__ import annotations

import re
from typing import Any

from services.audit.numbers import UNKNOWN, NumberFormat, read_number
from services.export.official import without_apostrophe
from services.sources.spelling import text
from streams.contracts.names import LOST, normalised

_PART = r"\s*([^/±+\-−]+?)\s*"
_BOTH = re.compile(rf"(?:±|\+/-|\+/−){_PART}")
_UP_DOWN = re.compile(rf"\+{_PART}[/,; ]\s*[-−]{_PART}")
_DOWN_UP = re.compile(rf"[-−]{_PART}[/,; ]\s*\+{_PART}")


def word_of(value: Any, *, of_spreadsheet: bool = False) -> str | None:
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


def interval_of(value: Any, form: NumberFormat) -> tuple[float, float] | None:
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
