"""The history of a board: rows of dated snapshots laid out as model × snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.dates import iso
from streams.audit.board.remarks import Oddity, Remark, some

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

ORDERED_ROWS = 8
"""Fewest rows of the median snapshot for their order to mean anything."""

IN_ORDER, KEPT_ORDER = 0.95, 0.9
"""Parts of the neighbouring rows whose totals must not rise, or that must keep their order in the next snapshot."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of one snapshot of a board.

    Attributes
    ----------
    date
        When the snapshot was taken: epoch seconds, UTC. Rows with the same date are one snapshot.
    model, provider, license
        As the board writes them; None for a provider or licence that the board does not show.
    votes
        Total votes of the model so far, not those since the last snapshot; None when the cell cannot be used.
    rank, score, lower, upper
        Published rank, rating and the ends of its interval; None where the board does not show them.
    """

    date: float
    model: str
    provider: str | None
    license: str | None
    votes: float | None
    rank: float | None = None
    score: float | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """N models over T snapshots.

    Attributes
    ----------
    dates
        float64[T], epoch seconds, increasing.
    names
        N names, sorted.
    providers, licenses
        Text of the newest row that has one; None without any.
    listed
        bool[N, T]: there is a row.
    votes
        float64[N, T]: total votes, NaN where there is no row or no number.
    rank, score, lower, upper
        float64[N, T], NaN where absent.
    place
        float64[N, T]: value by which the rows of each snapshot are in falling order, the total or minus the row number;
        NaN everywhere when nothing orders them.
    line
        float64[N, T]: number of the row in the file, NaN where there is none.
    """

    dates: Matrix
    names: list[str]
    providers: list[str | None]
    licenses: list[str | None]
    listed: Mask
    votes: Matrix
    rank: Matrix
    score: Matrix
    lower: Matrix
    upper: Matrix
    place: Matrix
    line: Matrix

    def only(self, snapshots: Mask) -> History:
        """Keep only some snapshots; models that are in none of them stay, unlisted."""
        return replace(
            self,
            dates=self.dates[snapshots],
            listed=self.listed[:, snapshots],
            votes=self.votes[:, snapshots],
            rank=self.rank[:, snapshots],
            score=self.score[:, snapshots],
            lower=self.lower[:, snapshots],
            upper=self.upper[:, snapshots],
            place=self.place[:, snapshots],
            line=self.line[:, snapshots],
        )


def lay_out(rows: Sequence[Row]) -> tuple[History, list[Remark]]:
    """Build the history from rows in any order; of two rows of a model in one snapshot the larger total counts."""
    dates = np.unique(np.array([row.date for row in rows], dtype=np.float64))
    names = sorted({row.model for row in rows})
    at = {name: number for number, name in enumerate(names)}
    columns = np.searchsorted(dates, [row.date for row in rows])
    shape = (len(names), len(dates))
    listed = np.zeros(shape, dtype=bool)
    votes, rank, score, lower, upper, number = (np.full(shape, np.nan) for _ in range(6))
    providers: list[tuple[float, str]] = [(-np.inf, "")] * len(names)
    licenses = list(providers)
    doubled: list[str] = []
    for line, (row, column) in enumerate(zip(rows, columns, strict=True)):
        place = at[row.model], int(column)
        total = np.nan if row.votes is None or not 0 <= row.votes < np.inf else row.votes
        providers[place[0]] = _newest(providers[place[0]], row.date, row.provider)
        licenses[place[0]] = _newest(licenses[place[0]], row.date, row.license)
        if listed[place]:
            doubled.append(row.model)
            if not (total > votes[place] or np.isnan(votes[place])):
                continue
        listed[place] = True
        number[place] = line
        votes[place] = total
        for matrix, value in ((rank, row.rank), (score, row.score), (lower, row.lower), (upper, row.upper)):
            matrix[place] = np.nan if value is None else value
    history = History(
        dates=dates,
        names=names,
        providers=[text or None for _, text in providers],
        licenses=[text or None for _, text in licenses],
        listed=listed,
        votes=votes,
        rank=rank,
        score=score,
        lower=lower,
        upper=upper,
        place=_place(names, votes, number),
        line=number,
    )
    return history, _remarks(history, doubled)


def _place(names: list[str], votes: Matrix, number: Matrix) -> Matrix:
    """Find the value by which the rows are ordered: float64[N, T], see `History.place`.

    Parameters
    ----------
    names
        N names, sorted.
    votes, number
        float64[N, T]: totals, and row numbers in the file.
    """
    orders = [np.argsort(column, kind="stable")[: int((~np.isnan(column)).sum())] for column in number.T]
    if np.median([len(order) for order in orders]) < ORDERED_ROWS:
        return np.full(votes.shape, np.nan)
    falls = [np.diff(votes[order, at]) for at, order in enumerate(orders)]
    steps = np.concatenate(falls)
    if (steps <= 0).sum() >= IN_ORDER * steps.size and 2 * (steps < 0).sum() >= steps.size:
        return votes
    kept, by_name = [], []
    for before, order in pairwise(orders):
        common = order[np.isin(order, before)]
        kept.append(np.diff(np.argsort(before)[np.searchsorted(np.sort(before), common)]) > 0)
        by_name.append(np.diff(common) > 0)
    if not kept or np.concatenate(kept).mean() < KEPT_ORDER or np.concatenate(by_name).mean() >= KEPT_ORDER:
        return np.full(votes.shape, np.nan)
    return -number


def _newest(known: tuple[float, str], date: float, text: str | None) -> tuple[float, str]:
    """Return the text of the newest row; of two on one date the text that sorts last, so row order does not matter."""
    return max(known, (date, text)) if text else known


def _remarks(history: History, doubled: list[str]) -> list[Remark]:
    remarks = []
    if doubled:
        text = f"Rows that name a model that the same snapshot already has: {len(doubled):,}; the larger total counts."
        remarks.append(Remark(Oddity.DUPLICATE_ROWS, text, count=len(doubled), models=some([*{*doubled}])))
    missing = history.listed & np.isnan(history.votes)
    if missing.any() and (missing == history.listed).all():
        text = "No row has a usable number of votes: what is listed is told, and what needs votes is unknown."
        remarks.append(Remark(Oddity.MISSING_VALUES, text, count=int(missing.sum())))
    elif missing.any():
        count, snapshots = int(missing.sum()), np.flatnonzero(missing.any(axis=0))
        models = [history.names[each] for each in np.flatnonzero(missing.any(axis=1))]
        first, last = iso(history.dates[snapshots[0]]), iso(history.dates[snapshots[-1]])
        text = f"Rows without a usable number of votes: {count:,}; the models count as listed, with nothing learned."
        remarks.append(Remark(Oddity.MISSING_VALUES, text, first, last, count, some(models)))
    return remarks
