"""Whose votes are refused: too many of one arena mean a sender or a deploy that is wrong, and somebody must look.

The limits are an arena's, and passing them stops nobody: one sender that writes rubbish must not hold up the others.
It is said, with the share that is missing, until fewer are refused; what was refused is parked, and can be sent again.
Of the log alone, like the id memory: where a fetch ends, and how often intake was begun anew, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = ""
"""Sender of a record that does not say which arena it is of."""
LEAST = 0.05
"""The share is that of as many records at least, as a part of the window: three votes of a small arena say nothing."""


@dataclass(frozen=True, slots=True)
class Excess:
    """How many of an arena's last records were refused, of how many, and how many in a row at the end."""

    refused: int
    records: int
    run: int

    def __str__(self) -> str:
        return f"{self.refused} of its last {self.records} votes were refused, {self.run} in a row"


class Refusals:
    """Follows, in one partition, how many of each arena's last records were refused.

    Parameters
    ----------
    run
        So many refused records of an arena in a row are too many.
    ratio
        So is a larger share of refused ones among those of its records that are of the partition's last `window`.
    window
        Records of the partition that are looked at.
    """

    def __init__(self, run: int, ratio: float, window: int) -> None:
        self._longest, self._ratio, self._window = max(run, 1), ratio, max(window, 1)
        self._kept = max(self._window, self._longest)
        self._names: list[str] = []
        self._of = np.zeros(0, np.int32)
        self._refused = np.zeros(0, np.bool_)
        self.over: dict[str, Excess] = {}
        """Arenas that are over a limit, behind the last record."""

    def observe(self, names: Sequence[str], of: NDArray[np.int32], refused: NDArray[np.bool_]) -> None:
        """Take in n records in order.

        Parameters
        ----------
        names
            Arenas, each once.
        of
            int32[n]: of which of them each record is.
        refused
            bool[n]: which cannot be used, whatever their arena.

        Examples
        --------
        >>> refusals = Refusals(run=3, ratio=1.0, window=100)
        >>> of, refused = np.array([0, 0, 1, 0, 1], np.int32), np.array([True, True, False, True, False])
        >>> refusals.observe(["text", "code"], of, refused)
        >>> refusals.over
        {'text': Excess(refused=3, records=3, run=3)}
        """
        of = self._recode(names, of)
        self._of = np.concatenate([self._of, of])[-self._kept :]
        self._refused = np.concatenate([self._refused, refused])[-self._kept :]
        self.over = {}
        few = min(self._longest - 1, int(self._ratio * LEAST * self._window))  # no limit is passed by so few
        for code in np.flatnonzero(np.bincount(self._of[self._refused]) > few).tolist():
            mine = self._refused[self._of == code]
            usable = np.flatnonzero(~mine)
            run = len(mine) - 1 - int(usable[-1]) if len(usable) else len(mine)
            recent = self._refused[-self._window :][self._of[-self._window :] == code]
            share = int(recent.sum()) > self._ratio * max(len(recent), LEAST * self._window)
            if share or run >= self._longest:
                self.over[self._names[code]] = Excess(int(recent.sum()), len(recent), run)

    def _recode(self, names: Sequence[str], of: NDArray[np.int32]) -> NDArray[np.int32]:
        """Number the arenas as they are numbered here; those of which nothing is kept any more give theirs back."""
        if len(self._names) > 2 * self._kept:
            left, places = np.unique(self._of, return_inverse=True)
            self._of = places.astype(np.int32)
            self._names = [self._names[code] for code in left.tolist()]
        known = {name: code for code, name in enumerate(self._names)}
        codes = np.array([known.setdefault(name, len(known)) for name in names], np.int32)
        self._names = list(known)
        return codes[of]
