"""The board: a published leaderboard, the same from Redis, the read API and `isonomy rate`."""

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
    """How the ratings were found.

    `least_votes` is the number of votes against ranked models that a rank needs on this board; `dispersion` is the
    variance of the votes divided by what it would be without ties, null where no model is ranked; `davidson_withheld`
    says why no model has a rating by Davidson's model, and is null where they have one.
    """

    components: int
    iterations: int
    gradient_norm: float
    provisional: int
    least_votes: float | None = None
    dispersion: float | None = None
    davidson_withheld: str | None = None


class Gauge(msgspec.Struct, frozen=True):
    """Declared anchors: the mean of their ratings is `rating`, unless some of them are not ranked on this board.

    Those are `unranked`; then nothing is shifted, `applied` is false, and the mean of the ranked models is 1000.
    """

    anchors: list[str]
    rating: float
    applied: bool
    unranked: list[str]


class RatedModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a board. `rank` is null while the model is provisional; `reason` says why it is.

    `lower` or `upper` is null where the interval is open to that side, both where the votes say nothing. The standard
    error of the difference of two ranked models is nearly the root of the sum of their `quasi_variance`, points².
    """

    model: str
    rank: int | None
    rating: float
    lower: float | None
    upper: float | None
    davidson: float | None
    elo: float
    votes: int
    battles: int
    provisional: bool
    provider: str | None = None
    license: str | None = None
    reason: str | None = None
    quasi_variance: float | None = None


class Board(msgspec.Struct, frozen=True):
    """One leaderboard, ordered by rating. `as_of` is the newest record time counted, epoch seconds.

    `votes` counts rated battles, `battles` also those shown but not voted on. `gauge` is null where no anchors are
    declared: the mean rating of the ranked models is then 1000.
    """

    arena: str
    board: str
    votes: int
    battles: int
    as_of: float | None
    position: Position
    solver: Solver
    models: list[RatedModel]
    gauge: Gauge | None = None


OVERALL = "overall"


def language_board(language: str) -> str:
    """Name of a language's board."""
    return f"language:{language}"


def category_board(category: str) -> str:
    """Name of a category's board."""
    return f"category:{category}"
