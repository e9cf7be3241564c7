"""Values of cells: paths into objects, flags, whole numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from services.sources import spelling
from services.sources.base import Cells
from services.sources.fields import Place

_THOUSANDS = re.compile(r"\d{1,3}(\.\d{3})+")
TRUE = ("true", "1", "yes", "t", "y")
FALSE = ("false", "0", "no", "f", "n")


def values(place: Place, cells: Cells) -> Sequence[object]:
    """The value of each row; None where there is none."""
    if len(place) == 1 and not place[0][1]:
        return cells[place[0][0]]
    columns = [(cells[key], way) for key, way in place]
    return [
        next(
            (found for cell, (_, way) in zip(row, columns, strict=True) if (found := follow(cell, way)) is not None),
            None,
        )
        for row in zip(*(column for column, _ in columns), strict=True)
    ]


def follow(cell: object, way: Sequence[str]) -> object:
    """The value at the end of a path into an object; None when the path does not exist. A key may contain dots.

    >>> follow({"if_v0.1": {"if": True}}, ["if_v0", "1", "if"]), follow('[{"name": "x"}]', ["0", "name"])
    (True, 'x')
    """
    at = 0
    while at < len(way):
        cell = unfolded(cell)
        if isinstance(cell, Mapping):
            cut = next((to for to in range(len(way), at, -1) if ".".join(way[at:to]) in cell), None)
            if cut is None:
                return None
            cell, at = cell[".".join(way[at:cut])], cut
        elif isinstance(cell, Sequence) and not isinstance(cell, str | bytes) and way[at].isdigit():
            if int(way[at]) >= len(cell):
                return None
            cell, at = cell[int(way[at])], at + 1
        else:
            return None
    return cell


def unfolded(cell: object) -> object:
    """Parse an object or a list that a table holds as text, in JSON or Python syntax; other cells stay unchanged."""
    if not isinstance(cell, str) or cell.lstrip()[:1] not in ("{", "["):
        return cell
    found = spelling.json(cell)
    if isinstance(found, str):
        try:
            return ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return cell
    return found


def flag(value: object) -> bool | None:
    """The truth value of a cell; None when it is neither yes nor no.

    >>> flag("True"), flag(0.0), flag(""), flag("maybe")
    (True, False, None, None)
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return True if value == 1 else False if value == 0 else None
    said = value.strip().casefold() if isinstance(value, str) else ""
    said = said.removesuffix(".0")
    return True if said in TRUE else False if said in FALSE else None


def total(value: object) -> object:
    """A count, or the sum of the counts in an object or a list (such as headers by level).

    >>> total({"h1": 1, "h2": 2}), total("3"), total(None)
    (3, 3, None)
    """
    value = unfolded(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        counts = [spelling.count(each) for each in value if each is not None]
        whole_counts = [each for each in counts if isinstance(each, int)]
        return sum(whole_counts) if len(whole_counts) == len(counts) else value
    return spelling.count(value)


def whole(value: object) -> int | None:
    """A whole number >= 0; None when the value is none, or is ambiguous: 1.000 is one or a thousand.

    >>> whole("12"), whole("3.0"), whole("1.000"), whole("1,234"), whole(-1)
    (12, 3, None, None, None)
    """
    if isinstance(value, str) and _THOUSANDS.fullmatch(value.strip()):
        return None
    found = spelling.count(value)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def styles(columns: Cells) -> list[dict[str, object] | None]:
    """Style fields of each row's answers, from the columns that have them; None for a row without any."""
    read = [list(map(total, cells)) for cells in columns.values()]
    return [
        {name: each for name, each in zip(columns, row, strict=True) if each is not None} or None
        for row in zip(*read, strict=True)
    ]


def boards(declared: Mapping[str, tuple[Place, int | None]], cells: Cells, count: int) -> list[list[str] | None]:
    """Categories of each row, by its flags."""
    found: list[list[str]] = [[] for _ in range(count)]
    for board, (place, least) in declared.items():
        for names, value in zip(found, values(place, cells), strict=True):
            flags = unfolded(value) if least is not None else None
            held = sum(map(bool, map(flag, flags.values()))) if isinstance(flags, Mapping) else 0
            if flag(value) if least is None else held >= least:
                names.append(board)
    return [names or None for names in found]
