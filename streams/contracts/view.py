"""The board: a leaderboard as it is published, the same from Redis, the read API and `isonomy rate`."""

from __future__ import annotations

import msgspec


class Position(msgspec.Struct, frozen=True):
    """Up to where the votes are counted.

    `ledger` is the offset of the next ledger record to fold; `watermark` the highest offset counted of each source
    partition, `topic/partition` to offset. Both are empty for a file.
    """

    ledger: int | None
    watermark: dict[str, int]


class Solver(msgspec.Struct, frozen=True):
    """How the ratings were found."""

    components: int
    iterations: int
    gradient_norm: float
    provisional: int


class RatedModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a board. `rank` is null while the model is provisional; `reason` says why it is."""

    model: str
    rank: int | None
    rating: float
    lower: float
    upper: float
    davidson: float | None
    elo: float
    votes: int
    battles: int
    provisional: bool
    provider: str | None = None
    license: str | None = None
    reason: str | None = None


class Board(msgspec.Struct, frozen=True):
    """One leaderboard, ordered by rating. `as_of` is the newest record time counted, epoch seconds.

    `votes` counts rated battles, `battles` also those shown but not voted on.
    """

    arena: str
    board: str
    votes: int
    battles: int
    as_of: float | None
    position: Position
    solver: Solver
    models: list[RatedModel]


OVERALL = "overall"


def language_board(language: str) -> str:
    """Name of a language's board."""
    return f"language:{language}"


def category_board(category: str) -> str:
    """Name of a category's board."""
    return f"category:{category}"
