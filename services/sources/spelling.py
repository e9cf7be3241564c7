"""Spellings in files: converts a cell to the type that the contract expects.

Nothing is validated here. A value in no documented spelling is returned unchanged, and the contract refuses it later.
None means absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from services.sources.times import seconds as seconds  # re-exported: a spelling too


def text(value: object) -> object:
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


def number(value: object) -> object:
    """A number, also written as text; empty and NaN are absent."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value or None
    return None if isinstance(value, float) and math.isnan(value) else value


def count(value: object) -> object:
    """A whole number, also written as text or as a float."""
    value = number(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def categories(value: object) -> object:
    """A list; text is a JSON array, or names with `|` between them.

    >>> categories('["math", "code"]'), categories("math|code"), categories("")
    (['math', 'code'], ['math', 'code'], None)
    """
    if isinstance(value, str):
        return json(value) if value.lstrip().startswith("[") else [part for part in value.split("|") if part] or None
    return None if isinstance(value, float) and math.isnan(value) else value


def json(value: object) -> object:
    """Decode a JSON text; any other value is returned unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value) if value else None
    except (msgspec.DecodeError, RecursionError):
        return value


def _each(read: Callable[[object], object]) -> Callable[[Sequence[object]], list[object]]:
    return lambda cells: list(map(read, cells))


def _texts(cells: Sequence[object]) -> list[object]:
    return [cell if type(cell) is str and cell else text(cell) for cell in cells]


READERS: dict[str, Callable[[Sequence[object]], list[object]]] = {
    **dict.fromkeys(("id", "arena", "voter", "language", "prompt_hash", "battle"), _texts),
    "p_pair": _each(number),
    "categories": _each(categories),
    "style": _each(json),
}
"""Field to the function that reads the cells of its column."""
