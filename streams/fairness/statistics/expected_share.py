"""Declared shares: the share of battles that the registry's weights give each model and each group of models.

First model ∝ weight, second ∝ weight among the rest, sides swapped at random. Model i is in a battle with probability

    π_i = p_i + Σ_{j≠i} p_j · w_i/(W − w_j) = p_i + w_i·(H − h_i),   p = w/W,  h_j = p_j/(W − w_j),  H = Σ h_j

which takes O(M). These are shares of battles, so they add to 2.

A group (a provider, a licence class) is measured by the battles that *involve* it. Σ π_i of its models counts a battle
between two of them twice, can exceed 1, and its two halves are not independent. Whether a battle has at least one of
them is a Bernoulli trial with

    π_g = Σ_{i∈g} π_i − P(both in g),   P(both in g) = Σ_{i∈g} h_i·(W_g − w_i)

Weights are relative to the largest. The contract accepts only 0 and 1e-9 … 1e9, so all shares are finite, and above 0
for weights above 0. An older ledger may hold any weight; one below 10⁻³⁰⁰ of the largest counts as 0.

A weight takes effect at its notice's place in the ledger. So the policy in force at a row is known before the row, and
a policy change neither loses power nor causes false alarms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


NEVER = 1e-300
"""Weights below this part of the largest count as 0: their shares would underflow."""


def relative(weights: Vector) -> Vector:
    """Scale the largest weight into [½, 1) by a power of two, so that shares keep their bits and no sum overflows."""
    scaled = np.ldexp(weights, -int(np.frexp(weights.max(initial=0.0))[1]))
    scaled[scaled < NEVER] = 0.0
    return np.asarray(scaled)


def exposure(weights: Vector) -> Vector:
    """π: float64[M], the declared share of battles of each model.

    Parameters
    ----------
    weights
        float64[M], not negative. With fewer than two above zero no battle can be drawn, and every share is 0.

    Examples
    --------
    >>> exposure(np.array([1.0, 1.0, 1.0, 1.0])).tolist()  # 2/M
    [0.5, 0.5, 0.5, 0.5]
    >>> exposure(np.array([2.0, 1.0, 1.0, 0.0])).round(4).tolist()
    [0.8333, 0.5833, 0.5833, 0.0]
    >>> exposure(np.array([3.0, 1.0])).tolist(), exposure(np.array([3.0, 0.0])).tolist()
    ([1.0, 1.0], [0.0, 0.0])
    """
    weights = relative(weights)
    if np.count_nonzero(weights) < 2:
        return np.zeros(weights.size)
    inside = weights > 0  # the last digits of a sum depend on how many numbers it has, zeros included
    drawn = weights[inside]
    h = second_draw(drawn)
    heaviest = int(np.argmax(drawn))
    others = h.sum() - h
    # Recompute the one entry where the difference may cancel: a model that is nearly always drawn first.
    others[heaviest] = h[:heaviest].sum() + h[heaviest + 1 :].sum()
    pi = np.zeros(weights.size)
    pi[inside] = np.minimum(drawn / drawn.sum() + drawn * others, 1.0)
    return pi


def involvement(weights: Vector, groups: NDArray[np.int64], count: int, once: Vector | None = None) -> Vector:
    """Declared share of battles with at least one model of each group: float64[count].

    Parameters
    ----------
    weights
        float64[M], as for `exposure`.
    groups
        int64[M], the group of each model, -1 for none.
    count
        Number of groups.
    once
        float64[M], `exposure(weights)`, None to compute it here.

    Examples
    --------
    Four equal models, two of them of group 0: one pair in six has neither.

    >>> involvement(np.ones(4), np.array([0, 0, 1, -1]), 2).round(4).tolist()
    [0.8333, 0.5]
    """
    weights = relative(weights)
    if np.count_nonzero(weights) < 2:
        return np.zeros(count)
    member = groups >= 0
    group, weight = groups[member], weights[member]
    total = np.bincount(group, weight, count)
    both = np.bincount(group, second_draw(weights)[member] * (total[group] - weight), count)
    each = np.bincount(group, (exposure(weights) if once is None else once)[member], count)
    return np.asarray(np.clip(each - both, 0.0, 1.0))


def second_draw(weights: Vector) -> Vector:
    """h: chance of being drawn first, per unit of weight left for the second draw; at least one weight is above 0."""
    inside = weights > 0
    drawn, h = weights[inside], np.zeros(weights.size)
    total = drawn.sum()
    rest = total - drawn
    heaviest = int(np.argmax(drawn))
    rest[heaviest] = drawn[:heaviest].sum() + drawn[heaviest + 1 :].sum()
    h[inside] = drawn / total / rest
    return h
