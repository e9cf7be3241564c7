"""Arenas for the ratings tests: seeded synthetic ones, and the real one where it is at hand."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

REPOSITORY = Path(__file__).parents[3]


class Arena(NamedTuple):
    """Counts as ``leaderboard.solve`` takes them, and the names of the models."""

    wins: NDArray[np.int64]
    ties: NDArray[np.int64]
    both_bad: NDArray[np.int64]
    models: tuple[str, ...]

    @property
    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        return self.wins, self.ties, self.both_bad

    @property
    def draws(self) -> NDArray[np.int64]:
        shown = self.ties + self.both_bad
        return shown + shown.T


def synthetic(models: int, per_pair: float, seed: int = 0) -> Arena:
    random = np.random.default_rng(seed)
    theta = random.normal(size=models)
    played = np.triu(random.poisson(per_pair, (models, models)), 1)
    drawn = random.binomial(played, 0.3)
    won = random.binomial(played - drawn, 1 / (1 + np.exp(theta - theta[:, None])))
    ties = random.binomial(drawn, 0.6)
    names = tuple(f"model-{index}" for index in range(models))
    return Arena(won + (played - drawn - won).T, ties, drawn - ties, names)


@pytest.fixture(scope="session")
def arena() -> Callable[..., Arena]:
    return synthetic


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(os.environ.get("ISONOMY_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the shared data sets are not here (ISONOMY_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def chatbot_arena(shared_data: Path) -> Arena:
    """1,670,250 votes of August 2024: pairs with [wins, losses, ties, both bad] of the first."""
    raw = json.loads((shared_data / "chatbotarena_20240814.json").read_text())
    models = tuple(raw["models"])
    wins, ties, both_bad = (np.zeros((len(models),) * 2, dtype=np.int64) for _ in range(3))
    for (i, j), (won, lost, tied, bad) in zip(raw["X"], raw["Y"], strict=True):
        wins[i, j] += won
        wins[j, i] += lost
        ties[i, j] += tied
        both_bad[i, j] += bad
    return Arena(wins, ties, both_bad, models)
