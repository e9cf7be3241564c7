"""What a leaderboard says of every model, and the closed set of reasons for saying it with caution."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from streams.ratings.newton import Vector


class Reason(StrEnum):
    """Why a model is provisional: unranked, and estimated on its own."""

    NO_VOTES = "no_votes"
    UNDEFEATED = "undefeated"  # won every vote
    WINLESS = "winless"  # lost every vote
    ISLAND = "island"  # no chain of votes of any kind leads to the ranked models
    BRIDGE = "bridge"  # one does, but only one way: beats them, or loses to them, for all we know always


@dataclass(frozen=True, slots=True)
class Solution:
    """A leaderboard; arrays are of length M, in the order of the counts, and always finite unless said otherwise.

    Attributes
    ----------
    theta
        Logits, Σθ = 0 over the ranked models. Hand it to the next ``solve`` as ``start``.
    rating, lower, upper
        Points: 1000 + 400/ln 10·θ (anchored: shifted), and the 95 % interval.
    rank
        int64, from 1; 0 where the model is provisional.
    davidson
        Points on the same scale with draws as draws; nan where provisional, where not asked for and where Davidson's
        likelihood has no maximum.
    provisional
        bool, outside the main component.
    reason
        Why, or None where ranked.
    anchored
        Whether the anchor was applied: a provisional anchor moves nobody.
    components
        Strongly connected components among the models with votes.
    iterations
        Newton steps, the only number here that depends on ``start``. 0 when nothing is ranked.
    gradient_norm
        max |∂ log L/∂θ| at the solution, in wins.
    """

    theta: Vector
    rating: Vector
    lower: Vector
    upper: Vector
    rank: NDArray[np.int64]
    davidson: Vector
    provisional: NDArray[np.bool_]
    reason: tuple[Reason | None, ...]
    anchored: bool
    components: int
    iterations: int
    gradient_norm: float
