"""The clock of the watch: how many votes an unchanged model would have gained, told by the models that run.

Votes come in waves, snapshots at odd times, and new models take slots from all others. So a model is not measured in
days, nor by its share of everything, but by how the other running models fared: in an interval in which they gained
what their baselines say, one unit passes; in one with twice that, two; in one without any votes, none.
"""

from __future__ import annotations

import numpy as np

from streams.audit.board.gains import Gains
from streams.audit.board.history import Mask, Matrix

OUT = 0.1
"""Models that gained less than this part of their due do not tell the time: they may have just stopped."""


class Clock:
    """Units passed for each model since the beginning, as the other models tell: float64[M].

    >>> clock = Clock(2)
    >>> clock.units
    array([0., 0.])
    """

    def __init__(self, count: int) -> None:
        self.units = np.zeros(count)
        self._at_last_row = np.zeros(count)

    def advance(self, gains: Gains, at: int, baseline: Matrix, running: Mask) -> None:
        """Let the interval that ends at a snapshot pass.

        Parameters
        ----------
        gains, at
            Gains, and which snapshot.
        baseline
            float64[M], votes per unit, 0 without one.
        running
            bool[M], models whose votes have not stopped.
        """
        if gains.all[at] <= 0:
            return
        tells = running & (baseline > 0) & (gains.begin[:, at] == at - 1) & ~np.isnan(gains.gained[:, at])
        won = np.where(tells, np.nan_to_num(gains.gained[:, at]), 0.0)
        due = np.where(tells, baseline, 0.0)
        if not due.any():
            self.units += 1.0  # nobody has a baseline yet: the first interval is the unit
            return
        fair = tells & (won > OUT * due * won.sum() / due.sum())
        if fair.any():
            won, due = np.where(fair, won, 0.0), np.where(fair, due, 0.0)
        rest = due.sum() - due
        alone = rest <= 1e-12 * due.sum()
        self.units += np.where(alone, 0.0, (won.sum() - won) / np.where(alone, 1.0, rest))

    def passed(self, counted: Mask) -> Matrix:
        """Units since each model's last counted row, and count those that have a row now."""
        passed = self.units - self._at_last_row
        self._at_last_row = np.where(counted, self.units, self._at_last_row)
        return np.asarray(passed)
