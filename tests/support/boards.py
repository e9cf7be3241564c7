"""A board's counts as one dense array, for tests that read or set all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.ratings.counts import BoardCounts


def shown(board: BoardCounts) -> NDArray[np.int64]:
    """int64[5, M, M]: battles by winner code, model_a, model_b."""
    m = len(board.members)
    dense = np.zeros(5 * m * m, np.int64)
    places, counts = board.cells()
    dense[places] = counts
    return dense.reshape(5, m, m)


def set_shown(board: BoardCounts, dense: NDArray[Any]) -> None:
    """Set all counts of a board; its members and Elo stay."""
    places = np.flatnonzero(dense)
    board.restore(board.members, places, dense.ravel()[places], board.elo.copy())
