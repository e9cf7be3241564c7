"""The two arenas of the ratings notes: 2,000,000 battles among 243 models, always active or only for a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MODELS = 243
BATTLES = 2_000_000
TIES, BOTH_BAD = 0.2, 0.1
SEED = 20_504


@dataclass(frozen=True, slots=True)
class Battles:
    """Columns of n battles: models shown and winner codes."""

    model_a: NDArray[np.int64]
    model_b: NDArray[np.int64]
    winner: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.winner)

    def part(self, chosen: slice) -> Battles:
        """A slice of the battles."""
        return Battles(self.model_a[chosen], self.model_b[chosen], self.winner[chosen])

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Wins, ties and both-bad as arguments of `leaderboard.solve`."""
        shown = np.zeros((4, MODELS, MODELS), np.int64)
        np.add.at(shown, (self.winner, self.model_a, self.model_b), 1)
        return shown[0] + shown[1].T, shown[2], shown[3]


def flat(count: int = BATTLES) -> Battles:
    """All pairs are equally likely, all the time."""
    random = np.random.default_rng(SEED)
    first = random.integers(0, MODELS, count)
    second = (first + random.integers(1, MODELS, count)) % MODELS
    return _battles(random, first, second)


def windowed(count: int = BATTLES) -> Battles:
    """Models enter and leave: each is active for a time, and some are shown much more often than others."""
    random = np.random.default_rng(SEED + 1)
    periods = 400
    enters = np.sort(random.integers(-40, periods - 4, MODELS))
    stays = np.maximum(random.exponential(60.0, MODELS), 4.0)
    weight = random.lognormal(0.0, 0.9, MODELS)
    per_period = count // periods
    firsts, seconds = [], []
    for period in range(periods):
        active = np.flatnonzero((enters <= period) & (period < enters + stays))
        chance = weight[active] / weight[active].sum()
        firsts.append(random.choice(active, per_period, p=chance))
        seconds.append(random.choice(active, per_period, p=chance))
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    met = first != second
    return _battles(random, first[met], second[met])


def _battles(random: np.random.Generator, first: NDArray[np.int64], second: NDArray[np.int64]) -> Battles:
    theta = random.normal(0.0, 1.0, MODELS)
    chance = 1.0 / (1.0 + np.exp(theta[second] - theta[first]))
    drawn = random.random(len(first))
    winner = np.where(random.random(len(first)) < chance, 0, 1)
    winner = np.where(drawn < TIES + BOTH_BAD, np.where(drawn < TIES, 2, 3), winner)
    return Battles(first.astype(np.int64), second.astype(np.int64), winner.astype(np.uint8))


ARENAS = {"flat": flat, "windowed": windowed}
