"""Spellings of files: how a cell becomes what the contract expects.

Nothing is judged here. A value that is none of the documented spellings goes on as it is, for the contract to refuse.
None means absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec

WINNERS = {
    **dict.fromkeys(("model_a", "a", "left", "model_1", "model_left", "model_x"), "model_a"),
    **dict.fromkeys(("model_b", "b", "right", "model_2", "model_right", "model_y"), "model_b"),
    "tie": "tie",
    **dict.fromkeys(("both_bad", "bothbad", "both bad", "tie (bothbad)", "tie (both bad)"), "both_bad"),
    "none": "none",
}
"""Spelling of `winner` in files, in lower case, to the word of the contract."""

_SCALES = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))
"""From this magnitude on, a time is in nanoseconds, microseconds, milliseconds: seconds reach 1e11 in the year 5138."""


def text(value: Any) -> Any:
    """A string; whole numbers become their digits (numbered models, workers), empty and NaN are absent.

    >>> text(97), text(58.0), text(""), text("nan")
    ('97', '58', None, 'nan')
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def winner(value: Any) -> Any:
    """The contract's word for a documented spelling.

    >>> winner("Left"), winner("tie (bothbad)"), winner("neither")
    ('model_a', 'both_bad', 'neither')
    """
    value = text(value)
    return WINNERS.get(value.strip().casefold(), value) if isinstance(value, str) else value


def seconds(value: Any) -> Any:
    """Epoch seconds of a number (seconds, ms, µs or ns by its magnitude) or an ISO 8601 time; without a zone it is UTC.

    >>> seconds("2024-08-14T00:00:00Z"), seconds(1723593600000), seconds("1723593600.5"), seconds("soon")
    (1723593600.0, 1723593600.0, 1723593600.5, 'soon')
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        value = value.strip()
        try:
            value = float(value)
        except ValueError:
            return _iso(value) if value else None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    if isinstance(value, int) and value >= 2**63:
        return math.inf  # a float might not hold it; no time either way
    if isinstance(value, (int, float)):
        return None if math.isnan(value) else next((value * scale for at, scale in _SCALES if value >= at), value)
    return value


def _iso(value: str) -> Any:
    try:
        return seconds(datetime.fromisoformat(value))
    except ValueError:
        return value


def number(value: Any) -> Any:
    """A number, also written as text; empty and NaN are absent."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value or None
    return None if isinstance(value, float) and math.isnan(value) else value


def count(value: Any) -> Any:
    """A whole number, also written as text or as a float."""
    value = number(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def categories(value: Any) -> Any:
    """A list; text is a JSON array, or names with `|` between them.

    >>> categories('["math", "code"]'), categories("math|code"), categories("")
    (['math', 'code'], ['math', 'code'], None)
    """
    if isinstance(value, str):
        return json(value) if value.lstrip().startswith("[") else [part for part in value.split("|") if part] or None
    return None if isinstance(value, float) and math.isnan(value) else value


def json(value: Any) -> Any:
    """What a text says in JSON; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value) if value else None
    except (msgspec.DecodeError, RecursionError):
        return value


def one_hot(a: Iterable[Any], b: Iterable[Any], tie: Iterable[Any]) -> list[Any]:
    """The winner of three columns of 0 and 1; None unless exactly one of them is 1.

    >>> one_hot(["1", 0, 1], ["0", 0, 1], ["0", 1.0, 0])
    ['model_a', 'tie', None]
    """
    said = []
    for cells in zip(a, b, tie, strict=True):
        ones = [word for word, cell in zip(("model_a", "model_b", "tie"), cells, strict=True) if count(cell) == 1]
        said.append(ones[0] if len(ones) == 1 else None)
    return said


def _each(read: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda cells: list(map(read, cells))


def _texts(cells: Sequence[Any]) -> list[Any]:
    return [cell if type(cell) is str and cell else text(cell) for cell in cells]


def _winners(cells: Sequence[Any]) -> list[Any]:
    try:
        words = {cell: winner(cell) for cell in {*cells}}
    except TypeError:  # a list or an object among them
        return list(map(winner, cells))
    return [words[cell] for cell in cells]


def _times(cells: Sequence[Any]) -> list[Any]:
    """All seconds at once when they are plain seconds, which they mostly are."""
    try:
        plain = list(map(float, cells)) if bool not in {*map(type, cells)} else []
    except (TypeError, ValueError, OverflowError):
        plain = []
    if plain and not math.isnan(sum(plain)) and max(plain) < _SCALES[-1][0]:
        return plain
    return list(map(seconds, cells))


READERS: dict[str, Callable[[Sequence[Any]], list[Any]]] = {
    **dict.fromkeys(("id", "model_a", "model_b", "arena", "voter", "language", "prompt_hash"), _texts),
    "winner": _winners,
    "tstamp": _times,
    "p_pair": _each(number),
    "categories": _each(categories),
    "style": _each(json),
}
"""Field to the function that reads the cells of its column."""
