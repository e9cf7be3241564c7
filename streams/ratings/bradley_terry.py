"""The Bradley-Terry model: exact maximum likelihood from pair counts, half a win for a draw.

P(i beats j) = p_ij = σ(θ_i − θ_j). With wins W, draws T (symmetric), S = W + T/2 and n = S + Sᵀ

    gradient  g_i = Σ_j S_ij p_ji − S_ji p_ij
    Hessian   H = diag(Σ_j h_ij) − h,  h = n·p·q,  q_ij = p_ji

Only differences of θ are determined: a term −½c(Σθ)², c = Σn/M³, enforces the gauge Σθ = 0. It adds J = c·11ᵀ to H, on
the scale of H, and is not a ridge: it changes no difference. The gradient is summed pair by pair,
S_ij q_ij − S_ji p_ij, because s_i − Σ n_ij p_ij loses ten digits at 1,000,000:1.

References
----------
.. [1] R. A. Bradley, M. E. Terry, "Rank analysis of incomplete block designs I", Biometrika 39 (1952).
.. [2] D. R. Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.ratings.components import strong_components, win_graph
from streams.ratings.newton import Matrix, NotConverged, Stop, Vector, VoteMatrix, climb_warm
from streams.ratings.pairs import chances, farthest_apart, half_wins


@dataclass(frozen=True, slots=True)
class Fit:
    """A maximum, and how it was reached.

    Attributes
    ----------
    theta
        float64[M], logits, Σθ = 0; a function of the counts (and weights) alone, to the bit.
    iterations
        Newton steps taken. Depends on the start.
    gradient_norm
        max |g_i| at ``theta``, in (weighted) wins.
    hessian
        float64[M, M] minus the second derivatives at ``theta``, without the gauge term: singular along 1.
    """

    theta: Vector
    iterations: int
    gradient_norm: float
    hessian: Matrix


def fit(
    wins: VoteMatrix,
    draws: VoteMatrix,
    *,
    weights: Matrix | None = None,
    start: Vector | None = None,
    connected: bool = False,
) -> Fit:
    """Fit one strongly connected set of models.

    Parameters
    ----------
    wins
        [M, M] wins of row over column, diagonal 0.
    draws
        [M, M] draws, symmetric, diagonal 0.
    weights
        float64[M, M], symmetric, > 0: every vote of the pair counts this much.
    start
        float64[M], logits; the starting point. Saves steps and changes nothing else.
    connected
        The caller knows that the set is strongly connected: skip the check.

    Raises
    ------
    NotConverged
        When the set is not strongly connected (``separable``), or the ascent fails.

    Examples
    --------
    >>> found = fit(np.array([[0, 3], [1, 0]]), np.zeros((2, 2)))
    >>> np.allclose(found.theta, [np.log(3) / 2, -np.log(3) / 2], rtol=0, atol=1e-15)
    True
    """
    if not connected and strong_components(win_graph(wins, draws)).any():
        raise NotConverged(Stop.SEPARABLE)
    models = wins.shape[0]
    if models < 2:
        return Fit(np.zeros(models), 0, 0.0, np.zeros((models, models)))
    scores = half_wins(wins, draws, weights)
    played = scores + scores.T
    met = played > 0
    gauge = played.sum() / models**3

    def derivatives(theta: Vector) -> tuple[Vector, Matrix]:
        gradient, hessian = _derivatives(scores, played, theta)
        hessian += gauge
        return gradient - gauge * theta.sum(), hessian

    def reach(step: Vector) -> float:
        return farthest_apart(step, met)

    warm = None if start is None else start - start.mean()
    theta, iterations = climb_warm(derivatives, reach, warm, np.zeros(models))
    theta = theta - theta.mean()
    gradient, hessian = _derivatives(scores, played, theta)
    return Fit(theta, iterations, float(np.abs(gradient).max()), hessian)


def _derivatives(scores: Matrix, played: Matrix, theta: Vector) -> tuple[Vector, Matrix]:
    p = chances(theta)
    gained = scores * p.T
    gradient = gained.sum(axis=1) - gained.sum(axis=0)
    hessian = np.multiply(p, p.T, out=gained)
    hessian *= played
    diagonal = hessian.sum(axis=1)
    np.negative(hessian, out=hessian)
    hessian.flat[:: diagonal.size + 1] += diagonal
    return gradient, hessian
