"""The usual gaps between an arena's records, and when a silence is a stall: the one rule that uses wall time.

`Rhythm` keeps the longest gap between two records of each of the last seven days (of record time) with records. The
second longest of these is the arena's usual longest silence: it learns a quiet night in two days, and ignores a single
outage. A silence is a stall when it is longer than both `stall_factor` times that and `stall_seconds`. With fewer than
two days of records, a silence is a stall after four times `stall_seconds`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Severity, Subject
from streams.fairness.detectors.base import Verdict
from streams.fairness.settings import FairnessSettings

DAY_MS = 86_400_000
DAYS = 7


@dataclass(slots=True)
class Rhythm:
    """Longest gaps by day, milliseconds; a function of the row sequence.

    Attributes
    ----------
    last
        Newest record time, epoch milliseconds; 0 before the first record.
    day
        Day of `last`.
    longest
        int64[7], the longest gap of that day (at 0) and of earlier days with records, -1 where there are none yet.
    """

    last: int = 0
    day: int = 0
    longest: NDArray[np.int64] = field(default_factory=lambda: np.full(DAYS, -1, np.int64))

    def hear(self, recorded: NDArray[np.int64]) -> None:
        """Add the record times of the next rows, int64[n], epoch milliseconds; need not be sorted across partitions."""
        if not recorded.size:
            return
        times = np.maximum(np.maximum.accumulate(recorded), self.last)
        gaps = np.diff(times, prepend=self.last if self.last else times[0])
        days = times // DAY_MS
        for day in np.unique(days).tolist():
            if day != self.day:
                self.longest = np.concatenate([[-1], self.longest[:-1]])
                self.day = day
            self.longest[0] = max(self.longest[0], gaps[days == day].max())
        self.last = int(times[-1])

    def patience(self, settings: FairnessSettings) -> float:
        """Return the longest silence, in seconds, that is not a stall."""
        known = np.sort(self.longest[self.longest >= 0])
        if known.size < 2:
            return 4.0 * settings.stall_seconds
        return max(settings.stall_seconds, settings.stall_factor * float(known[-2]) / 1000)


def silence(rhythm: Rhythm, now: float, settings: FairnessSettings, onset: str) -> Verdict | None:
    """Decide whether the silence since the last record is a stall.

    Parameters
    ----------
    rhythm
        Gaps between the arena's records so far.
    now
        Wall time, epoch seconds.
    settings
        The arena's settings.
    onset
        The last place in the ledger, see `Moment`: the alert's id depends on the ledger only, unlike its time.

    Returns
    -------
    The verdict, or None while the silence is usual or before the first record.
    """
    if not rhythm.last:
        return None
    silent, patience = now - rhythm.last / 1000, rhythm.patience(settings)
    if silent <= patience:
        return None
    evidence: Evidence = {"cause": "silence", "silent_seconds": round(silent), "usual_seconds": round(patience)}
    return Verdict(Subject(), Severity.CRITICAL, onset, rhythm.last / 1000, evidence)
