"""Why models are not ranked."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from streams.ratings.components import largest_component
from streams.ratings.met import Met

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
