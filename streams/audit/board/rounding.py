"""Rounded totals: keep snapshots far enough apart for the gains between them to outweigh the rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streams.audit.board.dates import DAY
from streams.audit.board.history import Row

UNITS = 10.0
"""Units of rounding that the median model gains between two compared snapshots."""

LEAST = 3
"""Fewest snapshots that can show a change of pace."""


def coarse(rows: Sequence[Row], precision: float) -> list[Row]:
    """Keep the rows of snapshots that can be compared, including the last one.

    Totals such as `12.3K` stand still for days and then jump; day by day that would look like stops. When fewer than
    three snapshots are far enough apart, all rows are kept and their totals become unknown.

    Parameters
    ----------
    rows
        At least one row.
    precision
        The unit to which totals are rounded; 0 for exact totals, for which all rows are kept.

    >>> rows = [Row(day * 86_400.0, "a", None, None, 100.0 * (day // 2)) for day in range(60)]
    >>> [row.date / 86_400.0 for row in coarse(rows, 100.0)]
    [2.0, 21.0, 40.0, 59.0]
    """
    if not precision:
        return list(rows)
    dates = np.unique([row.date for row in rows])
    pace = _pace(rows)
    kept = [float(dates[-1])]
    for date in dates[::-1]:
        # 10 % less, because snapshots are not taken at the same hour.
        if pace > 0 and kept[-1] - date >= 0.9 * UNITS * precision / pace * DAY:
            kept.append(float(date))
    if len(kept) < LEAST:
        return [replace(row, votes=None) for row in rows]
    return [row for row in rows if row.date in {*kept}]


def _pace(rows: Sequence[Row]) -> float:
    """Median gain in votes a day, over the models that gain any."""
    ends: dict[str, tuple[Row, Row]] = {}
    for row in sorted((row for row in rows if row.votes is not None), key=lambda row: row.date):
        first, _ = ends.get(row.model, (row, row))
        ends[row.model] = first, row
    paces = [
        ((last.votes or 0.0) - (first.votes or 0.0)) / (last.date - first.date) * DAY
        for first, last in ends.values()
        if last.date > first.date
    ]
    gaining = [pace for pace in paces if pace > 0]
    return float(np.median(gaining)) if gaining else 0.0
