"""A sample: what a board says at one place of the ledger, in the few numbers that are kept for a year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.ratings.counts import BoardCounts
from streams.ratings.leaderboard import solve_met
from streams.ratings.newton import NotConverged, Vector
from streams.ratings.settings import RatingsSettings

Reals = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """One board at one place of the ledger; arrays are of length M, in the order of the board's members.

    Attributes
    ----------
    t
        End of the step that it closes, epoch seconds on the clock of the votes.
    recorded
        When the newest vote counted arrived at the broker, epoch milliseconds.
    total
        Battles of the board.
    rating, half_width
        Points; the half width of the interval is NaN while a model is provisional, both are where there is no solution.
    battles
        int64, each model's.
    """

    t: int
    recorded: int
    total: int
    rating: Reals
    half_width: Reals
    battles: NDArray[np.int64]


def take_sample(
    board: BoardCounts,
    t: int,
    recorded: int,
    *,
    start: Vector | None,
    reweighted: bool,
    settings: RatingsSettings,
    anchors: tuple[int, ...],
) -> tuple[Sample, Vector | None]:
    """Solve the board as it stands; returns the logits too, for the next sample to start from.

    `start` saves steps and changes no bit. `anchors` are places in the board's members, all of them or none. A board
    without a maximum makes a sample without ratings: at the next refresh that is for the stage to speak of, and a
    ledger that went through such a place can still be folded.
    """
    met = board.met
    shown = met.counts.sum(axis=0)
    battles = met.per_model(shown, shown)
    nothing = np.full(len(battles), np.nan, np.float32)
    theta = None
    rating, half_width = nothing, nothing
    try:
        solution = solve_met(
            met,
            start=start,
            reweighted=reweighted,
            least=settings.least_votes,
            widest=settings.widest,
            anchors=anchors,
            anchor_rating=settings.anchor_rating,
        )
    except NotConverged:
        pass  # said by the NaNs
    else:
        theta = solution.theta
        rating = solution.rating.astype(np.float32)
        half_width = np.where(solution.provisional, np.nan, (solution.upper - solution.lower) / 2).astype(np.float32)
    return Sample(t, recorded, board.battles, rating, half_width, battles), theta
