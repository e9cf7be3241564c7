"""Churn of the first place: which model led when, and which changes are between overlapping intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.audit.board.dates import iso
from streams.audit.board.models import Models


def churn_of(models: Models) -> dict[str, Any]:
    """Return the leaders and their changes; empty when the file has neither scores nor ranks.

    The leader is the model with the highest score, or with rank 1 where there are only ranks; among equals the
    previous leader, then the model with more votes. A change is *within intervals* when both models are listed and
    their intervals overlap, and *an arrival* when the new leader's first row is in that snapshot.
    """
    scored = not np.isnan(models.score).all()
    strength = models.score if scored else -models.rank
    if np.isnan(strength).all():
        return {}
    leaders: list[dict[str, Any]] = []
    changes = within = arrivals = 0
    before = -1
    for at in range(len(models.dates)):
        column = strength[:, at]
        if np.isnan(column).all():
            continue
        best = np.flatnonzero(column == np.nanmax(column))
        ordered = sorted((int(each) for each in best), key=lambda each: (-_votes(models, each, at), each))
        leader = before if before in ordered else ordered[0]
        if leader != before:
            if before >= 0:
                changes += 1
                within += _overlap(models, before, leader, at)
                arrivals += int(models.first[leader] == at)
            leaders.append({"model": models.names[leader], "from": iso(models.dates[at])})
        leaders[-1]["until"] = iso(models.dates[at])
        before = leader
    return {
        "by": "score" if scored else "rank",
        "changes": changes,
        "within_intervals": within,
        "arrivals": arrivals,
        "leaders": leaders,
    }


def _votes(models: Models, model: int, at: int) -> float:
    total = models.votes[model, at]
    return -1.0 if np.isnan(total) else float(total)


def _overlap(models: Models, before: int, leader: int, at: int) -> int:
    """Return 1 when both models have intervals in this snapshot and they overlap, else 0."""
    return int(models.lower[leader, at] <= models.upper[before, at])
