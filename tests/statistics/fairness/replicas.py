"""Many runs of one detector at once: the subjects of one e-CUSUM are the replicas."""

import numpy as np
from numpy.typing import NDArray

from streams.fairness.detectors.share_drift import BETS
from streams.fairness.statistics.cusum import Cusum, Mark, Odds

TICK = 100
SIX_BETS = np.array(BETS)


class Replicas:
    """`runs` independent detectors of a share π; `battles` feeds them a true share."""

    def __init__(
        self,
        seed: int,
        runs: int,
        pi: float,
        bets: NDArray[np.float64] = SIX_BETS,
        delta: float = 0.0,
        tick: int = TICK,
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.runs, self.tick = runs, tick
        self.odds = Odds.of(np.full(runs, pi), np.asarray(bets), delta)
        self.cusum = Cusum.start(len(bets), runs)
        self.zeros = np.zeros(runs)

    def step(self, share: float) -> NDArray[np.float64]:
        """One tick at a true share; float64[runs], log M."""
        hits = self.random.binomial(self.tick, share, self.runs).astype(float)
        top, _ = self.cusum.update(self.odds, hits, self.tick, Mark(0, 0.0, self.zeros, self.zeros))
        near = top > 0
        log_e = np.full(self.runs, -np.inf)
        log_e[near] = self.cusum.log_e(np.flatnonzero(near))
        return log_e

    def healthy(self, share: float, battles: int) -> None:
        for _ in range(battles // self.tick):
            self.step(share)

    def first_alarm(self, share: float, level: float, most: int) -> NDArray[np.float64]:
        """Ticks to the first alarm at each level: float64[levels, runs], nan beyond `most` ticks."""
        levels = np.atleast_1d(np.log(level))[:, None]
        alarmed = np.full((levels.size, self.runs), np.nan)
        for number in range(1, most + 1):
            now = (self.step(share) >= levels) & np.isnan(alarmed)
            alarmed[now] = number
            if not np.isnan(alarmed).any():
                break
        return alarmed
