"""Pairs that met: a board's counts, stored only for pairs that exist.

A board of M models has M² possible pairs and often far fewer real ones: 2,000 names that met once each are a thousand
pairs, but would take four million matrix entries. So the counts are a list of pairs, and a table of blocks finds a
pair's index in it; blocks in which no pair met are not allocated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.contracts.vote import BOTH_BAD, MODEL_A, MODEL_B, NONE, TIE

OUTCOMES = 5
SHIFT = 3
BLOCK, MASK = 1 << SHIFT, (1 << SHIFT) - 1
"""Models per side of a block of 256 bytes: four bytes a pair when all its pairs met, 256 when only one did."""

Numbers = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Met:
    """Counts of P ordered pairs of M models.

    Attributes
    ----------
    models
        M.
    first, second
        int64[P], the models shown as a and as b; pairs are unique.
    counts
        int64[5, P], battles by winner code, see `streams.contracts.vote.WINNERS`.
    """

    models: int
    first: Numbers
    second: Numbers
    counts: Numbers

    @classmethod
    def of(cls, wins: NDArray[np.integer], ties: NDArray[np.integer], both_bad: NDArray[np.integer]) -> Met:
        """Build the pairs from three square matrices: wins of row over column, and draws shown as (row, column).

        >>> met = Met.of(np.array([[0, 3], [1, 0]]), np.array([[0, 2], [0, 0]]), np.zeros((2, 2), int))
        >>> met.first.tolist(), met.second.tolist(), met.counts.tolist()
        ([0, 1], [1, 0], [[3, 1], [0, 0], [2, 0], [0, 0], [0, 0]])
        """
        first, second = np.nonzero((wins != 0) | (ties != 0) | (both_bad != 0))
        counts = np.zeros((OUTCOMES, first.size), np.int64)
        for outcome, matrix in ((MODEL_A, wins), (TIE, ties), (BOTH_BAD, both_bad)):
            counts[outcome] = matrix[first, second]
        return cls(len(wins), first.astype(np.int64), second.astype(np.int64), counts)

    def renumbered(self, number: Numbers) -> Met:
        """Return the same pairs with model i renamed to `number[i]`."""
        return Met(self.models, number[self.first], number[self.second], self.counts)

    @property
    def won(self) -> Numbers:
        """int64[P], votes for the first of the pair."""
        return np.asarray(self.counts[MODEL_A])

    @property
    def lost(self) -> Numbers:
        """int64[P], votes for the second."""
        return np.asarray(self.counts[MODEL_B])

    @property
    def drawn(self) -> Numbers:
        """int64[P], draws."""
        return np.asarray(self.counts[TIE] + self.counts[BOTH_BAD])

    @property
    def voted(self) -> Numbers:
        """int64[P], all votes."""
        votes: Numbers = self.counts[:NONE].sum(axis=0)
        return votes

    def per_model(self, of_first: Numbers, of_second: Numbers) -> Numbers:
        """Sum `of_first` by each pair's first model and `of_second` by its second: int64[M]."""
        total = np.zeros(self.models, np.int64)
        np.add.at(total, self.first, of_first)
        np.add.at(total, self.second, of_second)
        return total

    def matrices(self, models: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return wins of row over column, and draws (symmetric), among the chosen models: int64[K, K] each."""
        size = int(models.sum())
        wins, draws = np.zeros(size * size, np.int64), np.zeros(size * size, np.int64)
        first, second, won, lost, drawn = self.first, self.second, self.won, self.lost, self.drawn
        if size < self.models:
            local, inside = np.cumsum(models) - 1, models[first] & models[second]
            first, second = local[first[inside]], local[second[inside]]
            won, lost, drawn = won[inside], lost[inside], drawn[inside]
        there, back = first * size + second, second * size + first
        # Pairs are unique, so each index occurs once.
        wins[there], draws[there] = won, drawn
        wins[back] += lost
        draws[back] += drawn
        return wins.reshape(size, size), draws.reshape(size, size)


class Counter:
    """Growing counts of pairs; `Met` is a copy at one moment."""

    def __init__(self) -> None:
        self.size = 0
        self._first = np.zeros(16, np.int32)
        self._second = np.zeros(16, np.int32)
        self._counts = np.zeros((16, OUTCOMES), np.int64)
        self._used = 1
        self._blocks = np.full((1, BLOCK * BLOCK), -1, np.int32)
        """Index of each pair in the list, in blocks, -1 where the pair did not meet; the first block stays empty."""
        self._directory = np.zeros((1, 1), np.int32)
        """Number of the block for each `BLOCK` by `BLOCK` models, 0 where none of them met."""

    @property
    def nbytes(self) -> int:
        """Memory of the counts in bytes."""
        return sum(each.nbytes for each in (self._first, self._second, self._counts, self._blocks, self._directory))

    def met(self, models: int) -> Met:
        """Return a copy of the current counts, which shares no memory with this counter."""
        return Met(
            models,
            self._first[: self.size].astype(np.int64),
            self._second[: self.size].astype(np.int64),
            self._counts[: self.size].T.copy(),
        )

    def votes_of(self, model: int) -> int:
        """Votes on one model."""
        its = (self._first[: self.size] == model) | (self._second[: self.size] == model)
        return int(self._counts[: self.size][its, :NONE].sum())

    def add(self, models: int, first: Numbers, second: Numbers, winner: NDArray[np.uint8]) -> None:
        """Count battles, int64[n] models below `models` and uint8[n] winner codes."""
        places = self._places(models, first, second)
        np.add.at(self._counts.reshape(-1), places * OUTCOMES + winner, 1)

    def set(self, models: int, first: Numbers, second: Numbers, counts: Numbers) -> None:
        """Set the counts of P distinct, so far uncounted pairs: int64[P] models and int64[5, P] counts."""
        places = self._places(models, first, second)  # before reading `_counts`, which it may reallocate
        self._counts[places] = counts.T

    def _places(self, models: int, first: Numbers, second: Numbers) -> Numbers:
        """Return the index of each pair in the list; new pairs are appended in order of appearance."""
        self._widen(models)
        block = (first >> SHIFT) * len(self._directory) + (second >> SHIFT)
        within = (first & MASK) << SHIFT | second & MASK
        places = self._find(block, within)
        if places.size and places.min() < 0:
            new = np.flatnonzero(places < 0)
            _, once = np.unique(first[new] << 32 | second[new], return_index=True)
            new = new[np.sort(once)]
            self._append(first[new], second[new], block[new], within[new])
            places = self._find(block, within)
        return places

    def _find(self, block: Numbers, within: Numbers) -> Numbers:
        number = self._directory.reshape(-1)[block].astype(np.int64)
        number <<= 2 * SHIFT
        number |= within
        return self._blocks.reshape(-1)[number].astype(np.int64)

    def _append(self, first: Numbers, second: Numbers, block: Numbers, within: Numbers) -> None:
        """Append pairs that are not in the list."""
        end = self.size + first.size
        if end > len(self._first):
            room = max(end, len(self._first) * 3 // 2)
            self._first, self._second = _longer(self._first, room, 0), _longer(self._second, room, 0)
            self._counts = _longer(self._counts, room, 0)
        self._first[self.size : end], self._second[self.size : end] = first, second
        directory = self._directory.reshape(-1)
        needed = np.unique(block[directory[block] == 0])
        if needed.size:
            used = self._used + needed.size
            if used > len(self._blocks):
                self._blocks = _longer(self._blocks, max(used, len(self._blocks) * 3 // 2), -1)
            directory[needed] = np.arange(self._used, used)
            self._used = used
        self._blocks[directory[block], within] = np.arange(self.size, end)
        self.size = end

    def _widen(self, models: int) -> None:
        """Grow the directory to this number of models."""
        width, needed = len(self._directory), (models + MASK) >> SHIFT
        if needed > width:
            wider = np.zeros((max(needed, width * 3 // 2),) * 2, np.int32)
            wider[:width, :width] = self._directory
            self._directory = wider


def _longer(array: NDArray[Scalar], room: int, fill: int) -> NDArray[Scalar]:
    longer = np.full((room, *array.shape[1:]), fill, array.dtype)
    longer[: len(array)] = array
    return longer
