"""Whether rows are single votes: a table of counts looks like votes if its column of counts is not recognised.

`SELECT model_a, model_b, winner, count(*) … GROUP BY` returns one row for each combination, and its count is called
`n`, `f0_`, `size` or `0`. Rated row by row, all models would come out equal. Two signs show such a table: the name of
the column, and that no combination of models and outcome occurs twice although single votes would repeat some.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.sources import cells as cell
from services.sources.base import SourceError
from services.sources.outcomes import Said
from services.sources.table import Table

NAMES = frozenset(
    (
        *("n", "cnt", "freq", "frequency", "size", "f0_", "count(*)", "count(1)", "count_star()"),
        *("votes", "battles", "games", "n_battles", "num_battles", "n_games", "num_games"),
        *("total_votes", "occurrences"),
    )
)
"""Names that databases, data frames and people give to a number of votes, besides those that layouts know."""

SURE = math.log(100.0)
"""If single votes would repeat this often and no row does, rows are combinations: 1 % by chance (e^-SURE)."""

_THOUSANDS = re.compile(r"\d{1,3}(?:[.,'\u00a0\u202f ]\d{3})+")
_NO_DIGITS = re.compile(r"\D+")
LARGEST = 50_000_000
"""Numbers with a larger sum are no votes but times or hashes."""


@dataclass(slots=True)
class _Numbers:
    """Statistics of a column so far."""

    least: int = LARGEST
    most: int = 0
    total: int = 0
    last: int | None = None
    numbering: bool = True
    whole: bool = True

    def look(self, values: Sequence[Any]) -> None:
        for value in values:
            marked = isinstance(value, str) and _THOUSANDS.fullmatch(value.strip())
            number = int(_NO_DIGITS.sub("", value)) if marked else cell.whole(value)
            if number is None:
                self.whole = False
                return
            self.numbering &= self.last is None or number == self.last + 1
            self.last = number
            self.least, self.most = min(self.least, number), max(self.most, number)
            self.total += number

    @property
    def may_count(self) -> bool:
        """Whether these may be numbers of votes: whole, not all the same, not 0 and 1 only, and not row numbers."""
        return self.whole and self.most > max(1, self.least) and not self.numbering and self.total <= LARGEST


def must_be_single_votes(table: Table, said: Counter[Said], unused: Sequence[str]) -> None:
    """Refuse a table with an unused column that may hold the number of votes of each row.

    Parameters
    ----------
    table
        The table, each row of which would be one vote.
    said
        Number of rows of each pair of models and outcome.
    unused
        Names of the unused columns.

    Raises
    ------
    SourceError
        When there is such a column; the message names the first one.
    """
    combinations = _each_stands_once(said)
    suspects = {name: _Numbers() for name in unused if combinations or _counts_by_name(name)}
    if not suspects:
        return
    for block in table.blocks([*suspects]):
        for name, numbers in suspects.items():
            if numbers.whole:
                numbers.look(block.cells[name])
        if not any(numbers.whole for numbers in suspects.values()):
            return
    for name, numbers in suspects.items():
        if numbers.may_count:
            why = "no combination of models and outcome comes twice" if combinations else "it is called like a count"
            raise SourceError(
                f"column {name!r} holds whole numbers from {numbers.least:,} to {numbers.most:,}, and {why}: a row may"
                f" stand for many votes. --columns 'count={name}' counts them; --columns count= counts every row once"
            )


def _counts_by_name(column: str) -> bool:
    name = column.strip().casefold()
    return name in NAMES or name.startswith("count of ")


def _each_stands_once(said: Counter[Said]) -> bool:
    """Whether no combination occurs twice although, by the birthday paradox, single votes would repeat some."""
    rows = said.total()
    if not rows or rows > len(said):
        return False
    pairs = {frozenset((a, b)) for a, _, b in said}
    outcomes = {"a" if outcome == a else "b" if outcome == b else outcome for a, outcome, b in said}
    return rows * (rows - 1) / 2 >= SURE * 2 * len(pairs) * len(outcomes)
