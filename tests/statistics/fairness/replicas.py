"""Many runs of one detector at once: the subjects of one set of sums are the replicas."""

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.share_evidence import LEARNED, SURE
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.odds_bets import BETS, OddsBets, outside
from streams.fairness.statistics.share_sums import ShareSums

TICK = 100
ALL_BETS = np.array(BETS)
PAGE = 3.65e5 * (60 + 12 + 2) / (1 - 1 / 16)
"""c of a page by default: sixty models, twelve providers, two licence classes, and the policy as a whole."""


class Null:
    """Sums against one null: odds from `low` to `high` times the declared ones, bets around `centre`."""

    def __init__(self, pi: float, runs: int, low: float, high: float, centre: float, bets: NDArray[np.float64]) -> None:
        self.odds = OddsBets.of(np.full(runs, pi), bets, low, high, centre)
        self.sums = ShareSums.start(bets, runs)


class Replicas:
    """`runs` independent detectors of a share π; `step` feeds them a true share.

    `delta` is the tolerance of the declared null. With `usual`, the learned multiple, there is a learned null as well,
    known as well as after `LEARNED` battles.
    """

    def __init__(
        self, seed: int, runs: int, pi: float, delta: float = 0.0, tick: int = TICK, usual: float | None = None
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.runs, self.tick, self.pi = runs, tick, pi
        self.nulls = [Null(pi, runs, 1 - delta, 1 + delta, 1.0, outside(1 - delta, 1 + delta))]
        if usual is not None:
            share = usual * pi / (1 - pi + usual * pi)
            spread = float(np.exp(SURE / np.sqrt(LEARNED * share * (1 - share))))
            self.nulls.append(Null(pi, runs, usual / spread, usual * spread, usual, ALL_BETS))
        self.mark = Mark(0, 0.0, np.zeros(runs), np.zeros(runs))

    def add(self, hits: NDArray[np.float64], battles: float | None = None) -> NDArray[np.float64]:
        """Close a tick; float64[runs], log M."""
        n = battles or self.tick
        m = [null.sums.update(null.odds, hits, n, self.mark) for null in self.nulls]
        with np.errstate(divide="ignore"):
            return np.log(np.mean(m, axis=0))

    def step(self, share: float) -> NDArray[np.float64]:
        """One tick at a true share; float64[runs], log M."""
        return self.add(self.random.binomial(self.tick, share, self.runs).astype(float))

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
