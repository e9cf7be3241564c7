"""Refusal limits: too many refused votes of one arena mean a broken sender or deploy, which an operator must look at.

Limits hold per arena, and exceeding one stops nothing: a sender that writes rubbish must not hold up the others. Intake
reports the share of refused records until fewer are refused; refused records are parked and can be sent again. Like
the id memory, the counts depend on the log alone, not on where a fetch ends or how often intake was restarted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = ""
"""Arena of a record that does not name one."""
LEAST = 0.05
"""Smallest denominator of the share, as a part of the window: three votes of a small arena prove nothing."""


@dataclass(frozen=True, slots=True)
class Excess:
    """Refused records of an arena in the window, all its records there, and the refused ones in a row at the end."""

    refused: int
    records: int
    run: int

    def __str__(self) -> str:
        return f"{self.refused} of its last {self.records} votes were refused, {self.run} in a row"


class Refusals:
    """Counts, in one partition, how many of each arena's last records were refused.

    Parameters
    ----------
    run
        An arena is over the limit with this many refused records in a row,
    ratio
        or with a larger refused share among its records in the partition's last `window` records.
    window
        Number of the partition's last records to count.
    """

    def __init__(self, run: int, ratio: float, window: int) -> None:
        self._longest, self._ratio, self._window = max(run, 1), ratio, max(window, 1)
        self._kept = max(self._window, self._longest)
        self._names: list[str] = []
        self._of = np.zeros(0, np.int32)
        self._refused = np.zeros(0, np.bool_)
        self.over: dict[str, Excess] = {}
        """Arenas that are over a limit after the last record."""

    def observe(self, names: Sequence[str], of: NDArray[np.int32], refused: NDArray[np.bool_]) -> None:
        """Count n records in order.

        Parameters
        ----------
        names
            Arenas, each once.
        of
            int32[n]: index into `names` of each record's arena.
        refused
            bool[n]: which records are refused.

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
        few = min(self._longest - 1, int(self._ratio * LEAST * self._window))  # this many refusals exceed no limit
        for code in np.flatnonzero(np.bincount(self._of[self._refused]) > few).tolist():
            mine = self._refused[self._of == code]
            usable = np.flatnonzero(~mine)
            run = len(mine) - 1 - int(usable[-1]) if len(usable) else len(mine)
            recent = self._refused[-self._window :][self._of[-self._window :] == code]
            share = int(recent.sum()) > self._ratio * max(len(recent), LEAST * self._window)
            if share or run >= self._longest:
                self.over[self._names[code]] = Excess(int(recent.sum()), len(recent), run)

    def _recode(self, names: Sequence[str], of: NDArray[np.int32]) -> NDArray[np.int32]:
        """Translate the codes to this object's numbering; numbers of arenas without kept records are freed."""
        if len(self._names) > 2 * self._kept:
            left, places = np.unique(self._of, return_inverse=True)
            self._of = places.astype(np.int32)
            self._names = [self._names[code] for code in left.tolist()]
        known = {name: code for code, name in enumerate(self._names)}
        codes = np.array([known.setdefault(name, len(known)) for name in names], np.int32)
        self._names = list(known)
        return codes[of]
