"""Who wins: Bradley-Terry with a fixed share of ties, or Davidson's model, where equals tie most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.simulate.sampler import Codes, Vector
from services.simulate.scenario import Votes

POINTS = np.log(10) / 400
"""Logits in a point."""


def draw_winners(random: np.random.Generator, a: Codes, b: Codes, strength: Vector, votes: Votes) -> NDArray[np.uint8]:
    """Draw uint8[n]: 0 model_a, 1 model_b, 2 tie, 3 both bad.

    Parameters
    ----------
    a, b
        int32[n], the models.
    strength
        float64[M], points.
    votes
        `tie_rate` is the share of ties, by Davidson's model that of equals: ν = 2t/(1 − t). `both_bad` is a share
        of the ties.
    """
    gap = (strength[a] - strength[b]) * POINTS
    if votes.tie_model == "davidson":
        nu = 2 * votes.tie_rate / (1 - votes.tie_rate)
        half = np.exp(-0.5 * np.abs(gap))
        tie = nu * half / (1 + half * half + nu * half)
    else:
        tie = np.full(1, votes.tie_rate)
    drawn = random.random(a.size)
    beaten: NDArray[np.bool_] = drawn >= (1 - tie) / (1 + np.exp(-gap))
    undecided = drawn >= 1 - tie
    bad = drawn >= 1 - tie * votes.both_bad
    return np.asarray(beaten.view(np.uint8) + undecided.view(np.uint8) + bad.view(np.uint8))
