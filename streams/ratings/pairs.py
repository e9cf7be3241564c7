"""Shared by all paired-comparison models: half wins, win probabilities, and how far a step moves a pair apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streams.ratings.newton import LONGEST, Matrix, Vector, VoteMatrix

POINTS_PER_LOGIT = 400.0 / math.log(10.0)  # 173.7178: 400 points are odds of 10 : 1
WIDE = 600.0  # logits; within this range exp(θ_i − mean) and its square root, sums and products stay normal numbers
FLOOR = 50.0  # votes of a pair up to which each vote has full weight


def half_wins(wins: VoteMatrix, draws: VoteMatrix, weights: Matrix | None = None) -> Matrix:
    """S = w·(W + T/2), float64[M, M]: the score of row against column.

    Examples
    --------
    >>> half_wins(np.array([[0, 3], [1, 0]]), np.array([[0, 1], [1, 0]])).tolist()
    [[0.0, 3.5], [1.5, 0.0]]
    """
    scores: Matrix = np.asarray(0.5 * draws, np.float64)
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
    """The largest |d_i − d_j| over the pairs that met; while small enough, over all pairs: cheaper and no smaller.

    Examples
    --------
    >>> farthest_apart(np.array([0.0, 5.0, 9.0]), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool))
    5.0
    """
    anywhere = float(np.ptp(step))
    return anywhere if anywhere <= LONGEST else float(np.abs(step[:, None] - step).max(where=met, initial=0.0))


def pair_weights(played: VoteMatrix) -> NDArray[np.float64]:
    """Weight of one vote for every pair: a pair that met often counts less per vote, to correct lopsided sampling.

    w = 1/max(n, 50), so every pair that met at least 50 times has the same total weight; the floor keeps three votes
    from counting like fifty. θ and its interval do not depend on the scale of w (H grows with it, V with its square,
    and H⁺VH⁺ with neither), so the scale is free: here the largest weight is 1 and a weighted pair counts at most 50
    votes, which keeps every sum in range for any number of votes.

    Parameters
    ----------
    played
        [M, M] votes of the pair, draws included, symmetric.

    Returns
    -------
    float64[M, M] in (0, 1]: 50/max(n, 50).

    Examples
    --------
    >>> pair_weights(np.array([[0, 200], [200, 0]])).tolist()
    [[1.0, 0.25], [0.25, 1.0]]
    """
    return np.asarray(FLOOR / np.maximum(played, FLOOR), dtype=np.float64)
