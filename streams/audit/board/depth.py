"""How deep each snapshot shows the board: a model below the deepest row of a date is not seen on it, not gone.

A scraped board often is its first rows only, and their number varies. Whether a file is cut like that is told from its
departures: on a whole board any model may leave, on a cut one it is always the lowest that do. The lowest c of n models
hold all k departures by chance with probability C(c, k) / C(n, k); the logarithms of its inverse are summed as a CUSUM.
Weak models are retired more often than others, so a departure without return speaks by no more than a factor of ten,
unless as many models arrive in the same snapshot, which keeps the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.history import Mask, Matrix

CUT = log(500.0)
"""Evidence from which a file counts as cut."""

WEAK = log(10.0)
"""The most that one departure of a low model says, if it does not return."""

OTHERWISE = log(0.1)
"""What a snapshot says in which a model left from above the edge."""

COMMON = 3
"""Models that two snapshots must share before places in them are compared."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What the snapshots show of the board.

    Attributes
    ----------
    rows
        int64[T]: models shown.
    judged
        Whether something orders the rows, so that a cut would show.
    cut
        Whether the file seems to show the top of the board only.
    left, lowest
        Models that left the rows from one snapshot to the next, and those of them that were among the lowest.
    unseen
        bool[M, T]: not shown after a first row, and by its place perhaps below the deepest row; all False when the
        file is not cut.
    emerged
        bool[M]: its first row may be one that the snapshot before was too short for.
    """

    rows: NDArray[np.int64]
    judged: bool
    cut: bool
    left: int
    lowest: int
    unseen: Mask
    emerged: Mask


def strength_of(score: Matrix, rank: Matrix, place: Matrix, listed: Mask) -> Matrix | None:
    """What orders the rows of a board: scores, else ranks, else the order in the file; None without."""
    for values in (score, -rank, place):
        if listed.any() and 2 * (listed & ~np.isnan(values)).sum() >= listed.sum():
            return np.where(listed, values, np.nan)
    return None


def depth_of(score: Matrix, rank: Matrix, place: Matrix, listed: Mask) -> Depth:
    """Tell how deep the snapshots go.

    Parameters
    ----------
    score, rank, place
        float64[M, T], NaN where absent.
    listed
        bool[M, T].
    """
    strength = strength_of(score, rank, place, listed)
    rows = listed.sum(axis=0)
    unseen, emerged = np.zeros(listed.shape, dtype=bool), np.zeros(len(listed), dtype=bool)
    if strength is None:
        return Depth(rows, False, False, 0, 0, unseen, emerged)
    left, lowest = _departures(strength, listed)
    if not _is_cut(strength, listed):
        return Depth(rows, True, False, left, lowest, unseen, emerged)
    first = np.argmax(listed, axis=1)
    edges: dict[tuple[int, int], tuple[float, float] | None] = {}
    for model in np.flatnonzero(listed.any(axis=1)):
        last = -1
        for at in range(int(first[model]), listed.shape[1]):
            if listed[model, at]:
                last = at
                continue
            if (last, at) not in edges:
                edges[last, at] = edge(strength, listed, last, at)
            unseen[model, at] = not _within(strength[model, last], edges[last, at])
        start = int(first[model])
        if start > 0:
            if (start, start - 1) not in edges:
                edges[start, start - 1] = edge(strength, listed, start, start - 1)
            emerged[model] = not _within(strength[model, start], edges[start, start - 1])
    return Depth(rows, True, True, left, lowest, unseen, emerged)


def edge(strength: Matrix, listed: Mask, known: int, at: int) -> tuple[float, float] | None:
    """The deepest row of a snapshot in the measure of another, and how far places moved between the two.

    Returns
    -------
    The strength in snapshot `known` that would be the lowest shown in `at`, and a margin; None when the two share too
    few models to compare.
    """
    common = listed[:, known] & listed[:, at] & ~np.isnan(strength[:, known]) & ~np.isnan(strength[:, at])
    if common.sum() < COMMON:
        return None
    moved = strength[common, at] - strength[common, known]
    shift = float(np.median(moved))
    away = np.abs(moved - shift)
    margin = max(3 * 1.4826 * float(np.median(away)), float(np.quantile(away, 0.9)))
    return float(np.nanmin(strength[listed[:, at], at])) - shift, margin


def only_the_top(strength: Matrix, listed: Mask, known: int, at: int) -> bool:
    """Whether a snapshot shows the top of another one: nearly all that it lacks stood below its deepest row."""
    between = edge(strength, listed, known, at)
    lacks = listed[:, known] & ~listed[:, at]
    if between is None or not lacks.any():
        return False
    low = lacks & ~(strength[:, known] > between[0] + between[1])
    return bool(low.sum() >= 0.9 * lacks.sum())


def _within(strength: float, between: tuple[float, float] | None) -> bool:
    """Whether a model of this strength was clearly above the deepest row."""
    return between is not None and strength > between[0] + between[1]


def _departures(strength: Matrix, listed: Mask) -> tuple[int, int]:
    """Models that left from one snapshot to the next, and those of them that were among the lowest."""
    left = lowest = 0
    for at in range(1, listed.shape[1]):
        gone = listed[:, at - 1] & ~listed[:, at]
        if gone.any():
            between = edge(strength, listed, at - 1, at)
            left += int(gone.sum())
            lowest += sum(not _within(float(each), between) for each in strength[gone, at - 1])
    return left, lowest


def _is_cut(strength: Matrix, listed: Mask) -> bool:
    snapshots = listed.shape[1]
    left = [int((listed[:, at - 1] & ~listed[:, at]).sum()) for at in range(1, snapshots)]
    came = [int((listed[:, at] & ~listed[:, at - 1]).sum()) for at in range(1, snapshots)]
    quiet = [new for new, gone in zip(came, left, strict=True) if not gone]
    arrives = (1 + sum(new > 0 for new in quiet)) / (2 + len(quiet))
    later = np.zeros(listed.shape, dtype=bool)
    later[:, :-1] = np.logical_or.accumulate(listed[:, ::-1], axis=1)[:, ::-1][:, 1:]
    evidence = 0.0
    for at in range(1, snapshots):
        if left[at - 1]:
            evidence = max(0.0, evidence + _says(strength, listed, later, at, arrives))
            if evidence >= CUT:
                return True
    return False


def _says(strength: Matrix, listed: Mask, later: Mask, at: int, arrives: float) -> float:
    """What the departures of one snapshot say for a cut: a log-likelihood ratio."""
    between = edge(strength, listed, at - 1, at)
    before = listed[:, at - 1] & ~np.isnan(strength[:, at - 1])
    gone = before & ~listed[:, at]
    if between is None or not gone.any():
        return 0.0
    low = before & (strength[:, at - 1] <= between[0] + between[1])
    if (gone & ~low).any():
        return OTHERWISE
    lowest = np.nanmin(strength[listed[:, at], at])
    new = listed[:, at] & ~listed[:, at - 1]
    count = int(gone.sum())
    if (new & (strength[:, at] <= lowest + between[1])).sum() >= count:
        return 0.0  # another name in the same place
    chance = _log_choose(int(before.sum()), count) - _log_choose(int(low.sum()), count)
    if new.sum() == count:
        return chance + max(0.0, log(0.9 / arrives))
    return chance if (gone & later[:, at]).any() else min(chance, count * WEAK)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
