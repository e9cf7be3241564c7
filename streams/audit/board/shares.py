"""Who got the votes: share of slots by provider, licence class and model, in a window and over time.

A battle has two slots, and a board's total of a model counts the slots it filled, so the gains of all models add to
twice the votes. A *share of slots* is a part of those; the share of battles that involve a group cannot be read off
totals, and lies between its share of slots and twice that.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from streams.audit.board.dates import iso
from streams.audit.board.gains import Gains
from streams.audit.board.history import Matrix

BUCKETS = 12
"""Stretches of time that the course of shares is told in."""


def slots(gains: Gains, start: int, end: int) -> Matrix:
    """Votes gained by each model after snapshot `start`, up to `end`, each absence by its part: float64[M]."""
    return np.asarray(gains.dated[:, start + 1 : end + 1].sum(axis=1))


def by_group(amounts: Matrix, groups: list[str]) -> dict[str, float]:
    """Sums by group, the largest first."""
    sums: dict[str, float] = {}
    for group, amount in zip(groups, amounts, strict=True):
        sums[group] = sums.get(group, 0.0) + float(amount)
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def normed(sums: dict[str, float]) -> dict[str, float]:
    """Shares of sums, rounded to six digits; empty when there is nothing to share."""
    total = sum(sums.values())
    return {group: round(amount / total, 6) for group, amount in sums.items()} if total > 0 else {}


def course(gains: Gains, dates: Matrix, groups: list[str], end: int) -> list[tuple[str, str, dict[str, float]]]:
    """Shares in stretches of about equal length: begin, end, share by group; stretches without votes are left out."""
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
