"""The clock of an audit: how many votes an unchanged model would have gained, measured on the running models.

Votes come in waves, snapshots at irregular times, and new models take slots from all others. So neither days nor the
share of all votes measures a model; the gains of the other running models do. One unit passes in an interval in which
they gain what their baselines say, two units in one with twice that, none in one without votes.
"""

from __future__ import annotations

import numpy as np

from streams.audit.board.gains import Gains
from streams.audit.board.history import Mask, Matrix

OUT = 0.1
"""Models that gained at most this part of their due do not drive the clock: they may have just stopped."""


class Clock:
    """Units passed for each model since the first snapshot, measured on the other models: float64[M].

    >>> clock = Clock(2)
    >>> clock.units
    array([0., 0.])
    """

    def __init__(self, count: int) -> None:
        self.units = np.zeros(count)
        self._at_last_row = np.zeros(count)

    def advance(self, gains: Gains, at: int, baseline: Matrix, running: Mask) -> None:
        """Advance by the interval that ends at a snapshot.

        Parameters
        ----------
        gains, at
            Gains, and the number of the snapshot.
        baseline
            float64[M], votes per unit, 0 without a baseline.
        running
            bool[M], models whose votes have not stopped.
        """
        if gains.all[at] <= 0:
            return
        tells = running & (baseline > 0) & (gains.begin[:, at] == at - 1) & ~np.isnan(gains.gained[:, at])
        won = np.where(tells, np.nan_to_num(gains.gained[:, at]), 0.0)
        due = np.where(tells, baseline, 0.0)
        if not due.any():
            self.units += 1.0  # no model that counts has a baseline yet: this interval is one unit
            return
        fair = tells & (won > OUT * due * won.sum() / due.sum())
        if fair.any():
            won, due = np.where(fair, won, 0.0), np.where(fair, due, 0.0)
        rest = due.sum() - due
        alone = rest <= 1e-12 * due.sum()
        self.units += np.where(alone, 0.0, (won.sum() - won) / np.where(alone, 1.0, rest))

    def passed(self, counted: Mask) -> Matrix:
        """Return the units since each model's last counted row; restart the count of models counted now."""
        passed = self.units - self._at_last_row
        self._at_last_row = np.where(counted, self.units, self._at_last_row)
        return np.asarray(passed)
