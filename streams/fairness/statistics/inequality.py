"""Measures of inequality: Gini coefficient, Herfindahl index, sum of the largest shares."""

from __future__ import annotations

import numpy as np

from streams.fairness.statistics.expected_share import Vector


def gini(amounts: Vector) -> float:
    """Gini coefficient of non-negative amounts, float64[n]: 0 when all are equal or there are none.

    It is 1 − 1/n when one amount is everything.

    >>> gini(np.array([1.0, 1.0, 1.0])), gini(np.array([0.0, 0.0, 0.0, 1.0])), gini(np.zeros(0))
    (0.0, 0.75, 0.0)
    """
    n, total = amounts.size, amounts.sum()
    if not n or not total:
        return 0.0
    weighted = (np.sort(amounts) * (2.0 * np.arange(1, n + 1) - n - 1)).sum()
    return float(weighted / (n * total))


def herfindahl(shares: Vector) -> float:
    """Herfindahl-Hirschman index of shares, float64[n]: Σ share², 1/n when equal, 1 when one share is everything.

    >>> herfindahl(np.full(4, 0.25)), herfindahl(np.array([0.0, 1.0]))
    (0.25, 1.0)
    """
    return float((shares**2).sum())


def largest(shares: Vector, count: int) -> float:
    """Sum of the `count` largest shares.

    >>> largest(np.array([0.1, 0.2, 0.5, 0.2]), 2)
    0.7
    """
    return float(np.sort(shares)[-count:].sum())
