"""An arena's rhythm, and how long a silence may last before it is a stall: the one rule of wall time.

Per day of record time the longest gap between two records is kept, for the last seven days with records. The second
longest of them is the arena's longest usual silence: a quiet night is learned in two days, and one outage is not. A
silence is a stall when it is longer than `stall_factor` times that and than `stall_seconds`; while there are fewer than
two days to learn from, four times `stall_seconds`.
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
        Its day.
    longest
        int64[7], the longest gap of that day (at 0) and of the days with records before it, -1 where there is none.
    """

    last: int = 0
    day: int = 0
    longest: NDArray[np.int64] = field(default_factory=lambda: np.full(DAYS, -1, np.int64))

    def hear(self, recorded: NDArray[np.int64]) -> None:
        """Take in the record times of the next rows, int64[n], epoch milliseconds; partitions may be a little apart."""
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
        """Seconds of silence that are still usual."""
        known = np.sort(self.longest[self.longest >= 0])
        if known.size < 2:
            return 4.0 * settings.stall_seconds
        return max(settings.stall_seconds, settings.stall_factor * float(known[-2]) / 1000)


def silence(rhythm: Rhythm, now: float, settings: FairnessSettings, onset: str) -> Verdict | None:
    """Judge a silence.

    Parameters
    ----------
    rhythm
        Of the arena's records so far.
    now
        Wall time, epoch seconds.
    settings
        Of the arena.
    onset
        The last place of the ledger, see `Moment`: the alert's id is a function of the ledger although its time is not.

    Returns
    -------
    The verdict, or None while the silence is usual or there never was a record.
    """
    if not rhythm.last:
        return None
    silent, patience = now - rhythm.last / 1000, rhythm.patience(settings)
    if silent <= patience:
        return None
    evidence: Evidence = {"cause": "silence", "silent_seconds": round(silent), "usual_seconds": round(patience)}
    return Verdict(Subject(), Severity.CRITICAL, onset, rhythm.last / 1000, evidence)
