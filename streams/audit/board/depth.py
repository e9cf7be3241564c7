"""How deep each snapshot shows the board: a model below the deepest row of a date is not seen on it, not gone.

A scraped board often has only the first rows, and their number varies. Departures show whether a file is cut like that:
on a whole board any model may leave, on a cut one always the lowest leave. The lowest c of n models include all k
departures by chance with probability C(c, k) / C(n, k); the logarithms of its inverse are summed as a CUSUM. Weak
models are retired more often than others, so a departure without return counts for at most a factor of ten, unless as
many models arrive in the same snapshot, which keeps the number of rows.
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
"""Largest evidence of one departure of a low model that does not return."""

OTHERWISE = log(0.1)
"""Evidence of a snapshot in which a model left from above the edge."""

COMMON = 3
"""Fewest common models of two snapshots to compare places in them."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of the board the snapshots show.

    Attributes
    ----------
    rows
        int64[T]: number of models shown.
    judged
        Whether something orders the rows, so that a cut would be visible.
    cut
        Whether the file seems to show the top of the board only.
    left, lowest
        Number of rows that left from one snapshot to the next, and how many of them were among the lowest.
    unseen
        bool[M, T]: the model is not shown after its first row, and by its place may be below the deepest row; all
        False when the file is not cut.
    emerged
        bool[M]: the model may have been on the board before its first row, below the deepest row.
    """

    rows: NDArray[np.int64]
    judged: bool
    cut: bool
    left: int
    lowest: int
    unseen: Mask
    emerged: Mask


def strength_of(score: Matrix, rank: Matrix, place: Matrix, listed: Mask) -> Matrix | None:
    """Return the values that order the rows of a board: scores, else ranks, else file order; None without any."""
    for values in (score, -rank, place):
        if listed.any() and 2 * (listed & ~np.isnan(values)).sum() >= listed.sum():
            return np.where(listed, values, np.nan)
    return None


def depth_of(score: Matrix, rank: Matrix, place: Matrix, listed: Mask) -> Depth:
    """Determine how deep the snapshots show the board.

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
    """Compare the deepest row of snapshot `at` with snapshot `known`.

    Returns
    -------
    The strength in snapshot `known` that would be the lowest shown in `at`, and a margin for how much strengths moved
    between the two; None when they have too few common models.
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
    """Whether a snapshot shows only the top of another: nearly all models it lacks were below its deepest row."""
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
    """Number of models that left from one snapshot to the next, and how many of them were among the lowest."""
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
    """Evidence for a cut from the departures of one snapshot, as a log-likelihood ratio."""
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
        return 0.0  # new names took the lowest places: these may be renames
    chance = _log_choose(int(before.sum()), count) - _log_choose(int(low.sum()), count)
    if new.sum() == count:
        return chance + max(0.0, log(0.9 / arrives))
    return chance if (gone & later[:, at]).any() else min(chance, count * WEAK)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
