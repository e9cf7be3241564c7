"""Columns of history: where one model's values stand in them, and how they become numbers for a reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = list[float | None]
"""None where there is no value."""


def places(known: Sequence[int], number: int) -> tuple[int, NDArray[np.int64]]:
    """The first sample that holds a model, and where its values stand in a column: known models never get fewer.

    >>> first, at = places([1, 3, 3], 2)
    >>> first, at.tolist()
    (1, [3, 6])
    """
    counts = np.array(known, np.int64)
    first = int(np.searchsorted(counts, number, side="right"))
    return first, (np.cumsum(counts) - counts)[first:] + number


def shares(mine: NDArray[Any], all_battles: Sequence[int], first: int) -> Reals:
    """Share of the battles since the sample before; None at the oldest sample, for what was before it is not kept.

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


def reals(values: NDArray[Any], digits: int) -> Reals:
    """Rounded values, None for NaN."""
    return [None if value != value else value for value in numbers(values, digits)]


def numbers(values: NDArray[Any], digits: int) -> list[float]:
    """Rounded values."""
    rounded: list[float] = values.astype(np.float64).round(digits).tolist()
    return rounded
