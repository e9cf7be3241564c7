"""Past days of a board in the columns of the public data set, from the history that the ratings fold keeps. Pure."""

from __future__ import annotations

import numpy as np

from services.export.official import OfficialRow, day_of, variance_of
from streams.contracts.history_wire import RatingsTier
from streams.contracts.view import Board
from streams.ratings.leaderboard import ranks


def past_rows(tier: RatingsTier, now: Board, since: str) -> list[OfficialRow]:
    """Return the rows of a tier's days from `since` (`YYYY-MM-DD`) on, each with the board as of the end of the day.

    Parameters
    ----------
    tier
        One sample a day.
    now
        The current board, for what the history does not keep: votes and declarations. If every battle of a model has
        been voted on, its votes on a past day equal its battles; for other models the votes of that day are unknown.
    since
        The first day.
    """
    declared = {line.model: line for line in now.models}
    voted = {line.model for line in now.models if line.votes == line.battles}
    rating, half, battles = (column.array() for column in (tier.rating, tier.half_width, tier.battles))
    rows: list[OfficialRow] = []
    end = 0
    for t, known in zip(tier.t, tier.known, strict=True):
        begin, end = end, end + known
        day = day_of(t - 1)  # a sample closes its step: the sample at midnight belongs to the day before
        if day is None or day < since:
            continue
        points = rating[begin:end].astype(np.float64).round(2)
        width = half[begin:end].astype(np.float64).round(2)
        ranked = np.flatnonzero(~np.isnan(points) & ~np.isnan(width))
        rank = dict(
            zip(
                ranked.tolist(),
                ranks((points - width)[ranked], (points + width)[ranked]).tolist(),
                strict=True,
            )
        )
        for at, model in enumerate(tier.models[:known]):
            value = None if np.isnan(points[at]) else float(points[at])
            lower, upper = (
                (round(value - width[at], 2), round(value + width[at], 2))
                if at in rank and value is not None
                else (None,) * 2
            )
            line = declared.get(model)
            rows.append(
                OfficialRow(
                    model_name=model,
                    organization=line.provider if line else None,
                    license=line.license if line else None,
                    rating=value,
                    rating_lower=lower,
                    rating_upper=upper,
                    variance=variance_of(value, lower, upper),
                    vote_count=int(battles[begin + at]) if model in voted else None,
                    rank=rank.get(at),
                    category=tier.board,
                    leaderboard_publish_date=day,
                )
            )
    return rows
