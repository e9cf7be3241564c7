"""Exposure from totals: the votes that each model, and all models together, gained between snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.history import Mask, Matrix
from streams.audit.board.models import Models
from streams.audit.board.restated import Restatement, restatements

RESET = 0.5
"""A total that falls below this part of the one before was reset."""

SMALL_TOTAL = 20.0
"""A fall of a total up to this size is not taken for a reset."""

LOOK_BACK = 3
"""Most snapshots of a passing absence; after a longer one the model has left the board."""


@dataclass(frozen=True)
class Gains:
    """Gains of each model in the span that ends at each snapshot.

    A span begins at the model's last counted snapshot, so a model that was off the board has one long span when it
    returns. A model's first row does not end a span, because its total includes votes from before.

    Attributes
    ----------
    change
        float64[M, T]: change of the total, NaN where no span ends.
    begin
        int64[M, T]: snapshot at which that span begins, -1 where none ends.
    reset
        bool[M, T]: the total was reset, or restated with all others, so the gain is unknown.
    restated
        Snapshots at which nearly all totals were restated.
    all
        float64[T]: votes gained in the interval that ends at t by all models counted at both its ends.
    total
        float64[M, T]: totals, NaN where there is none.
    dates
        float64[T], epoch seconds.
    """

    change: Matrix
    begin: NDArray[np.int64]
    reset: Mask
    restated: dict[int, Restatement]
    all: Matrix
    total: Matrix
    dates: Matrix

    @cached_property
    def known(self) -> bool:
        """Whether any model has two totals, so that gains are known."""
        return bool((self.counted.sum(axis=1) > 1).any())

    @cached_property
    def counted(self) -> Mask:
        """bool[M, T]: there is a total."""
        return ~np.isnan(self.total)

    @cached_property
    def gained(self) -> Matrix:
        """Votes gained, 0 where the total fell, NaN where unknown."""
        return np.where(self.reset, np.nan, np.maximum(self.change, 0.0))

    @cached_property
    def dated(self) -> Matrix:
        """Votes gained in the interval that ends at each snapshot: float64[M, T], 0 where unknown.

        The gain of a model while it was off the board is spread evenly over the days of the absence.
        """
        dated = np.nan_to_num(self.gained)
        for model, at in np.argwhere((self.begin >= 0) & (self.begin < np.arange(dated.shape[1]) - 1)):
            begin, whole = int(self.begin[model, at]), dated[model, at]
            days = np.diff(self.dates[begin : at + 1])
            dated[model, begin + 1 : at + 1] = whole * days / days.sum()
        return dated

    def after_absence(self, at: int) -> Mask:
        """bool[M]: models whose span to this snapshot is longer than a passing absence."""
        return np.asarray((self.begin[:, at] >= 0) & (self.begin[:, at] < at - 1 - LOOK_BACK))


def gains_of(models: Models) -> Gains:
    """Compute gains from the totals."""
    count, snapshots = models.votes.shape
    change = np.full((count, snapshots), np.nan)
    begin: NDArray[np.int64] = np.full((count, snapshots), -1, dtype=np.int64)
    reset = np.zeros((count, snapshots), dtype=bool)
    for model in range(count):
        counted = np.flatnonzero(~np.isnan(models.votes[model]))
        before, after = counted[:-1], counted[1:]
        totals = models.votes[model]
        change[model, after] = totals[after] - totals[before]
        begin[model, after] = before
        reset[model, after] = (totals[after] < RESET * totals[before]) & (totals[before] > SMALL_TOTAL)
    restated = restatements(change, begin, models.votes, models.dates)
    for at in restated:
        reset[:, at:] |= (begin[:, at:] >= 0) & (begin[:, at:] < at)
    next_to = begin == np.arange(snapshots) - 1
    own = np.where(next_to & ~reset, np.maximum(np.nan_to_num(change), 0.0), 0.0)
    return Gains(change, begin, reset, restated, own.sum(axis=0), models.votes, models.dates)
