"""The clock: when each battle happens; to the millisecond, as records have it."""

from __future__ import annotations

import numpy as np

from services.simulate.sampler import Vector
from services.simulate.scenario import ClockSection
from services.simulate.seeds import SeedStream, random_of

TICK = 0.002
"""Seconds between two records of the registry, so that their times have their order, even if cut to milliseconds."""


class Times:
    """Times of battles, in order.

    Parameters
    ----------
    clock
        How often.
    seed
        Of Poisson arrivals.
    start
        In place of the scenario's.
    """

    def __init__(self, clock: ClockSection, seed: int, start: float | None = None) -> None:
        self.now = round(clock.start if start is None else start, 3)
        self._gap = 86_400 / clock.per_day
        self._poisson = clock.arrivals == "poisson"
        self._random = random_of(seed, SeedStream.CLOCK)

    def battles(self, n: int) -> Vector:
        """float64[n], epoch seconds of the next n battles."""
        gaps = self._random.exponential(self._gap, n) if self._poisson else np.full(n, self._gap)
        times = self.now + np.cumsum(gaps)
        self.now = float(times[-1])
        return np.asarray(np.round(times, 3))

    def tick(self) -> float:
        """Time of a record of the registry: after every battle so far and not after the next one."""
        self.now = round(self.now, 3) + TICK
        return round(self.now, 3)

    def silence(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
