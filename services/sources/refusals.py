"""What is refused although its columns fit votes: files that hold something else, and impossible rows.

Files, seen by all rows together:

- **Answers.** A preference data set with `chosen` and `rejected` may hold names of models or texts of answers. If texts
  were rated, they would be thousands of models with one vote each. Names of models are short and repeat, answers are
  long or occur once.
- **Counts that are not recognised.** `SELECT model_a, model_b, winner, count(*) … GROUP BY` returns one row for each
  combination, and its count is called `n`, `f0_`, `size` or `0`. Rated row by row, all models would come out equal. Two
  signs show such a table: the name of the column, and that no combination of models and outcome occurs twice although
  single votes would repeat some.

Rows, before the contract is checked:

- **Counts.** The number of votes that a row represents must be a whole number.
- **Outcomes.** A row with a winner's name and a flag for a tie, or with two flags, contradicts itself. The reader
  chooses neither.
- **Names** such as `nan` and `undefined` are written by software that lost a name. They would merge the votes of many
  models into one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.sources import cells as cell
from services.sources.base import SourceError
from services.sources.outcomes import CONTRARY, Said
from services.sources.table import Table
from streams.contracts.names import is_lost
from streams.contracts.reasons import Reason
from streams.contracts.vote import InvalidRecord, lost_name

MOST_OF_A_ROW = 1_000_000
"""Maximum number of votes of one row."""

MOST = 5_000_000
"""Maximum number of votes of all rows of a file: each vote becomes an object of some 500 bytes."""

Bad = tuple[str, InvalidRecord, str]
"""The field that is wrong, the reason, and the value."""


def no_votes(said: Sequence[Said], meanings: Sequence[str | None]) -> dict[int, Bad]:
    """Rows, by position, whose names were lost or whose outcome contradicts itself."""
    names: set[object] = {each[0] for each in said} | {each[2] for each in said}
    lost = {name for name in names if isinstance(name, str) and is_lost(name)}
    bad: dict[int, Bad] = {}
    if not lost and None not in meanings:
        return bad
    for position, (a, told, b) in enumerate(said):
        for field, name in (("model_a", a), ("model_b", b)):
            if name in lost:
                bad[position] = field, lost_name(field, name), name
        contrary = told if isinstance(told, tuple) and told[:1] in ((word,) for word in CONTRARY) else None
        if meanings[position] is None and contrary is not None:
            text = str(contrary[-1])
            bad[position] = "outcome", InvalidRecord(Reason.INVALID_FIELD, f"the row contradicts itself: {text}"), text
    return bad


def repeats(name: str, cells: Sequence[object], skipped: set[int]) -> tuple[list[int], dict[int, Bad]]:
    """Number of votes of each row, and the rows where it cannot be read, by position.

    Raises
    ------
    SourceError
        When these rows alone represent more than `MOST` votes.
    """
    counts, bad = [], {}
    for position, value in enumerate(cells):
        found = cell.whole(value)
        if found is None or found > MOST_OF_A_ROW:
            why = "is not a number of votes" if found is None else f"is more than {MOST_OF_A_ROW:,}"
            if position not in skipped:
                detail = f"{name} {value!r} {why}"
                bad[position] = "count", InvalidRecord(Reason.INVALID_FIELD, detail), str(value)
            found = 0
        counts.append(found)
    must_be_few(sum(counts), name)
    return counts, bad


def must_be_few(votes: int, column: str | None) -> None:
    """Raise `SourceError` if the rows represent more than `MOST` votes."""
    if votes > MOST:
        raise SourceError(
            f"by column {column!r} the rows stand for {votes:,} votes and more than {MOST:,} are not made of counts."
            " Write them as pairs with their wins (model_a, model_b, wins_a, wins_b, ties), which are read up to"
            f" 50,000,000; or count every row once: --columns count=,weight="
        )


LONG, MANY_WORDS = 64, 8
"""A name with more letters or at least as many words is a text; the longest names of public arenas have 56 and 7."""

FEW, MANY = 10, 100
"""Up to `FEW` names, rare ones may be a small arena; from `MANY` on, names that mostly occur once are no models."""


def must_be_models(said: Counter[Said]) -> None:
    """Raise `SourceError` if the names are texts and not models.

    They are texts when more than half of the names are long, and all occur once or, beyond `FEW`, under four times on
    average; or when there are at least 100 names, and nine in ten cells hold a name that occurs only once.
    """
    names: Counter[str] = Counter()
    for (a, _, b), rows in said.items():
        for name in filter(None, (a, b)):
            names[str(name)] += rows
    places, different = names.total(), len(names)
    texts = [name for name in names if len(name) > LONG or name.count(" ") >= MANY_WORDS - 1]
    seldom = different == places or (different > FEW and 4 * different > places)
    once = sum(times == 1 for times in names.values())
    if not (2 * len(texts) > different and seldom) and not (different >= MANY and 10 * once >= 9 * places):
        return
    example = texts[0] if texts else next(iter(names))
    raise SourceError(
        f"the columns of the two models contain answers or ids, not models: {different:,} different ones in"
        f" {places:,} places, such as {example[:60]!r}. Name the columns that hold models:"
        " --columns model_a=NAME,model_b=NAME,winner=NAME"
    )


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

    def look(self, values: Sequence[object]) -> None:
        for value in values:
            if isinstance(value, str) and _THOUSANDS.fullmatch(value.strip()):
                number: int | None = int(_NO_DIGITS.sub("", value))
            else:
                number = cell.whole(value)
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
