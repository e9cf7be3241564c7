"""The settled field: the ranked models, fitted as if there were no others, and every model's interval from that fit.

There are two kinds of intervals. A ranked model with at least 100 votes has the sandwich interval, its rating ± 1.96
standard errors. With fewer, or with results that vary less than a quarter of the board's usual variance (such as ties
alone), its own residuals are a poor measure of its error: with 30 votes the sandwich interval covers 93 %. It then has
the score interval, see `streams.ratings.score_interval`, as have all unranked models. φ there is the board's, or the
model's own where that is larger: models far from the others have fewer ties. The score test treats the opponents'
ratings as known. To add their uncertainty and the origin's, φ of a model is multiplied by (variance of its rating in
the fit) / (variance with the opponents given).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from streams.ratings import bradley_terry
from streams.ratings.bradley_terry import Fit
from streams.ratings.evidence import Core, Mask
from streams.ratings.intervals import NORMAL_95, SandwichCovariance
from streams.ratings.met import Met, Numbers
from streams.ratings.newton import Matrix, Vector
from streams.ratings.pairs import half_wins, pair_weights
from streams.ratings.score_interval import Results, information, score_interval, squares

SURE = 100
"""Number of votes from which a model's own residuals are a reliable measure of its error."""
PRIOR = 1.0
"""Information of the pseudo-votes, with the board's dispersion, added to a model's own: four votes between equals."""
UNUSUAL = 0.25
"""Fraction of the board's dispersion below which a model's own is unreliable."""


@dataclass(frozen=True, slots=True)
class Field:
    """R ranked models; arrays are of that length, in their order.

    Attributes
    ----------
    wins, draws, weights
        float64[R, R], as fitted; `weights` is None when unweighted.
    votes
        int64[R], votes among each other.
    fit, spread
        The maximum and its sandwich.
    information
        float64[R], Σ w²·n·pq: variance of each model's score if there were no draws.
    dispersion
        φ = Σ(x − p)²/Σ pq over all votes and one pseudo-vote of dispersion 1 per model: fitting one rating per model
        makes the residuals too small. nan where R = 0.
    origin
        float64[R], sum 1: weights of the mean from which the intervals are measured.
    anchored
        Whether that is the mean of the anchors rather than of all.
    """

    wins: Matrix
    draws: Matrix
    weights: Matrix | None
    votes: Numbers
    fit: Fit
    spread: SandwichCovariance
    information: Vector
    dispersion: float
    origin: Vector
    anchored: bool


def settle(met: Met, core: Core, start: Vector | None, anchors: tuple[int, ...], *, reweighted: bool) -> Field:
    """Fit the ranked models.

    Parameters
    ----------
    met, core
        The board, and its ranked models.
    start, reweighted
        As in `streams.ratings.leaderboard.solve`.
    anchors
        Indices of the models whose mean is the origin; when one of them is not ranked the origin is the mean of all.
    """
    ranked = core.ranked
    counts = met.matrices(ranked)
    wins, draws = (each.astype(np.float64) for each in counts)
    weights = pair_weights(counts[0] + counts[0].T + counts[1]) if reweighted else None
    fit = bradley_terry.fit(wins, draws, weights=weights, start=_known(start, ranked), connected=True)
    spread = SandwichCovariance.of(wins, draws, fit, weights)
    models = fit.theta.size
    if weights is None:
        information = fit.hessian.diagonal()
    else:
        information = -(fit.hessian * weights).sum(axis=1) + fit.hessian.diagonal() * weights.diagonal()
    usual = models / 4 + information.sum() / 2
    anchored = bool(anchors) and bool(ranked[list(anchors)].all())
    origin = np.zeros(ranked.size) if anchored else ranked / max(1, models)
    origin[list(anchors) if anchored else []] = 1.0 / max(1, len(anchors))
    return Field(
        wins=wins,
        draws=draws,
        weights=weights,
        votes=core.votes[ranked],
        fit=fit,
        spread=spread,
        information=information,
        dispersion=float((models / 4 + spread.meat.trace() / 2) / usual) if models else math.nan,
        origin=origin[ranked],
        anchored=anchored,
    )


def bounds(field: Field) -> tuple[Vector, Vector]:
    """Return the lower and upper ends of the ranked models' 95 % intervals, float64[R], logits, finite."""
    theta = field.fit.theta
    if not theta.size:
        return theta, theta
    half = NORMAL_95 * np.sqrt(field.spread.variances(field.origin if field.anchored else None))
    lower, upper = theta - half, theta + half
    own = field.spread.meat.diagonal()
    thin = (field.votes < SURE) | (own < UNUSUAL * field.dispersion * field.information)
    thin &= field.origin < 1.0  # a single anchor has no error
    if thin.any():
        seen = field.fit.hessian.diagonal()[thin]
        plain = field.spread.plain_variances(field.origin)[thin]
        own_share = seen * seen * plain / field.information[thin]
        dispersion = _dispersion(field, own[thin], field.information[thin])
        low, high = score_interval(_results_of_ranked(field, thin), NORMAL_95**2 * dispersion * own_share)
        lower[thin], upper[thin] = np.minimum(low, theta[thin]), np.maximum(high, theta[thin])
    return lower, upper


def bounds_of_rest(field: Field, results: Results, opponents: Numbers, theta: Vector) -> tuple[Vector, Vector]:
    """Return the lower and upper ends of K unranked models' intervals, float64[K], logits; infinite where open.

    Parameters
    ----------
    results
        Their results against ranked models.
    opponents
        int64[P], index of each pair's opponent among the R ranked models.
    theta
        float64[K], logits of the models at which the opponents' uncertainty is evaluated.
    """
    seen, information_ = information(results, theta)
    met_ranked = seen > 0
    lower, upper = np.full(results.models, -np.inf), np.full(results.models, np.inf)
    if not met_ranked.any():
        return lower, upper
    contrasts = np.zeros((field.fit.theta.size, results.models))
    p = 1.0 / (1.0 + np.exp(-(theta[results.model] - results.opponent)))
    contrasts[opponents, results.model] = (results.won + results.lost) * p * (1.0 - p)
    contrasts = contrasts[:, met_ranked] / seen[met_ranked] - field.origin[:, None]
    unsure = field.spread.variances_of(contrasts) * seen[met_ranked] ** 2 / information_[met_ranked]
    dispersion = _dispersion(field, squares(results, theta)[met_ranked], information_[met_ranked])
    bound = NORMAL_95**2 * (dispersion + unsure)
    lower[met_ranked], upper[met_ranked] = score_interval(results.of(met_ranked), bound)
    return lower, upper


def _dispersion(field: Field, squares_: Vector, information_: Vector) -> Vector:
    """φ of models: the board's, or a model's own if larger."""
    own = (PRIOR * field.dispersion + squares_) / (PRIOR + information_)
    return np.asarray(np.maximum(own, field.dispersion))


def results_of_rest(met: Met, ranked: Mask, theta: Vector, *, reweighted: bool) -> tuple[Results, Numbers]:
    """Return the unranked models' results against ranked models, and the index of each pair's ranked opponent.

    Parameters
    ----------
    ranked
        bool[M].
    theta
        float64[R], logits of the ranked models.
    """
    across = (ranked[met.first] != ranked[met.second]) & (met.voted > 0)
    swapped = ranked[met.first[across]]  # the unranked model was shown second
    first, second = met.first[across], met.second[across]
    model, opponent = np.where(swapped, second, first), np.where(swapped, first, second)
    won, lost, drawn = met.won[across], met.lost[across], met.drawn[across]
    # A pair that met in both orders is one pair with one weight.
    place, pair = np.unique(model * ranked.size + opponent, return_inverse=True)
    votes = np.zeros((3, place.size), np.int64)
    for row, count in enumerate((np.where(swapped, lost, won), np.where(swapped, won, lost), drawn)):
        np.add.at(votes[row], pair, count)
    model, opponent = place // ranked.size, (np.cumsum(ranked) - 1)[place % ranked.size]
    weights = pair_weights(votes.sum(axis=0)) if reweighted else np.ones(place.size)
    return (
        Results(
            models=int((~ranked).sum()),
            model=(np.cumsum(~ranked) - 1)[model],
            opponent=theta[opponent],
            won=half_wins(votes[0], votes[2], weights),
            lost=half_wins(votes[1], votes[2], weights),
            drawn=votes[2] * weights,
            spread=votes.sum(axis=0) * weights**2,
        ),
        opponent,
    )


def _results_of_ranked(field: Field, chosen: Mask) -> Results:
    """Return the results of the chosen ranked models against ranked models."""
    weights = None if field.weights is None else field.weights[chosen]
    draws = field.draws[chosen]
    won, lost = half_wins(field.wins[chosen], draws, weights), half_wins(field.wins.T[chosen], draws, weights)
    met = np.nonzero(won + lost)
    model, opponent = met
    weight = np.ones(model.size) if weights is None else weights[met]
    played = won[met] + lost[met]
    return Results(
        models=int(chosen.sum()),
        model=model,
        opponent=field.fit.theta[opponent],
        won=won[met],
        lost=lost[met],
        drawn=draws[met] * weight,
        spread=played * weight,
    )


def _known(start: Vector | None, ranked: Mask) -> Vector | None:
    if start is None:
        return None
    known = np.zeros(ranked.size)
    known[: start.size] = np.where(np.isfinite(start), start, 0.0)
    return np.asarray(known[ranked])
