"""A board in the eleven columns of the public Arena leaderboard data set, as rows and as CSV. Pure.

Every program that reads published leaderboards reads these columns. What is not known is None, an empty cell: the rank
of a provisional model, a bound that the votes do not give, a provider that nobody declared.

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
"""An interval whose two halves differ by more than this part of it is not of the kind that has one variance."""


class OfficialRow(NamedTuple):
    """One line; the names are those of the columns, in their order."""

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
    """Lay out a board; the category is its name, the date that of the newest vote that it counts.

    By another rating than Bradley-Terry (`davidson`, `elo`) the lines come in its order, highest first; bounds,
    variance and rank are of Bradley-Terry alone, so they are empty.
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
    """Variance of a rating, points², from its 95 % interval; None where one end is open or it is lopsided.

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
    """The day of epoch seconds, in UTC; None beyond what a calendar holds.

    >>> day_of(1_767_225_600.0), day_of(1e18)
    ('2026-01-01', None)
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return None


def csv_of(rows: Iterable[OfficialRow], end: str = "\r\n") -> str:
    r"""Write rows as CSV (RFC 4180): every text quoted, numbers bare, nothing where there is None.

    A spreadsheet takes a cell that begins with = + - or @ for a formula, quoted or not, and names of models are chosen
    by strangers. Such a text gets an apostrophe before it, and so does one that begins with an apostrophe: whoever
    takes one leading apostrophe away has the name again. JSON and Parquet have names as they are. `end` ends a line.

    >>> row = OfficialRow("@cf/x", None, None, 1.5, None, None, None, 7, None, "overall", "2026-01-01")
    >>> csv_of([row]).splitlines()[1]
    '"\'@cf/x",,,1.5,,,,7,,"overall","2026-01-01"'
    """
    lines = [",".join(OfficialRow._fields), *(",".join(map(_cell, row)) for row in rows)]
    return end.join(lines) + end


_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
"""How what a spreadsheet computes begins, the wide forms of East Asian keyboards included; the last one is our own."""


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
    """The text that `csv_of` wrote as this cell: without the apostrophe before what a spreadsheet would compute.

    >>> without_apostrophe("'@cf/x"), without_apostrophe("''tis"), without_apostrophe("'tis"), without_apostrophe("@x")
    ('@cf/x', "'tis", "'tis", '@x')
    """
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def columns_of(rows: Sequence[OfficialRow]) -> dict[str, list[str | float | None]]:
    """The same rows by column, for writers of Parquet."""
    return {name: [row[at] for row in rows] for at, name in enumerate(OfficialRow._fields)}
