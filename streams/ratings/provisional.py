"""Models that cannot be ranked yet: why, and a cautious estimate of each, alone, against the fixed ratings of others.

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

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from streams.ratings.components import largest_component
from streams.ratings.met import Met
from streams.ratings.newton import CLOSE, LIMIT, LONGEST, NotConverged, Stop, Vector
from streams.ratings.pairs import tails
from streams.ratings.score_interval import Results

PHANTOM = 0.25  # wins each way


Mask = NDArray[np.bool_]


class ProvisionalReason(StrEnum):
    """Why a model is provisional: unranked, and estimated on its own."""

    NO_VOTES = "no_votes"
    UNDEFEATED = "undefeated"  # won every vote
    WINLESS = "winless"  # lost every vote
    ISLAND = "island"  # no chain of votes of any kind leads to the ranked models
    BRIDGE = "bridge"  # connected to the ranked models in one direction only: has only won, or only lost
    FEW_VOTES = "few_votes"  # fewer votes against ranked models than a rank needs
    WIDE_INTERVAL = "wide_interval"  # enough votes, but the interval is wider than a rank allows


def find_reasons(
    met: Met, labels: NDArray[np.int64], ranked: Mask, wide: Mask, least: float
) -> tuple[ProvisionalReason | None, ...]:
    """Return for every model why it is not ranked, None where it is.

    Parameters
    ----------
    met
        The board.
    labels
        int64[M], strongly connected components of all models.
    ranked
        bool[M].
    wide
        bool[M], models removed because of their intervals.
    least
        Votes against ranked models that a rank needs.
    """
    reasons: list[ProvisionalReason | None] = [None] * ranked.size
    if ranked.all():
        return tuple(reasons)
    voted = met.voted
    votes, won, lost = (met.per_model(*each) for each in ((voted, voted), (met.won, met.lost), (met.lost, met.won)))
    across = voted * (ranked[met.first] | ranked[met.second])
    against = met.per_model(across * ranked[met.second], across * ranked[met.first])
    mainland = ranked if ranked.any() else largest_component(labels, met.first, met.second, voted)
    comparable = np.isin(labels, labels[mainland])
    reached = _reachable(met, mainland)
    for model in np.flatnonzero(~ranked).tolist():
        if votes[model] == 0:
            reasons[model] = ProvisionalReason.NO_VOTES
        elif won[model] == votes[model]:
            reasons[model] = ProvisionalReason.UNDEFEATED
        elif lost[model] == votes[model]:
            reasons[model] = ProvisionalReason.WINLESS
        elif wide[model]:
            reasons[model] = ProvisionalReason.WIDE_INTERVAL
        elif comparable[model] and against[model] < least:
            reasons[model] = ProvisionalReason.FEW_VOTES
        else:
            reasons[model] = ProvisionalReason.BRIDGE if reached[model] else ProvisionalReason.ISLAND
    return tuple(reasons)


def _reachable(met: Met, start: Mask) -> Mask:
    """Return the models that are connected to one of `start` by votes; each model's row is read once."""
    voted = met.voted > 0
    know = np.zeros((met.models, met.models), np.bool_)
    know[met.first[voted], met.second[voted]] = know[met.second[voted], met.first[voted]] = True
    reached, frontier = start.copy(), start
    while frontier.any():
        frontier = know[frontier].any(axis=0) & ~reached
        reached |= frontier
    return reached


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
