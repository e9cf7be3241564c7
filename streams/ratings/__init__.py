"""Ratings: pure mathematics from counts to a leaderboard, and the thin stage that feeds it."""

from streams.contracts.view import Board, RatedModel
from streams.ratings.leaderboard import Solution, solve
from streams.ratings.provisional import ProvisionalReason
from streams.ratings.rate_votes import rate
from streams.ratings.settings import RatingsSettings

__all__ = [
    "Board",
    "ProvisionalReason",
    "RatedModel",
    "RatingsSettings",
    "Solution",
    "rate",
    "solve",
]
