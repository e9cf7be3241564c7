"""Rows that are refused before the contract is checked, because their content is impossible.

- **Counts.** The number of votes that a row represents must be a whole number.
- **Outcomes.** A row with a winner's name and a flag for a tie, or with two flags, contradicts itself. The reader
  chooses neither.
- **Names** such as `nan` and `undefined` are written by software that lost a name. They would merge the votes of many
  models into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.sources import cells as cell
from services.sources.base import SourceError
from services.sources.outcomes import CONTRARY, Said
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
    names: set[Any] = {each[0] for each in said} | {each[2] for each in said}
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
            text = str(told[-1])
            bad[position] = "outcome", InvalidRecord(Reason.INVALID_FIELD, f"the row contradicts itself: {text}"), text
    return bad


def repeats(name: str, cells: Sequence[Any], skipped: set[int]) -> tuple[list[int], dict[int, Bad]]:
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
