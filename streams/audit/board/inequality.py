"""Inequality of shares: Gini, Herfindahl, the largest few."""

from __future__ import annotations

from collections.abc import Sequence


def gini(shares: Sequence[float]) -> float:
    """Gini coefficient: 0 when all are equal, (n−1)/n when one has everything; 0 of nothing.

    >>> gini([1, 1, 1, 1]), gini([0, 0, 0, 1]), round(gini([0.5, 0.3, 0.2]), 4)
    (0.0, 0.75, 0.2)
    """
    ordered, total = sorted(shares), sum(shares)
    if total <= 0:
        return 0.0
    n = len(ordered)
    return sum((2 * (at + 1) - n - 1) * share for at, share in enumerate(ordered)) / (n * total)


def herfindahl(shares: Sequence[float]) -> float:
    """Herfindahl-Hirschman index: the sum of squared shares, 1/n when equal, 1 when one has everything.

    >>> herfindahl([1, 1, 1, 1]), herfindahl([0, 0, 2])
    (0.25, 1.0)
    """
    total = sum(shares)
    return sum((share / total) ** 2 for share in shares) if total > 0 else 0.0


def largest(shares: Sequence[float], count: int) -> float:
    """Share of the largest few together.

    >>> largest([1, 2, 5, 2], 2)
    0.7
    """
    total = sum(shares)
    return sum(sorted(shares)[-count:]) / total if total > 0 else 0.0
