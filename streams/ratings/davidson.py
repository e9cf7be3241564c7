"""Davidson's model: draws as an outcome of their own, on the same pair counts.

With d = θ_i − θ_j, η = log ν and Z = e^{d/2} + e^{−d/2} + ν

    P(i beats j) = e^{d/2}/Z,  P(draw) = ν/Z

an exponential family in (θ, η): a win counts +½ in d, a draw 1 in η. Newton's ascent maximises over all M + 1
parameters. Draws as half wins compress the Bradley-Terry scale (a slope of 0.67 against a Davidson truth); here they do
not. Newman's v [2]_ is ν/2.

Without draws, ν = 0 and this is Bradley-Terry. A strongly connected win graph is not enough for a maximum here: when A
beat B three times, drew twice and never lost, the likelihood grows without bound with ν and the gap. Let a step from
the winner to the loser of a vote gain one, and a step between the two models of a draw cost one. Then, given strong
connection and draws, there is a maximum if and only if some round trip gains: no direction (d, e) then raises or keeps
the probability of every observed outcome. For e > 0 the observed outcomes would have to be the likeliest along it,
d_i − d_j ≥ 2e where i beat j and |d_i − d_j| ≤ 2e where they drew, and these inequalities have a solution unless a
round trip gains; for e < 0 no draw could be observed, and for e = 0 the win graph would not be strongly connected. Two
models that beat each other are such a round trip. Without one, the fit raises before it starts.

References
----------
.. [1] R. R. Davidson, "On extending the Bradley-Terry model to accommodate ties", JASA 65 (1970).
.. [2] M. E. J. Newman, "Efficient computation of rankings from pairwise comparisons", JMLR 24 (2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.ratings import bradley_terry
from streams.ratings.components import strong_components, win_graph
from streams.ratings.newton import Matrix, NotConverged, Stop, Vector, VoteMatrix, climb_warm
from streams.ratings.pairs import WIDE, farthest_apart

FARTHEST = 40.0  # |log ν|; one draw in e⁴⁰ votes is beyond any data


@dataclass(frozen=True, slots=True)
class DavidsonFit:
    """A maximum of Davidson's likelihood.

    Attributes
    ----------
    theta
        float64[M], logits, Σθ = 0.
    tie
        ν ≥ 0: between equals the odds of a draw are ν : 2.
    iterations, gradient_norm
        As in :class:`streams.ratings.bradley_terry.Fit`, the tie parameter included.
    """

    theta: Vector
    tie: float
    iterations: int
    gradient_norm: float


def fit(
    wins: VoteMatrix, draws: VoteMatrix, *, weights: Matrix | None = None, start: Vector | None = None
) -> DavidsonFit:
    """Fit one strongly connected set of models; parameters and errors as in :func:`bradley_terry.fit`.

    Raises
    ------
    NotConverged
        With ``separable`` also when no round trip gains, see the module's docstring.

    Examples
    --------
    Two models, as many draws as wins: P(draw) = ½ between equals is ν = 2.

    >>> found = fit(np.array([[0, 5], [5, 0]]), np.array([[0, 10], [10, 0]]))
    >>> round(found.tie, 12), found.theta.tolist()
    (2.0, [0.0, 0.0])
    """
    if not draws.any():
        plain = bradley_terry.fit(wins, draws, weights=weights, start=start)
        return DavidsonFit(plain.theta, 0.0, plain.iterations, plain.gradient_norm)
    if strong_components(win_graph(wins, draws)).any() or not has_gain(wins > 0, draws > 0):
        raise NotConverged(Stop.SEPARABLE)
    models = wins.shape[0]
    won = np.asarray(wins if weights is None else wins * weights, dtype=np.float64)
    drew = np.asarray(draws if weights is None else draws * weights, dtype=np.float64)
    played = won + won.T + drew
    met = played > 0
    gauge = played.sum() / models**3

    def derivatives(point: Vector) -> tuple[Vector, Matrix]:
        if abs(point[-1]) > FARTHEST:
            raise NotConverged(Stop.SEPARABLE)
        gradient, hessian = _derivatives(won, drew, played, point)
        gradient[:-1] -= gauge * point[:-1].sum()
        hessian[:-1, :-1] += gauge
        return gradient, hessian

    def reach(step: Vector) -> float:
        apart, ties = farthest_apart(step[:-1], met), abs(float(step[-1]))
        return max(apart, 0.5 * apart + ties)

    eta = _even_odds(won, drew)
    warm = None if start is None else np.append(start - start.mean(), eta)
    point, iterations = climb_warm(derivatives, reach, warm, np.append(np.zeros(models), eta))
    point[:-1] -= point[:-1].mean()
    gradient, _ = _derivatives(won, drew, played, point)
    return DavidsonFit(point[:-1], float(np.exp(point[-1])), iterations, float(np.abs(gradient).max()))


def has_gain(beat: NDArray[np.bool_], drew: NDArray[np.bool_]) -> bool:
    """Whether some round trip has more wins than draws.

    Parameters
    ----------
    beat
        bool[M, M], row beat column at least once.
    drew
        bool[M, M], symmetric.

    Examples
    --------
    p beat q and drew with q; q never won: one win out, one draw back.

    >>> beat, drew = np.array([[False, True], [False, False]]), np.array([[False, True], [True, False]])
    >>> has_gain(beat, drew), has_gain(beat | beat.T, drew)
    (False, True)
    """
    if (beat & beat.T).any():
        return True
    # Longest walks by Bellman-Ford: when no round trip gains, they have at most M − 1 steps.
    winner, loser = np.nonzero(beat)
    one, other = np.nonzero(drew)
    gained = np.zeros(len(beat), np.int64)
    for _ in range(len(beat)):
        longer = gained.copy()
        np.maximum.at(longer, loser, gained[winner] + 1)
        np.maximum.at(longer, other, gained[one] - 1)
        if np.array_equal(longer, gained):
            return False
        gained = longer
    return True


def _even_odds(won: Matrix, drew: Matrix) -> float:
    # η if all models were equal: P(draw)/P(no draw) = ν/2, each draw being counted on both sides of ``drew``.
    return float(np.log(drew.sum() / won.sum()))


def _outcomes(theta: Vector, eta: float) -> tuple[Matrix, Matrix]:
    """P(win) of row over column and P(draw), each to full relative precision."""
    if np.ptp(theta) < WIDE:
        root = np.exp(0.5 * (theta - theta.mean()))
        win = np.repeat((root * root)[:, None], root.size, axis=1)
        tie = np.multiply.outer(root * np.exp(eta), root)
    else:
        half = 0.5 * (theta[:, None] - theta)
        top = np.maximum(np.abs(half), eta)  # the largest of the three exponents: nothing overflows
        win, tie = np.exp(half - top), np.exp(eta - top)
    total = win + win.T + tie
    win /= total
    tie /= total
    return win, tie


def _derivatives(won: Matrix, drew: Matrix, played: Matrix, point: Vector) -> tuple[Vector, Matrix]:
    models = point.size - 1
    win, tie = _outcomes(point[:-1], float(point[-1]))
    decisive, lean = win + win.T, 0.5 * (win - win.T)

    # Sum by outcome (a win gains 1 − P(win) − ½P(draw)): large counts times small probabilities keep their digits.
    gained = won * (win.T + 0.5 * tie) - 0.5 * drew * lean
    gradient = np.empty(models + 1)
    gradient[:-1] = gained.sum(axis=1) - gained.sum(axis=0)
    gradient[-1] = 0.5 * np.vdot(drew, decisive) - np.vdot(won, tie)

    ties = played * tie
    spread = 0.25 * ties * decisive + played * (win * win.T)
    hessian = np.empty((models + 1, models + 1))
    hessian[:-1, :-1] = -spread
    hessian.flat[: models * (models + 1) : models + 2] += spread.sum(axis=1)
    hessian[:-1, -1] = hessian[-1, :-1] = -np.einsum("ij,ij->i", ties, lean)
    hessian[-1, -1] = 0.5 * np.vdot(ties, decisive)
    return gradient, hessian
