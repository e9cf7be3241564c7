"""Churn of the first place: who led when, and which changes are no more than overlapping intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.audit.board.dates import iso
from streams.audit.board.models import Models


def churn_of(models: Models) -> dict[str, Any]:
    """Say who led; empty when the file has neither scores nor ranks.

    The leader is the model with the highest score, or of rank 1 where there are only ranks; among equals the one that
    led before, then the one with more votes. A change is *within intervals* when both models are listed and their
    intervals overlap, and *an arrival* when the new leader's first row is that snapshot's.
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
    """1 when both have intervals in this snapshot and they overlap; unknown intervals do not."""
    return int(models.lower[leader, at] <= models.upper[before, at])
