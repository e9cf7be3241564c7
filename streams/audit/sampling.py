"""How votes were distributed among active models: more to uncertain ones, more to strong ones, or evenly."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.audit.board.gains import Gains
from streams.audit.board.history import Matrix
from streams.audit.board.models import Models
from streams.audit.board.shares import slots
from streams.audit.stops.states import ACTIVE, States

LEAST = 8
"""Fewest active models for a rank correlation."""


def sampling_of(models: Models, gains: Gains, states: States) -> dict[str, Any]:
    """Return rank correlations of the votes gained in the last period, over active models listed at its start.

    `with_interval` is the correlation with the width of the interval at its start (near +1 for sampling by
    uncertainty), `with_score` that with the score (near +1 if strong models are favoured). Each is absent where there
    are no intervals or scores.
    """
    start, live = states.start, states.live
    active = np.array([state == ACTIVE for state in states.state], dtype=bool)
    through = active & models.listed[:, start] & ~np.isnan(states.rate)
    won = slots(gains, start, live)
    told: dict[str, Any] = {"models": int(through.sum())}
    if through.sum() < LEAST:
        return told
    rates = np.sort(states.rate[through])
    told["votes_a_day"] = {
        "least": round(float(rates[0]), 1),
        "middle": round(float(np.median(rates)), 1),
        "most": round(float(rates[-1]), 1),
    }
    width = models.upper[:, start] - models.lower[:, start]
    for name, other in (("with_interval", width), ("with_score", models.score[:, start])):
        both = through & ~np.isnan(other)
        if both.sum() >= LEAST and len({*other[both]}) > 1 and len({*won[both]}) > 1:
            told[name] = round(_spearman(won[both], other[both]), 3)
    return told


def _spearman(one: Matrix, other: Matrix) -> float:
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Matrix) -> Matrix:
    """Ranks from 0, equal values sharing their mean.

    >>> _ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray(((ends - count) + (ends - 1))[group] / 2.0)
