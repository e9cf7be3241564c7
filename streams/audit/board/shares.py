"""Shares of slots by provider, licence class and model, in a window and over time.

A battle has two slots, and a model's total on a board counts the slots it filled, so the gains of all models add to
twice the votes. A *share of slots* is a part of those. The share of battles that involve a group is not visible in
totals; it lies between the group's share of slots and twice that.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from streams.audit.board.dates import iso
from streams.audit.board.gains import Gains
from streams.audit.board.history import Matrix

BUCKETS = 12
"""Most time spans in the course of shares."""


def slots(gains: Gains, start: int, end: int) -> Matrix:
    """Votes gained by each model after snapshot `start`, up to `end`; absences count in proportion: float64[M]."""
    return np.asarray(gains.dated[:, start + 1 : end + 1].sum(axis=1))


def by_group(amounts: Matrix, groups: list[str]) -> dict[str, float]:
    """Sums by group, the largest first."""
    sums: dict[str, float] = {}
    for group, amount in zip(groups, amounts, strict=True):
        sums[group] = sums.get(group, 0.0) + float(amount)
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def normed(sums: dict[str, float]) -> dict[str, float]:
    """Divide sums by their total, rounded to six digits; empty when the total is 0."""
    total = sum(sums.values())
    return {group: round(amount / total, 6) for group, amount in sums.items()} if total > 0 else {}


def course(gains: Gains, dates: Matrix, groups: list[str], end: int) -> list[tuple[str, str, dict[str, float]]]:
    """Shares over time spans of about equal length: start, end, share by group; spans without votes are left out."""
    if end < 1:
        return []
    edges = np.linspace(dates[0], dates[end], min(BUCKETS, end) + 1)
    cuts = sorted({int(np.argmin(np.abs(dates[: end + 1] - edge))) for edge in edges})
    told = []
    for start, stop in pairwise(cuts):
        shares = normed(by_group(slots(gains, start, stop), groups))
        if shares:
            told.append((iso(dates[start]), iso(dates[stop]), shares))
    return told
