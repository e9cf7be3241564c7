"""Rate votes given as columns, without broker or files; gives the same board as the stream."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.contracts.names import is_lost, normalised, unprintable
from streams.contracts.view import OVERALL, Board, Position
from streams.contracts.vote import WINNERS
from streams.ledger.rows import code
from streams.ratings import elo
from streams.ratings.counts import BoardCounts
from streams.ratings.fold import ArenaState
from streams.ratings.publish import DEFAULTS, make_board
from streams.ratings.settings import RatingsSettings


def rate(
    model_a: Iterable[str],
    model_b: Iterable[str],
    winner: Iterable[str],
    *,
    settings: RatingsSettings = DEFAULTS,
    reweighted: bool = False,
) -> Board:
    """Rate n votes.

    Parameters
    ----------
    model_a, model_b
        Names of the two models of each vote: lists, arrays, or columns of a polars or pandas frame.
    winner
        ``model_a``, ``model_b``, ``tie``, ``both_bad``, or ``none`` for a battle without a vote.
    settings
        Anchors, and the evidence that a rank needs.
    reweighted
        Weigh pairs by inverse frequency instead of counting every vote once.

    Returns
    -------
    The board, ordered by rating. Ratings are points: 400 are odds of ten to one, and the ranked models have mean 1000.
    Only Elo depends on the order of the votes.

    Raises
    ------
    ValueError
        A frame or a text in place of a column, no votes, columns of unequal length, an unknown outcome, a name that no
        model can have (missing, ``null``), or a vote between a model and itself.

    Examples
    --------
    >>> board = rate(["oak", "elm", "oak"], ["elm", "oak", "elm"], ["model_a", "model_a", "tie"])
    >>> [(line.model, line.votes, round(line.rating)) for line in board.models]
    [('elm', 3, 1000), ('oak', 3, 1000)]
    """
    for given in (model_a, model_b, winner):
        if isinstance(given, str) or hasattr(type(given), "columns"):
            raise ValueError(
                f"three columns are wanted, not {type(given).__name__}:"
                ' rate(votes["model_a"], votes["model_b"], votes["winner"])'
            )
    first, second, outcomes = list(model_a), list(model_b), list(winner)
    if not len(first) == len(second) == len(outcomes):
        raise ValueError(f"columns of unequal length: {len(first)}, {len(second)} and {len(outcomes)}")
    if not first:
        raise ValueError("there is no vote to rate")
    unknown = {*outcomes} - WINNERS.keys()
    if unknown:
        raise ValueError(f"winner {min(map(str, unknown))!r}: use {', '.join(WINNERS)}")
    no_names = [each for each in {*first, *second} if not _is_name(each)]
    if no_names:
        raise ValueError(f"{min(map(repr, no_names))} is not the name of a model")
    written, codes = code(first + second)
    # Two spellings of one name are one model, as in the stream.
    names, of_written = code([normalised(name) for name in written])
    numbers = of_written[codes].astype(np.int64)
    a, b = numbers[: len(first)], numbers[len(first) :]
    itself = np.flatnonzero(a == b)
    if itself.size:
        raise ValueError(f"vote {itself[0]}: {names[a[itself[0]]]!r} meets itself")
    counts = BoardCounts()
    counts.add(a, b, np.array([WINNERS[each] for each in outcomes], np.uint8), elo.interpreted)
    state = ArenaState("text", {name: number for number, name in enumerate(names)}, {OVERALL: counts})
    board, _ = make_board(state, OVERALL, settings=settings, reweighted=reweighted, position=Position(None, {}))
    return board


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(normalised(value)) and not unprintable(value) and not is_lost(value)
