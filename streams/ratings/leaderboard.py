"""From counts to a leaderboard: ranked models → maximum likelihood → intervals → ranks; then estimates of the rest.

Unranked models do not affect the ranked ones, which are fitted as if the others were not there, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.ratings import davidson as ties_as_ties
from streams.ratings import provisional
from streams.ratings.components import strong_components
from streams.ratings.evidence import Core, find_core
from streams.ratings.field import Field, bounds, bounds_of_rest, results_of_rest, settle
from streams.ratings.met import Met
from streams.ratings.newton import NotConverged, Stop, Vector
from streams.ratings.pairs import POINTS_PER_LOGIT
from streams.ratings.provisional import ProvisionalReason, find_reasons
from streams.ratings.quasi_variances import quasi_variances

__all__ = ["CENTRE", "Solution", "solve", "solve_met"]

CENTRE = 1000.0
Counts = NDArray[np.integer]


class Withheld(StrEnum):
    """Why a board has no Davidson ratings."""

    NOBODY_RANKED = "nobody_ranked"
    NO_MAXIMUM = "no_maximum"  # the likelihood grows without bound
    NOT_CONVERGED = "not_converged"  # there is a maximum, and it was not reached


@dataclass(frozen=True, slots=True)
class Solution:
    """A leaderboard; arrays are of length M, in the order of the counts, and always finite unless said otherwise.

    Ratings of ranked models refer to their mean or, anchored, to that of the anchors, and so do the intervals.

    Attributes
    ----------
    theta
        Logits, Σθ = 0 over the ranked models. Pass it to the next ``solve`` as ``start``.
    rating, lower, upper
        Points: 1000 + 400/ln 10·θ (anchored: shifted), and the 95 % interval: −inf or inf where it is open.
    rank
        int64, from 1; 0 where the model is provisional.
    davidson
        Points on the same scale with draws as draws; nan where provisional, not requested, or where Davidson's
        likelihood has no maximum.
    withheld
        Why `davidson` has no number although it was requested; None where it has.
    quasi_variance
        Points²; nan where provisional, not requested, or where they do not exist.
    provisional
        bool, not ranked.
    reason
        Why, or None where ranked.
    anchored
        Whether the anchors were applied: they shift the ratings only when all of them are ranked.
    least
        Votes against ranked models that a rank needs here.
    dispersion
        φ, see `streams.ratings.score_interval`; nan where no model is ranked.
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
    reason: tuple[ProvisionalReason | None, ...]
    anchored: bool
    least: float
    dispersion: float
    components: int
    iterations: int
    gradient_norm: float


def solve(
    wins: ArrayLike,
    ties: ArrayLike,
    both_bad: ArrayLike,
    *,
    start: Vector | None = None,
    reweighted: bool = False,
    least: int = 0,
    widest: float = 0.0,
    anchors: tuple[int, ...] = (),
    anchor_rating: float = CENTRE,
    davidson: bool = False,
    quasi: bool = False,
) -> Solution:
    """Rate every model on one board from matrices; see `solve_met`.

    Parameters
    ----------
    wins
        int[M, M], array or lists; ``wins[i, j]`` votes for i over j, whichever side i was shown on.
    ties, both_bad
        int[M, M]; ``[i, j]`` votes on battles shown as (a = i, b = j). Only ``[i, j] + [j, i]`` matters.
    start
        float64[≤ M], an earlier ``Solution.theta``; models beyond its end and values that are not finite start at 0.
        It saves steps and changes no bit of the ratings.
    reweighted
        Weigh pairs by inverse frequency, see `streams.ratings.pairs.pair_weights`.
    least
        Votes against ranked models that a rank needs; 0: see :mod:`streams.ratings.evidence`.
    widest
        Points: a model whose 95 % interval is wider from end to end is not ranked; 0: however wide.
    anchors, anchor_rating
        Shift all ratings so that the mean of the anchors is `anchor_rating`; intervals are then of the difference to
        that mean, and a single anchor has none. When an anchor is not ranked nothing is shifted.
    davidson
        Also rate by Davidson's model: three times the total cost.
    quasi
        Also compute the quasi-variances.

    Raises
    ------
    ValueError
        Counts that are negative, not whole numbers, not square, or on the diagonal: a model never meets itself.
    NotConverged
        See :mod:`streams.ratings.newton`. Not seen for counts up to 1,000,000:1.

    Examples
    --------
    >>> board = solve(np.array([[0, 6, 5], [2, 0, 0], [0, 0, 0]]), np.zeros((3, 3), int), np.zeros((3, 3), int))
    >>> board.rating.round(1).tolist(), board.rank.tolist(), [str(r) for r in board.reason]
    ([1095.4, 904.6, 555.6], [1, 1, 0], ['None', 'None', 'winless'])
    """
    met = Met.of(*_counts(wins, ties, both_bad))
    return solve_met(
        met,
        start=start,
        reweighted=reweighted,
        least=least,
        widest=widest,
        anchors=anchors,
        anchor_rating=anchor_rating,
        davidson=davidson,
        quasi=quasi,
    )


def solve_met(
    met: Met,
    *,
    start: Vector | None = None,
    reweighted: bool = False,
    least: int = 0,
    widest: float = 0.0,
    anchors: tuple[int, ...] = (),
    anchor_rating: float = CENTRE,
    davidson: bool = False,
    quasi: bool = False,
) -> Solution:
    """Rate every model on one board from the pairs that met.

    Matrices hold only the ranked models: models that met few others cost only their pairs, however many they are.

    Parameters
    ----------
    met
        Counts; no model meets itself.
    start, reweighted, least, widest, anchors, anchor_rating, davidson, quasi
        As in `solve`.
    """
    edges = _win_graph(met)
    labels, voted = strong_components(edges), met.voted
    core, field, ends, wide = _rank(met, edges, start, anchors, least, widest, reweighted=reweighted)
    ranked, of_field = core.ranked, field.fit.theta
    theta, lower, upper = (np.zeros(ranked.size) for _ in range(3))
    theta[ranked], (lower[ranked], upper[ranked]) = of_field, ends
    theta[~ranked], lower[~ranked], upper[~ranked] = _estimate_rest(met, field, ranked, reweighted=reweighted)
    origin = float(field.origin @ of_field) if field.anchored else 0.0
    centre = anchor_rating if field.anchored else CENTRE
    rating, lower, upper = (centre + POINTS_PER_LOGIT * (each - origin) for each in (theta, lower, upper))
    rank = np.zeros(ranked.size, dtype=np.int64)
    rank[ranked] = ranks(lower[ranked], upper[ranked])
    with_draws, quasi_variance = np.full(ranked.size, np.nan), np.full(ranked.size, np.nan)
    withheld: Withheld | None = None
    if davidson:
        found, withheld = _davidson(field)
        with_draws[ranked] = centre + POINTS_PER_LOGIT * (found - (field.origin @ found if field.anchored else 0.0))
    if quasi and (variances := quasi_variances(field.spread.covariance)) is not None:
        quasi_variance[ranked] = POINTS_PER_LOGIT**2 * variances
    return Solution(
        theta=theta,
        rating=rating,
        lower=lower,
        upper=upper,
        rank=rank,
        davidson=with_draws,
        withheld=withheld,
        quasi_variance=quasi_variance,
        provisional=~ranked,
        reason=find_reasons(met, labels, ranked, wide, core.least),
        anchored=field.anchored,
        least=core.least,
        dispersion=field.dispersion,
        components=np.unique(labels[met.per_model(voted, voted) > 0]).size,
        iterations=field.fit.iterations,
        gradient_norm=field.fit.gradient_norm,
    )


def _rank(
    met: Met,
    edges: NDArray[np.bool_],
    start: Vector | None,
    anchors: tuple[int, ...],
    least: int,
    widest: float,
    *,
    reweighted: bool,
) -> tuple[Core, Field, tuple[Vector, Vector], NDArray[np.bool_]]:
    """Return the ranked models, their fit, their intervals' ends, and the mask of models with too wide an interval."""
    out = np.zeros(met.models, np.bool_)
    while True:
        core = find_core(met, edges, least, ~out)
        field = settle(met, core, start, anchors, reweighted=reweighted)
        lower, upper = bounds(field)
        wide = np.zeros_like(out)
        wide[core.ranked] = (upper - lower) * POINTS_PER_LOGIT > (widest or np.inf)
        if not wide.any():
            return core, field, (lower, upper), out
        out |= wide  # without these models the other intervals may widen, or too few models remain


def _counts(*matrices: ArrayLike) -> list[Counts]:
    """Return the three matrices as arrays, checked."""
    given = [np.asarray(each) for each in matrices]
    wins, ties, both_bad = given
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or not wins.shape == ties.shape == both_bad.shape:
        raise ValueError("counts must be three square matrices of the same size")
    for counts in given:
        if counts.dtype.kind not in "biuf" or not (np.isfinite(counts) & (counts == np.floor(counts))).all():
            raise ValueError("counts must be whole numbers")
        if counts.min(initial=0) < 0:
            raise ValueError("counts must not be negative")
        if counts.diagonal().any():
            raise ValueError("a model cannot meet itself")
    return given


def _win_graph(met: Met) -> NDArray[np.bool_]:
    """Edges "beat or drew with", bool[M, M]."""
    edges = np.zeros(met.models * met.models, np.bool_)
    drawn = met.drawn
    # Pairs are unique, so each index occurs once.
    edges[met.first * met.models + met.second] = (met.won + drawn) > 0
    edges[met.second * met.models + met.first] |= (met.lost + drawn) > 0
    return edges.reshape(met.models, met.models)


def _estimate_rest(
    met: Met, field: Field, ranked: NDArray[np.bool_], *, reweighted: bool
) -> tuple[Vector, Vector, Vector]:
    """Estimate θ and interval ends of each unranked model from its votes against ranked models, float64[K] each."""
    if ranked.all():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    results, opponents = results_of_rest(met, ranked, field.fit.theta, reweighted=reweighted)
    theta = provisional.estimate(results)
    lower, upper = bounds_of_rest(field, results, opponents, theta)
    # Far from the average model, which the phantom meets, it can pull an estimate out of the interval.
    return np.clip(theta, lower, upper), lower, upper


def _davidson(field: Field) -> tuple[Vector, Withheld | None]:
    nothing = np.full(field.fit.theta.size, np.nan)
    if not nothing.size:
        return nothing, Withheld.NOBODY_RANKED
    try:
        return ties_as_ties.fit(field.wins, field.draws, weights=field.weights, start=field.fit.theta).theta, None
    except NotConverged as error:
        return nothing, Withheld.NO_MAXIMUM if error.reason is Stop.SEPARABLE else Withheld.NOT_CONVERGED


def ranks(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.int64]:
    """Compute rank_i = 1 + #{j : lower_j > upper_i}, strict: intervals that touch do not outrank.

    One sort instead of M² comparisons: O(M log M).

    Parameters
    ----------
    lower, upper
        float64[M], bounds in any one unit.

    Returns
    -------
    int64[M], from 1.

    Examples
    --------
    >>> ranks(np.array([5.0, 4.0, 1.0]), np.array([7.0, 6.0, 4.5])).tolist()
    [1, 1, 2]
    """
    above = lower.size - np.searchsorted(np.sort(lower), upper, side="right")
    return np.asarray(above + 1, dtype=np.int64)
