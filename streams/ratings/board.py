"""One board's counts: who was shown with whom and what the voters said; and Elo, the one thing that has an order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.contracts.vote import NONE
from streams.ratings.elo import START, K, Kernel

_SCORES = np.array([1.0, 0.0, 0.5, 0.5])


class BoardCounts:
    """Integer counts of one board: they add, so partition and order of the votes do not matter.

    Attributes
    ----------
    members
        Models on this board, as numbers of the arena's dictionary, in order of first appearance.
    """

    def __init__(self) -> None:
        self.members: list[int] = []
        self._local = np.full(16, -1, np.int64)
        self._shown = np.zeros((5, 4, 4), np.int64)
        self._elo = np.full(4, START)

    @property
    def shown(self) -> NDArray[np.int64]:
        """int64[5, M, M]: battles by winner code, model_a, model_b."""
        m = len(self.members)
        return self._shown[:, :m, :m]

    @property
    def elo(self) -> NDArray[np.float64]:
        """float64[M], points."""
        return self._elo[: len(self.members)]

    def add(
        self, model_a: NDArray[np.int64], model_b: NDArray[np.int64], winner: NDArray[np.uint8], play: Kernel
    ) -> None:
        """Count battles, in order.

        Parameters
        ----------
        model_a, model_b
            int64[n], numbers of the arena's dictionary.
        winner
            uint8[n], see `streams.contracts.vote.WINNERS`.
        play
            What plays the Elo games.
        """
        highest = int(max(model_a.max(), model_b.max()))
        if highest >= len(self._local):
            self._local = np.concatenate([self._local, np.full(highest + 1, -1, np.int64)])
        a, b = self._local[model_a], self._local[model_b]
        if min(a.min(), b.min()) < 0:
            # In order of appearance, and not of number: a board is then a function of its own votes alone.
            newcomers = dict.fromkeys(np.stack([model_a, model_b], axis=1)[(a < 0) | (b < 0)].ravel().tolist())
            for model in newcomers:
                if self._local[model] < 0:
                    self._local[model] = len(self.members)
                    self.members.append(model)
            self._make_room()
            a, b = self._local[model_a], self._local[model_b]
        room = self._shown.shape[1]
        np.add.at(self._shown.reshape(-1), (winner.astype(np.int64) * room + a) * room + b, 1)
        rated = winner != NONE
        if not rated.all():
            a, b, winner = a[rated], b[rated], winner[rated]
        play(self._elo, a, b, _SCORES[winner], K)

    def restore(self, members: list[int], places: NDArray[np.int64], counts: NDArray[Any], elo: NDArray[Any]) -> None:
        """Set the board to a saved state; `places` are flat indices into `shown`."""
        self.members = members
        m = len(members)
        self._local = np.full(max(members, default=0) + 16, -1, np.int64)
        self._local[members] = np.arange(m)
        self._make_room()
        shown = np.zeros(5 * m * m, np.int64)
        shown[places] = counts
        self._shown[:, :m, :m] = shown.reshape(5, m, m)
        self._elo[:m] = elo

    def _make_room(self) -> None:
        room = self._shown.shape[1]
        if len(self.members) <= room:
            return
        new = max(len(self.members), room * 3 // 2)
        shown = np.zeros((5, new, new), np.int64)
        shown[:, :room, :room] = self._shown
        elo = np.full(new, START)
        elo[:room] = self._elo
        self._shown, self._elo = shown, elo
