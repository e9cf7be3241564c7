"""Models that cannot be ranked yet: a cautious estimate for each, alone, against the ranked ratings as they stand.

For one model with S_j half-wins over and L_j against the ranked model j, the maximum of

    Σ_j S_j log σ(θ − θ_j) + L_j log σ(θ_j − θ)  +  ¼ log σ(θ) + ¼ log σ(−θ)

The last two terms are the phantom: half a battle against the average ranked model (θ = 0, rating 1000), shared by both
sides, a quarter of a win each way. Interval: ±1.96/√curvature, the ranked ratings taken as exact. Battles with other
unranked models say nothing here, there being nothing fixed to measure them by; a model with no others, or with none at
all, is left with the phantom: 1000 ± 963.

*Why a quarter.* The project's reference figure is "half a phantom win each way: 5-0 gives 1568 ± 697". A half-width of
697 points is a curvature of 5.25·0.25/5.5, a half battle in all; two half wins would give ±503. With the half battle,
5-0 against the leader of a 62:38 arena of two gives 1568 ± 697, and against an average opponent 1529 ± 697.

The phantom meets the average model and not the real opponents, so that one formula serves models with opponents and
without. The curve is strictly concave with a proper prior: there is always exactly one finite maximum.
"""

from __future__ import annotations

import numpy as np

from streams.ratings.newton import CLOSE, LIMIT, LONGEST, Matrix, NotConverged, Stop, Vector
from streams.ratings.pairs import tails

PHANTOM = 0.25  # wins each way


def estimate(won: Matrix, lost: Matrix, theta: Vector) -> tuple[Vector, Vector]:
    """Estimate K unranked models, each on its own, against R ranked ones.

    Parameters
    ----------
    won, lost
        float64[K, R] half-wins (win 1, draw ½, weighted or not) for and against the unranked model.
    theta
        float64[R], logits, of the ranked models, Σθ = 0. R = 0 is allowed.

    Returns
    -------
    θ and its standard error, float64[K] each, logits, always finite. They depend on nothing but the arguments: there
    is no warm start.

    Examples
    --------
    >>> theta, error = estimate(np.array([[5.0]]), np.array([[0.0]]), np.array([0.0]))
    >>> round(1000 + 173.7178 * theta[0]), round(1.96 * 173.7178 * error[0])
    (1529, 697)
    """
    models = won.shape[0]
    opponents = np.append(theta, 0.0)
    phantom = np.full((models, 1), PHANTOM)
    won, lost = np.hstack([won, phantom]), np.hstack([lost, phantom])
    met = won.any(axis=0) | lost.any(axis=0)
    won, lost, opponents = won[:, met], lost[:, met], opponents[met]
    point = np.zeros(models)
    for _ in range(LIMIT):
        gradient, curvature = _derivatives(won, lost, point[:, None] - opponents)
        step = np.clip(gradient / curvature, -LONGEST, LONGEST)
        point = point + step
        if np.abs(step).max(initial=0.0) <= CLOSE:
            return point, 1.0 / np.sqrt(_derivatives(won, lost, point[:, None] - opponents)[1])
    raise NotConverged(Stop.LIMIT)


def _derivatives(won: Matrix, lost: Matrix, gap: Matrix) -> tuple[Vector, Vector]:
    p, q = tails(gap)
    gradient: Vector = (won * q - lost * p).sum(axis=1)
    curvature: Vector = ((won + lost) * (p * q)).sum(axis=1)
    return gradient, curvature
