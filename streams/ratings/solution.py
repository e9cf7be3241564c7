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
    FEW_VOTES = "few_votes"  # fewer votes against ranked models than a rank needs
    WIDE_INTERVAL = "wide_interval"  # votes enough, but an interval wider than a rank may have


class Withheld(StrEnum):
    """Why a board has no Davidson ratings."""

    NOBODY_RANKED = "nobody_ranked"
    NO_MAXIMUM = "no_maximum"  # the likelihood grows for ever
    NOT_CONVERGED = "not_converged"  # there is a maximum, and it was not reached


@dataclass(frozen=True, slots=True)
class Solution:
    """A leaderboard; arrays are of length M, in the order of the counts, and always finite unless said otherwise.

    Ratings of ranked models refer to their mean or, anchored, to that of the anchors, and so do the intervals.

    Attributes
    ----------
    theta
        Logits, Σθ = 0 over the ranked models. Hand it to the next ``solve`` as ``start``.
    rating, lower, upper
        Points: 1000 + 400/ln 10·θ (anchored: shifted), and the 95 % interval: −inf or inf where it is open to one side.
    rank
        int64, from 1; 0 where the model is provisional.
    davidson
        Points on the same scale with draws as draws; nan where provisional, where not asked for and where Davidson's
        likelihood has no maximum.
    withheld
        Why `davidson` has no number although it was asked for; None where it has.
    quasi_variance
        Points²; nan where provisional, where not asked for and where there are none.
    provisional
        bool, not ranked.
    reason
        Why, or None where ranked.
    anchored
        Whether the anchors were applied: unless all of them are ranked they move nobody.
    least
        Votes against ranked models that a rank needs here.
    dispersion
        φ, see `streams.ratings.score_interval`; nan where nobody is ranked.
    components
        Strongly connected components among the models with votes.
    iterations
        Newton steps, the only number here that depends on ``start``. 0 when nothing is ranked.
    gradient_norm
        ``max |∂ log L/∂θ|`` at the solution, in wins.
    """

    theta: Vector
    rating: Vector
    lower: Vector
    upper: Vector
    rank: NDArray[np.int64]
    davidson: Vector
    withheld: Withheld | None
    quasi_variance: Vector
    provisional: NDArray[np.bool_]
    reason: tuple[Reason | None, ...]
    anchored: bool
    least: float
    dispersion: float
    components: int
    iterations: int
    gradient_norm: float
