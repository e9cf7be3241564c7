"""What every model of paired comparisons here shares: half wins, chances, and how far a step pulls a pair apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.ratings.newton import LONGEST, Matrix, Vector

POINTS_PER_LOGIT = 400.0 / math.log(10.0)  # 173.7178: 400 points are odds of 10 : 1
WIDE = 600.0  # logits; within this exp(θ_i − mean) and its square root, sums and products stay normal numbers


def half_wins(wins: NDArray[Any], draws: NDArray[Any], weights: Matrix | None = None) -> Matrix:
    """S = w·(W + T/2), float64[M, M]: what row took from column.

    Examples
    --------
    >>> half_wins(np.array([[0, 3], [1, 0]]), np.array([[0, 1], [1, 0]])).tolist()
    [[0.0, 3.5], [1.5, 0.0]]
    """
    scores: Matrix = 0.5 * draws
    scores += wins
    if weights is not None:
        scores *= weights
    return scores


def chances(theta: Vector) -> Matrix:
    """P(i beats j) = σ(θ_i − θ_j), float64[M, M], to full relative precision in both tails.

    ``chances(theta).T`` is 1 − p without the cancellation.

    Examples
    --------
    >>> f"{chances(np.array([0.0, 100.0]))[0, 1]:.12e}"
    '3.720075976021e-44'
    """
    if np.ptp(theta) < WIDE:
        # M exponentials instead of M².
        odds = np.exp(theta - theta.mean())
        total = odds[:, None] + odds
        return np.asarray(np.divide(odds[:, None], total, out=total))
    with np.errstate(over="ignore"):  # exp → inf gives the right p = 0
        return np.asarray(1.0 / (1.0 + np.exp(theta - theta[:, None])))


def tails(logits: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """σ(x) and σ(−x), of any shape, each to full relative precision and without overflow.

    Examples
    --------
    >>> p, q = tails(np.array([1000.0, 0.0]))
    >>> p.tolist(), q.tolist()
    ([1.0, 0.5], [0.0, 0.5])
    """
    fading = np.exp(-np.abs(logits))  # in (0, 1]
    larger, smaller = 1.0 / (1.0 + fading), fading / (1.0 + fading)
    return np.where(logits > 0, larger, smaller), np.where(logits > 0, smaller, larger)


def farthest_apart(step: Vector, met: NDArray[np.bool_]) -> float:
    """The largest |d_i − d_j| over the pairs that met; while it is harmless over all pairs, cheaper and no smaller.

    Examples
    --------
    >>> farthest_apart(np.array([0.0, 5.0, 9.0]), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool))
    5.0
    """
    anywhere = float(np.ptp(step))
    return anywhere if anywhere <= LONGEST else float(np.abs(step[:, None] - step).max(where=met, initial=0.0))
