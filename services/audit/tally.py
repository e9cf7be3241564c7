"""Counts votes into snapshots: totals of each model at the ends of equal time intervals."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.handovers import handovers_of
from streams.audit.board.history import Row
from streams.contracts.model import Model

UNITS = (60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0)
"""Lengths of intervals in seconds; the shortest that is long enough is used."""

MOST = 120
"""Maximum number of intervals."""

VOTES = 50.0
"""Average number of slots per model that each interval should have at least."""


def count_votes(
    names: list[str],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    times: NDArray[np.float64],
    records: Mapping[str, Model],
) -> list[Row]:
    """Make the rows of snapshots.

    Parameters
    ----------
    names
        M names.
    first, second
        int64[n], the two models of each battle, as indices of `names`.
    times
        float64[n], epoch seconds.
    records
        Model to its record, for provider, licence and handovers.
    """
    start, end = float(times.min()), float(times.max())
    stretches = min(MOST, max(2, int(2 * len(times) / (len(names) * VOTES))))
    length = next((unit for unit in UNITS if unit >= (end - start) / stretches), (end - start) / stretches)
    begin = start // length * length
    count = max(1, ceil((end - begin) / length - 1e-9))
    place = np.minimum(((times - begin) / length).astype(np.int64), count - 1)
    counts = np.zeros((len(names), count), dtype=np.int64)
    for models in (first, second):
        np.add.at(counts, (models, place), 1)
    totals = np.concatenate([np.zeros((len(names), 1), dtype=np.int64), counts.cumsum(axis=1)], axis=1)
    # A row of zero before a model's first votes: unlike a published total, this one is known to start at zero.
    known = totals > 0
    known[:, :-1] |= known[:, 1:]
    for each in handovers_of(names, first, second, times, records):
        # As on a board: the old name up to here, the new one from here on, with the votes of both.
        at = min(int((each.when - begin) / length), count - 1)
        if each.same:
            totals[each.new] += totals[each.old]
            totals[each.old, : at + 1] = totals[each.new, : at + 1]
        known[each.old, at + 1 :] = False
        known[each.new, : at + 1] = False
        known[each.new, at + 1 :] = True
    rows = []
    for at in range(count + 1):
        # Clip to the first and the last vote: outside of them, it is unknown whether there were votes.
        date = min(max(begin + at * length, start), end) if end > start else begin + at * length
        for model in np.flatnonzero(known[:, at]):
            record = records.get(names[model])
            rows.append(
                Row(
                    date=date,
                    model=names[model],
                    provider=record.provider if record else None,
                    license=record.license if record else None,
                    votes=float(totals[model, at]),
                )
            )
    return rows
