"""What the detectors need of the ratings: the arena's board, solved from the fold's own counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.contracts.vote import BOTH_BAD, MODEL_A, MODEL_B, TIE
from streams.fairness.policy import Vector
from streams.fairness.scene import Scene
from streams.ratings.intervals import NORMAL_95
from streams.ratings.leaderboard import solve


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings of M models.

    Attributes
    ----------
    number
        int64[M], subject numbers, ascending.
    rating, error
        float64[M], points and their standard errors.
    ranked
        bool[M].
    votes
        int64[M].
    """

    number: NDArray[np.int64]
    rating: Vector
    error: Vector
    ranked: NDArray[np.bool_]
    votes: NDArray[np.int64]


def rate(scene: Scene) -> Ratings | None:
    """Solve the board; None while nobody has met.

    Models are solved by number, so equal counts give equal bits; starting from the last solution changes none of them.
    """
    if not scene.board.members:
        return None
    number = np.sort(np.array(scene.board.members, np.int64))
    order = np.argsort(np.array(scene.board.members, np.int64))
    shown = scene.board.shown[:, order[:, None], order]
    solution = solve(shown[MODEL_A] + shown[MODEL_B].T, shown[TIE], shown[BOTH_BAD], start=scene.facts.theta[number])
    scene.facts.theta[number] = solution.theta
    return Ratings(
        number=number,
        rating=solution.rating,
        error=(solution.upper - solution.lower) / (2 * NORMAL_95),
        ranked=~solution.provisional,
        votes=shown.sum(axis=(0, 1)) + shown.sum(axis=(0, 2)),
    )
