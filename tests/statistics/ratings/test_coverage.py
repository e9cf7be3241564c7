"""Does the 95 % interval cover the truth 95 % of the time? Sparse models included, which is where peers fail."""

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.ratings.bradley_terry import fit
from streams.ratings.intervals import NORMAL_95, SandwichCovariance

REPLICATES = 2000
MODELS, SPARSE = 40, 10
BUSY_PAIR, SPARSE_PAIR = 60, 5  # votes: 2,000 for a busy model, 200 for a sparse one


@pytest.fixture(scope="module")
def covered() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """bool[replicate, model] whether the sandwich interval, and the plain Fisher interval, hold the true rating."""
    random = np.random.default_rng(20240814)
    theta = random.normal(scale=0.8, size=MODELS)
    theta -= theta.mean()
    mean = np.where(np.arange(MODELS) < SPARSE, SPARSE_PAIR, BUSY_PAIR)
    played = np.triu(random.poisson(np.minimum(mean, mean[:, None])), 1)
    p = 1 / (1 + np.exp(theta - theta[:, None]))
    tie = 0.6 * np.minimum(p, 1 - p)  # some 25 %; a draw being half a win, P(win) + ½P(draw) is still p
    sandwich, fisher = (np.empty((REPLICATES, MODELS), dtype=bool) for _ in range(2))
    for replicate in range(REPLICATES):
        drawn = random.binomial(played, tie)
        won = random.binomial(played - drawn, (p - tie / 2) / (1 - tie))
        wins, draws = won + (played - drawn - won).T, drawn + drawn.T
        found = fit(wins, draws)
        away = np.abs(found.theta - theta)
        sandwich[replicate] = away <= NORMAL_95 * np.sqrt(SandwichCovariance.of(wins, draws, found).variances())
        fisher[replicate] = away <= NORMAL_95 * np.sqrt(np.diag(np.linalg.pinv(found.hessian, hermitian=True)))
    return sandwich, fisher


def share(covered: NDArray[np.float64], capsys: pytest.CaptureFixture[str], what: str) -> float:
    """Share covered, printed with its Monte-Carlo error: replicates are independent, models in one are not."""
    per_replicate = covered.mean(axis=1)
    error = per_replicate.std(ddof=1) / np.sqrt(per_replicate.size)
    with capsys.disabled():
        print(f"\n  {what}: {100 * per_replicate.mean():.2f} % ± {100 * error:.2f}", file=sys.stderr)
    return float(per_replicate.mean())


@pytest.mark.statistics
def test_the_interval_covers_95_per_cent_over_all_models(
    covered: tuple[NDArray[np.float64], NDArray[np.float64]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0.94 < share(covered[0], capsys, "sandwich, all models") < 0.96


@pytest.mark.statistics
def test_the_interval_covers_95_per_cent_of_the_ten_sparsest_models(
    covered: tuple[NDArray[np.float64], NDArray[np.float64]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0.94 < share(covered[0][:, :SPARSE], capsys, "sandwich, ten sparsest") < 0.96


@pytest.mark.statistics
def test_the_interval_covers_95_per_cent_of_each_model(
    covered: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    # 40 models, 4.5 Monte-Carlo errors of one
    assert np.abs(covered[0].mean(axis=0) - 0.95).max() < 4.5 * np.sqrt(0.95 * 0.05 / REPLICATES)


@pytest.mark.statistics
def test_the_plain_fisher_interval_is_too_wide_under_draws(
    covered: tuple[NDArray[np.float64], NDArray[np.float64]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert share(covered[1], capsys, "plain Fisher, all models") > 0.97
