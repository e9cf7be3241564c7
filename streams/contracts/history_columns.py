"""Columns of history: the indices of one model's values, and their conversion to numbers for readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Reals = list[float | None]
"""None where there is no value."""


def places(known: Sequence[int], number: int) -> tuple[int, NDArray[np.int64]]:
    """Return the first sample with a model, and the indices of its values in a column; `known` never decreases.

    >>> first, at = places([1, 3, 3], 2)
    >>> first, at.tolist()
    (1, [3, 6])
    """
    counts = np.array(known, np.int64)
    first = int(np.searchsorted(counts, number, side="right"))
    return first, (np.cumsum(counts) - counts)[first:] + number


def shares(mine: NDArray[np.number], all_battles: Sequence[int], first: int) -> Reals:
    """Share of the battles since the sample before; None at the oldest sample, whose predecessor is not kept.

    >>> shares(np.array([4, 5]), [10, 20, 22], 1)
    [0.4, 0.5]
    >>> shares(np.array([4, 5]), [10, 20], 0)
    [None, 0.1]
    """
    before = [int(mine[0])] if first == 0 and len(mine) else [0]
    fought = np.diff(np.array(all_battles, np.int64), prepend=0)[first:]
    taken = np.diff(mine, prepend=before)
    shares: Reals = [
        round(part / whole, 6) if whole > 0 else None
        for part, whole in zip(taken.tolist(), fought.tolist(), strict=True)
    ]
    return [None, *shares[1:]] if first == 0 and shares else shares


def reals(values: NDArray[np.number], digits: int) -> Reals:
    """Round the values; None for NaN."""
    return [None if value != value else value for value in numbers(values, digits)]


def numbers(values: NDArray[np.number], digits: int) -> list[float]:
    """Round the values."""
    rounded: list[float] = values.astype(np.float64).round(digits).tolist()
    return rounded
