"""The clock: the time of each battle, rounded to the millisecond as in records."""

from __future__ import annotations

import numpy as np

from services.simulate.sampler import Vector
from services.simulate.scenario import ClockSection
from services.simulate.seeds import SeedStream, random_of

TICK = 0.002
"""Seconds between two records of the registry: their times stay in order, even when cut to milliseconds."""


class Times:
    """Times of battles, in order.

    Parameters
    ----------
    clock
        How often battles happen.
    seed
        Seed of Poisson arrivals.
    start
        Start time, epoch seconds; the scenario's own unless given.
    """

    def __init__(self, clock: ClockSection, seed: int, start: float | None = None) -> None:
        self.now = round(clock.start if start is None else start, 3)
        self._gap = 86_400 / clock.per_day
        self._poisson = clock.arrivals == "poisson"
        self._random = random_of(seed, SeedStream.CLOCK)

    def battles(self, n: int) -> Vector:
        """Return float64[n], epoch seconds of the next n battles."""
        gaps = self._random.exponential(self._gap, n) if self._poisson else np.full(n, self._gap)
        times = self.now + np.cumsum(gaps)
        self.now = float(times[-1])
        return np.asarray(np.round(times, 3))

    def tick(self) -> float:
        """Return the time of a registry record: after every battle so far, and not after the next battle."""
        self.now = round(self.now, 3) + TICK
        return round(self.now, 3)

    def silence(self, seconds: float) -> None:
        """Advance the clock by `seconds` without a battle."""
        self.now += seconds
