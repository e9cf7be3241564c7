"""Which models are ranked: those with enough votes among each other that form one component.

To find the core of k, remove every model with fewer than k votes against the remaining models, and all models outside
the largest strongly connected component, until nothing changes. Models with too few votes are removed first, so many
names that met once each form no component, whatever their number. So the core is a function of the votes inside it: a
model outside it changes no bit of it, nor of anything computed from it.

The default least is relative, max(5, min(30, a quarter of the median number of votes of the ranked models)): the
smallest k for which this number, for the core of k, is k or below. Models with fewer than 5 votes are removed before
any median is taken. Where not even two models have 5 votes, the least is the largest number from 4 to 2 for which there
is a core, so that a small file has ranks. With one vote there are none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.ratings.components import largest_component, strong_components
from streams.ratings.met import Met, Numbers

FEWEST, ENOUGH = 5, 30
"""Bounds of the default least, in votes."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Core:
    """Models that are ranked.

    Attributes
    ----------
    ranked
        bool[M].
    votes
        int64[M], each ranked model's votes against ranked models; 0 for the others.
    least
        Minimum number of votes against ranked models that a ranked model needs.
    """

    ranked: Mask
    votes: Numbers
    least: float


def find_core(met: Met, edges: Mask, least: int = 0, allowed: Mask | None = None) -> Core:
    """Find the models that are ranked.

    Parameters
    ----------
    met
        Counts.
    edges
        bool[M, M], the win graph.
    least
        Votes that a ranked model needs; 0: the relative default.
    allowed
        bool[M]; the other models are never ranked.

    Examples
    --------
    >>> from streams.ratings.components import win_graph
    >>> wins, none = np.array([[0, 9, 1], [9, 0, 0], [1, 0, 0]]), np.zeros((3, 3), int)
    >>> core = find_core(Met.of(wins, none, none), win_graph(wins, none))
    >>> core.ranked.tolist(), core.votes.tolist(), core.least
    ([True, True, False], [18, 18, 0], 5.0)
    """
    everybody = np.ones(met.models, np.bool_) if allowed is None else allowed
    if least:
        return Core(*_shrink(met, edges, everybody, least), float(least))
    ranked, votes = _shrink(met, edges, everybody, FEWEST)
    if not ranked.any():
        for fewer in range(FEWEST - 1, 1, -1):
            ranked, votes = _shrink(met, edges, everybody, fewer)
            if ranked.any():
                return Core(ranked, votes, float(fewer))
        return Core(ranked, votes, float(FEWEST))
    while True:
        # The core is the same for every least up to the fewest votes of a model in it.
        needed = max(float(FEWEST), min(float(ENOUGH), float(np.median(votes[ranked])) / 4))
        fewest = int(votes[ranked].min())
        if needed <= fewest:
            return Core(ranked, votes, needed)
        ranked, votes = _shrink(met, edges, ranked, fewest + 1)
        if not ranked.any():
            return Core(ranked, votes, needed)


def _shrink(met: Met, edges: Mask, left: Mask, least: int) -> tuple[Mask, Numbers]:
    """Remove models from `left` until each has `least` votes and all can be reached from each other."""
    voted = met.voted
    while True:
        votes = met.per_model(voted, voted) if left.all() else _votes_among(met, voted, left)
        enough = left & (votes >= least)
        if (enough != left).any():
            left = enough
            continue
        number = np.flatnonzero(left)
        labels = strong_components(edges if number.size == left.size else edges[np.ix_(left, left)])
        if number.size >= 2 and not labels.any():
            return left, votes
        local, inside = np.cumsum(left) - 1, left[met.first] & left[met.second]
        largest = largest_component(labels, local[met.first[inside]], local[met.second[inside]], voted[inside])
        left = np.zeros_like(left)
        left[number[largest]] = True
        if not left.any():
            return left, np.zeros(left.size, np.int64)


def _votes_among(met: Met, voted: Numbers, left: Mask) -> Numbers:
    among = voted * (left[met.first] & left[met.second])
    return met.per_model(among, among)
