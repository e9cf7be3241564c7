"""Weights against lopsided sampling: a pair that met often counts less per vote.

w = 1/max(n, 50), so every pair that met at least 50 times has the same say; the floor keeps three votes from
counting like fifty. θ and its interval do not depend on the scale of w (H grows with it, V with its square, and
H⁺VH⁺ with neither), so it is free: here the largest weight is 1 and a weighted pair counts at most 50 votes, which
keeps every sum in comfortable range for any number of votes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR = 50.0


def pair_weights(played: NDArray[Any]) -> NDArray[np.float64]:
    """Weight of one vote for every pair.

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
