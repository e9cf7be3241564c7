"""One board's counts of battles by pair and outcome, and its Elo, the only part that depends on the order of votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.contracts.vote import NONE
from streams.ratings.elo import START, K, Kernel
from streams.ratings.met import OUTCOMES, Counter, Met

_SCORES = np.array([1.0, 0.0, 0.5, 0.5])


class BoardCounts:
    """Integer counts of one board: they add, so partition and order of the votes do not matter.

    Attributes
    ----------
    members
        Models on this board, as numbers of the arena's dictionary, in order of first appearance.
    battles
        Number of battles counted.
    """

    def __init__(self) -> None:
        self.members: list[int] = []
        self.battles = 0
        self._local = np.full(16, -1, np.int64)
        self._counter = Counter()
        self._elo = np.full(4, START)

    @property
    def met(self) -> Met:
        """Pairs that met, by index in `members`, with their counts."""
        return self._counter.met(len(self.members))

    @property
    def elo(self) -> NDArray[np.float64]:
        """float64[M], points."""
        return self._elo[: len(self.members)]

    @property
    def nbytes(self) -> int:
        """Memory of the board in bytes."""
        return self._counter.nbytes + self._local.nbytes + self._elo.nbytes + 36 * len(self.members)

    def votes_of(self, model: int) -> int:
        """Votes on one model, by its number in the arena's dictionary."""
        return self._counter.votes_of(self.members.index(model)) if model in self.members else 0

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
            Updates Elo.
        """
        highest = int(max(model_a.max(), model_b.max()))
        if highest >= len(self._local):
            room = max(highest + 1, len(self._local) * 3 // 2)
            self._local = np.concatenate([self._local, np.full(room - len(self._local), -1, np.int64)])
        a, b = self._local[model_a], self._local[model_b]
        if min(a.min(), b.min()) < 0:
            # In order of appearance, not of number, so that a board is a function of its own votes alone.
            newcomers = dict.fromkeys(np.stack([model_a, model_b], axis=1)[(a < 0) | (b < 0)].ravel().tolist())
            for model in newcomers:
                if self._local[model] < 0:
                    self._local[model] = len(self.members)
                    self.members.append(model)
            self._make_room()
            a, b = self._local[model_a], self._local[model_b]
        self._counter.add(len(self.members), a, b, winner)
        self.battles += len(winner)
        rated = winner != NONE
        if not rated.all():
            a, b, winner = a[rated], b[rated], winner[rated]
        play(self._elo, a, b, _SCORES[winner], K)

    def cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the counts above 0 in their saved form: ascending flat indices into int64[5, M, M], and the counts."""
        met, m = self.met, len(self.members)
        winner, pair = np.nonzero(met.counts)
        places = (winner * m + met.first[pair]) * m + met.second[pair]
        order = np.argsort(places)
        return places[order], met.counts[winner, pair][order]

    def restore(
        self, members: list[int], places: NDArray[np.int64], counts: NDArray[np.integer], elo: NDArray[np.float64]
    ) -> None:
        """Set the board to a saved state; `places` are ascending flat indices into int64[5, M, M].

        Raises
        ------
        IndexError
            When an index is out of range.
        """
        self.members = members
        m = len(members)
        if places.size and places[-1] >= OUTCOMES * m * m:
            raise IndexError(f"place {places[-1]} of a board of {m} models")
        self._local = np.full(max(members, default=0) + 16, -1, np.int64)
        self._local[members] = np.arange(m)
        self._elo = np.full(max(m, 4), START)
        self._elo[:m] = elo
        self._counter = Counter()
        if places.size:
            winner, pair = np.divmod(places, m * m)
            pairs, at = np.unique(pair, return_inverse=True)
            by_winner = np.zeros((OUTCOMES, pairs.size), np.int64)
            by_winner[winner, at] = counts
            self._counter.set(m, pairs // m, pairs % m, by_winner)
        self.battles = int(counts.sum())

    def renumber(self, number_of: NDArray[np.int64]) -> None:
        """Give models new numbers, int64 by old number; models of number -1 leave with their battles."""
        met, kept = self.met, number_of[self.members] >= 0
        place, of_both = np.cumsum(kept) - 1, kept[met.first] & kept[met.second]
        chosen = met.counts[:, of_both]
        elo = self.elo[kept]
        members = number_of[np.array(self.members, np.int64)[kept]].tolist()
        winner, pair = np.nonzero(chosen)
        m = len(members)
        places = (winner * m + place[met.first[of_both]][pair]) * m + place[met.second[of_both]][pair]
        order = np.argsort(places)
        self.restore(members, places[order], chosen[winner, pair][order], elo)

    def _make_room(self) -> None:
        if len(self.members) > len(self._elo):
            elo = np.full(max(len(self.members), len(self._elo) * 3 // 2), START)
            elo[: len(self._elo)] = self._elo
            self._elo = elo
