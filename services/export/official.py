"""A board in the eleven columns of the public Arena leaderboard data set, as rows or CSV. Pure.

Programs that read published leaderboards know these columns. An unknown value is None, an empty cell: the rank of a
provisional model, a bound that the votes do not determine, an undeclared provider.

References
----------
.. [1] Hugging Face, `lmarena-ai/leaderboard-dataset` (CC BY 4.0): text columns are strings, the date too
   (`YYYY-MM-DD`), `rating`, its bounds and `variance` are 64-bit floats, `vote_count` and `rank` are integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from streams.contracts.view import Board, RatedModel

NORMAL_95 = 1.959963984540054
"""Half width of a 95 % interval in standard errors: Φ⁻¹(0.975)."""
LOPSIDED = 1e-6
"""An interval whose halves differ by more than this fraction of its width is asymmetric: it has no single variance."""


class OfficialRow(NamedTuple):
    """One row; the fields are the columns, in order."""

    model_name: str
    organization: str | None
    license: str | None
    rating: float | None
    rating_lower: float | None
    rating_upper: float | None
    variance: float | None
    vote_count: int | None
    rank: int | None
    category: str
    leaderboard_publish_date: str | None


def rows_of(board: Board, rating: str = "bt") -> list[OfficialRow]:
    """Return a board's rows; the category is the board's name, the date that of the newest vote it counts.

    For a rating other than Bradley-Terry (`davidson`, `elo`) the rows are sorted by it, highest first; bounds, variance
    and rank exist for Bradley-Terry only, so they are empty.
    """
    published = None if board.as_of is None else day_of(board.as_of)
    rows = [_row(line, board.board, published) for line in board.models]
    if rating == "bt":
        return rows
    other = [getattr(line, rating) for line in board.models]
    changed = [
        row._replace(rating=value, rating_lower=None, rating_upper=None, variance=None, rank=None)
        for row, value in zip(rows, other, strict=True)
    ]
    return sorted(changed, key=lambda row: (row.rating is None, -(row.rating or 0.0)))


def _row(line: RatedModel, category: str, published: str | None) -> OfficialRow:
    return OfficialRow(
        model_name=line.model,
        organization=line.provider,
        license=line.license,
        rating=line.rating,
        rating_lower=line.lower,
        rating_upper=line.upper,
        variance=None if line.provisional else variance_of(line.rating, line.lower, line.upper),
        vote_count=line.votes,
        rank=None if line.provisional else line.rank,
        category=category,
        leaderboard_publish_date=published,
    )


def variance_of(rating: float | None, lower: float | None, upper: float | None) -> float | None:
    """Return the variance of a rating, points², from its 95 % interval; None if an end is open or it is asymmetric.

    >>> round(variance_of(1000.0, 990.0, 1010.0), 3)
    26.032
    >>> variance_of(1000.0, None, 1010.0), variance_of(1000.0, 900.0, 1010.0)
    (None, None)
    """
    if rating is None or lower is None or upper is None:
        return None
    width = upper - lower
    if not width >= 0 or abs((upper - rating) - (rating - lower)) > LOPSIDED * max(width, 1.0):
        return None
    return (width / 2 / NORMAL_95) ** 2


def day_of(seconds: float) -> str | None:
    """Return the UTC day of epoch seconds; None outside the range of `datetime`.

    >>> day_of(1_767_225_600.0), day_of(1e18)
    ('2026-01-01', None)
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return None


def csv_of(rows: Iterable[OfficialRow], end: str = "\r\n") -> str:
    r"""Write rows as CSV (RFC 4180): every text quoted, numbers bare, None as an empty cell.

    A spreadsheet takes a cell that begins with = + - or @ for a formula, quoted or not, and strangers choose the names
    of models. Such a text is written with a leading apostrophe, and so is a text that begins with an apostrophe:
    `without_apostrophe` restores the name. JSON and Parquet have unchanged names. `end` ends a line.

    >>> row = OfficialRow("@cf/x", None, None, 1.5, None, None, None, 7, None, "overall", "2026-01-01")
    >>> csv_of([row]).splitlines()[1]
    '"\'@cf/x",,,1.5,,,,7,,"overall","2026-01-01"'
    """
    lines = [",".join(OfficialRow._fields), *(",".join(map(_cell, row)) for row in rows)]
    return end.join(lines) + end


_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
"""First characters of formulas, with the full-width forms of East Asian keyboards; the last is `csv_of`'s own mark."""


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    safe = f"'{value}" if _is_formula(value) else value
    return '"' + safe.replace('"', '""') + '"'


def _is_formula(value: str) -> bool:
    return value.lstrip().startswith(_FORMULAS) or value.startswith(_FORMULAS)


def without_apostrophe(cell: str) -> str:
    """Return the text that `csv_of` wrote as this cell: remove the apostrophe before a formula.

    >>> without_apostrophe("'@cf/x"), without_apostrophe("''tis"), without_apostrophe("'tis"), without_apostrophe("@x")
    ('@cf/x', "'tis", "'tis", '@x')
    """
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def columns_of(rows: Sequence[OfficialRow]) -> dict[str, list[str | float | None]]:
    """Return the rows by column, for Parquet writers."""
    return {name: [row[at] for row in rows] for at, name in enumerate(OfficialRow._fields)}
