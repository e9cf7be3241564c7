"""Ratings for the detectors: the arena's board, solved from the fold's own counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.context import Scene
from streams.fairness.statistics.expected_share import Vector
from streams.ratings.intervals import NORMAL_95
from streams.ratings.leaderboard import solve_met


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
    dispersion
        φ, the variance of results over that of results without ties; nan while no model is ranked.
    """

    number: NDArray[np.int64]
    rating: Vector
    error: Vector
    ranked: NDArray[np.bool_]
    votes: NDArray[np.int64]
    dispersion: float = 1.0


def rate(scene: Scene) -> Ratings | None:
    """Solve the board; None before the first vote.

    Models are sorted by number, so equal counts give equal bits; starting from the last solution changes none of them.
    """
    if not scene.board.members:
        return None
    members = np.array(scene.board.members, np.int64)
    number = np.sort(members)
    met = scene.board.met.renumbered(np.searchsorted(number, members))
    solution = solve_met(met, start=scene.facts.theta[number])
    scene.facts.theta[number] = solution.theta
    return Ratings(
        number=number,
        rating=solution.rating,
        error=(solution.upper - solution.lower) / (2 * NORMAL_95),
        ranked=~solution.provisional,
        votes=met.per_model(met.voted, met.voted),
        dispersion=solution.dispersion,
    )


def rate_if_due(scene: Scene) -> Ratings | None:
    """Return the ratings in every `ratings_reviews`-th review, else None."""
    return None if scene.facts.window.reviews % scene.settings.ratings_reviews else rate(scene)
