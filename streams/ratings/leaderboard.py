"""From counts to a leaderboard: components → maximum likelihood → intervals → ranks, and a cautious word on the rest.

Stray models move nobody: the maximum restricted to a component is the maximum of that component alone, so the ranked
models are fitted as if the others were not there, to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.ratings import bradley_terry, intervals, provisional
from streams.ratings import davidson as ties_as_ties
from streams.ratings.components import largest_component, strong_components
from streams.ratings.intervals import NORMAL_95
from streams.ratings.met import Met
from streams.ratings.newton import Matrix, NotConverged, Vector
from streams.ratings.pairs import POINTS_PER_LOGIT, half_wins
from streams.ratings.ranks import ranks
from streams.ratings.reweight import pair_weights
from streams.ratings.solution import Reason, Solution

__all__ = ["CENTRE", "Reason", "Solution", "solve", "solve_met"]

CENTRE = 1000.0
Counts = NDArray[np.integer]


def solve(
    wins: Counts,
    ties: Counts,
    both_bad: Counts,
    *,
    start: Vector | None = None,
    reweighted: bool = False,
    anchor: tuple[int, float] | None = None,
    davidson: bool = False,
) -> Solution:
    """Rate every model on one board; `solve_met` of matrices.

    Parameters
    ----------
    wins
        int[M, M]; ``wins[i, j]`` votes for i over j, whichever side i was shown on.
    ties, both_bad
        int[M, M]; ``[i, j]`` votes on battles shown as (a = i, b = j). Only ``[i, j] + [j, i]`` matters.
    start
        float64[≤ M], an earlier ``Solution.theta``; models beyond its end and values that are not finite start at 0.
        It saves steps and changes no bit of the ratings.
    reweighted
        Weigh pairs by inverse frequency, see :mod:`streams.ratings.reweight`.
    anchor
        (index, rating): shift all ratings so that this model has that one.
    davidson
        Also rate by Davidson's model: three times the cost in all.

    Raises
    ------
    ValueError
        Counts that are negative, not square, or on the diagonal: a model never meets itself.
    NotConverged
        See :mod:`streams.ratings.newton`. Not seen for counts up to 1,000,000:1.

    Examples
    --------
    >>> board = solve(np.array([[0, 3, 5], [1, 0, 0], [0, 0, 0]]), np.zeros((3, 3), int), np.zeros((3, 3), int))
    >>> board.rating.round(1).tolist(), board.rank.tolist(), [str(r) for r in board.reason]
    ([1095.4, 904.6, 555.6], [1, 1, 0], ['None', 'None', 'winless'])
    """
    _check(wins, ties, both_bad)
    met = Met.of(wins, ties, both_bad)
    return solve_met(met, start=start, reweighted=reweighted, anchor=anchor, davidson=davidson)


def solve_met(
    met: Met,
    *,
    start: Vector | None = None,
    reweighted: bool = False,
    anchor: tuple[int, float] | None = None,
    davidson: bool = False,
) -> Solution:
    """Rate every model on one board from the pairs that met.

    Matrices are made of the ranked models alone: who met few others costs what their pairs cost, however many they are.

    Parameters
    ----------
    met
        Counts; no model meets itself.
    start, reweighted, anchor, davidson
        As in `solve`.
    """
    labels, voted = strong_components(_win_graph(met)), met.voted
    ranked = largest_component(labels, met.first, met.second, voted)
    wins, draws = met.matrices(ranked)
    core_weights = pair_weights(wins + wins.T + draws) if reweighted else None
    core_wins, core_draws = wins.astype(np.float64), draws.astype(np.float64)
    fit = bradley_terry.fit(core_wins, core_draws, weights=core_weights, start=_start(start, ranked), connected=True)
    theta, error = np.zeros(ranked.size), np.zeros(ranked.size)
    theta[ranked] = fit.theta
    error[ranked] = intervals.standard_errors(core_wins, core_draws, fit, weights=core_weights)
    theta[~ranked], error[~ranked] = _estimate_rest(met, ranked, fit.theta, reweighted=reweighted)

    pinned = anchor if anchor is not None and ranked[anchor[0]] else None
    rating = _points(theta, pinned)
    half_width = NORMAL_95 * POINTS_PER_LOGIT * error
    lower, upper = rating - half_width, rating + half_width
    rank = np.zeros(ranked.size, dtype=np.int64)
    rank[ranked] = ranks(lower[ranked], upper[ranked])
    with_draws = np.full(ranked.size, np.nan)
    if davidson:
        with_draws[ranked] = _davidson(core_wins, core_draws, core_weights, fit.theta)
    return Solution(
        theta=theta,
        rating=rating,
        lower=lower,
        upper=upper,
        rank=rank,
        davidson=_points(with_draws, pinned),
        provisional=~ranked,
        reason=_reasons(met, ranked),
        anchored=pinned is not None,
        components=np.unique(labels[met.per_model(voted, voted) > 0]).size,
        iterations=fit.iterations,
        gradient_norm=fit.gradient_norm,
    )


def _check(wins: Counts, ties: Counts, both_bad: Counts) -> None:
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or not wins.shape == ties.shape == both_bad.shape:
        raise ValueError("counts are three square matrices of one size")
    for counts in (wins, ties, both_bad):
        if counts.min(initial=0) < 0:
            raise ValueError("counts are not negative")
        if counts.diagonal().any():
            raise ValueError("a model does not meet itself")


def _win_graph(met: Met) -> NDArray[np.bool_]:
    """Edges "beat or drew with", bool[M, M]."""
    edges = np.zeros((met.models, met.models), np.bool_)
    up, down = (met.won > 0) | (met.drawn > 0), (met.lost > 0) | (met.drawn > 0)
    edges[met.first[up], met.second[up]] = True
    edges[met.second[down], met.first[down]] = True
    return edges


def _start(start: Vector | None, ranked: NDArray[np.bool_]) -> Vector | None:
    if start is None:
        return None
    known = np.zeros(ranked.size)
    known[: start.size] = np.where(np.isfinite(start), start, 0.0)
    return known[ranked]


def _estimate_rest(met: Met, ranked: NDArray[np.bool_], theta: Vector, *, reweighted: bool) -> tuple[Vector, Vector]:
    """Estimate the others, each from its votes against ranked models: matrices of those of them who were met."""
    if ranked.all():
        return np.zeros(0), np.zeros(0)
    others = np.cumsum(~ranked) - 1
    across = (ranked[met.first] != ranked[met.second]) & (met.voted > 0)
    swapped = ranked[met.first[across]]  # the other one was shown second
    pair = np.stack([met.first[across], met.second[across]])
    pair[:, swapped] = pair[::-1, swapped]
    opponents, column = np.unique(pair[1], return_inverse=True)
    wins, losses, draws = (np.zeros((int((~ranked).sum()), opponents.size), np.int64) for _ in range(3))
    place = (others[pair[0]], column)
    won, lost = met.won[across], met.lost[across]
    np.add.at(wins, place, np.where(swapped, lost, won))
    np.add.at(losses, place, np.where(swapped, won, lost))
    np.add.at(draws, place, met.drawn[across])
    weights = pair_weights(wins + losses + draws) if reweighted else None
    known = theta[(np.cumsum(ranked) - 1)[opponents]]
    return provisional.estimate(half_wins(wins, draws, weights), half_wins(losses, draws, weights), known)


def _davidson(wins: Matrix, draws: Matrix, weights: Matrix | None, theta: Vector) -> Vector:
    try:
        return ties_as_ties.fit(wins, draws, weights=weights, start=theta).theta
    except NotConverged:
        return np.full(theta.size, np.nan)


def _points(theta: Vector, pinned: tuple[int, float] | None) -> Vector:
    index, rating = pinned if pinned is not None else (0, CENTRE)
    origin = theta[index] if pinned is not None else 0.0
    return np.asarray(rating + POINTS_PER_LOGIT * (theta - origin), dtype=np.float64)


def _reasons(met: Met, ranked: NDArray[np.bool_]) -> tuple[Reason | None, ...]:
    reasons: list[Reason | None] = [None] * ranked.size
    if ranked.all():
        return tuple(reasons)
    votes = met.per_model(met.voted, met.voted)
    won, lost = met.per_model(met.won, met.lost), met.per_model(met.lost, met.won)
    mainland = _reachable(met, ranked)
    for model in np.flatnonzero(~ranked).tolist():
        if votes[model] == 0:
            reasons[model] = Reason.NO_VOTES
        elif won[model] == votes[model]:
            reasons[model] = Reason.UNDEFEATED
        elif lost[model] == votes[model]:
            reasons[model] = Reason.WINLESS
        else:
            reasons[model] = Reason.BRIDGE if mainland[model] else Reason.ISLAND
    return tuple(reasons)


def _reachable(met: Met, start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Everybody who is connected to one of `start` by votes; each model's row is looked at once."""
    voted = met.voted > 0
    know = np.zeros((met.models, met.models), np.bool_)
    know[met.first[voted], met.second[voted]] = know[met.second[voted], met.first[voted]] = True
    reached, frontier = start.copy(), start
    while frontier.any():
        frontier = know[frontier].any(axis=0) & ~reached
        reached |= frontier
    return reached
