"""Models that cannot be ranked yet: a cautious estimate for each, alone, against the fixed ratings of ranked models.

For one model with S_j half-wins over and L_j against the ranked model j, the estimate is the maximum of

    Σ_j S_j log σ(θ − θ_j) + L_j log σ(θ_j − θ)  +  ¼ log σ(θ) + ¼ log σ(−θ)

The last two terms are the phantom: half a battle against the average ranked model (θ = 0, rating 1000), a quarter of a
win each way. Battles with other unranked models are ignored, because those models have no fixed rating; a model without
battles against ranked models has only the phantom: 1000.

The phantom meets the average model and not the real opponents, so that one formula serves models with and without
opponents. The curve is strictly concave with a proper prior, so there is always exactly one finite maximum. The
interval of `streams.ratings.score_interval` uses the votes without the phantom.
"""

from __future__ import annotations

import numpy as np

from streams.ratings.newton import CLOSE, LIMIT, LONGEST, NotConverged, Stop, Vector
from streams.ratings.pairs import tails
from streams.ratings.score_interval import Results

PHANTOM = 0.25  # wins each way


def estimate(results: Results) -> Vector:
    """Estimate K unranked models, each on its own, against ranked ones.

    Parameters
    ----------
    results
        Their results against ranked models, whose ratings are in logits, Σθ = 0. A model may have no pair.

    Returns
    -------
    θ, float64[K], logits, always finite. It depends on the arguments alone: there is no warm start.

    Examples
    --------
    >>> five = Results(1, np.zeros(1, int), *(np.full(1, each) for each in (0.0, 5.0, 0.0, 0.0, 5.0)))
    >>> round(1000 + 173.7178 * estimate(five)[0])
    1529
    """
    point = np.zeros(results.models)
    for _ in range(LIMIT):
        gradient, curvature = _derivatives(results, point)
        step = np.clip(gradient / curvature, -LONGEST, LONGEST)
        point = point + step
        if np.abs(step).max(initial=0.0) <= CLOSE:
            return point
    raise NotConverged(Stop.LIMIT)


def _derivatives(results: Results, point: Vector) -> tuple[Vector, Vector]:
    p, q = tails(point[results.model] - results.opponent)
    above, below = tails(point)
    gradient = results.total(results.won * q - results.lost * p) + PHANTOM * (below - above)
    curvature = results.total((results.won + results.lost) * (p * q)) + 2.0 * PHANTOM * above * below
    return gradient, curvature
