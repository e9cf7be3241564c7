from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from streams.ratings.bradley_terry import Fit, fit
from streams.ratings.intervals import NORMAL_95, Spread
from tests.unit.ratings.conftest import Arena

Counts = NDArray[np.int64] | NDArray[np.float64]


def covariance(
    wins: Counts,
    draws: Counts,
    found: Fit,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    return Spread.of(wins, draws, found, weights).covariance


def standard_errors(
    wins: Counts, draws: Counts, found: Fit, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    return np.sqrt(Spread.of(wins, draws, found, weights).variances())


def one_row_at_a_time(
    wins: NDArray[np.int64], draws: NDArray[np.int64], theta: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sandwich covariance from single votes, by its definition."""
    models = theta.size
    bread, meat = np.zeros((models, models)), np.zeros((models, models))
    outcomes = [(1.0, wins), (0.5, np.triu(draws))]
    for score, counts in outcomes:
        for i, j in np.argwhere(counts):
            direction = np.eye(models)[i] - np.eye(models)[j]
            p = 1 / (1 + np.exp(theta[j] - theta[i]))
            for _ in range(counts[i, j]):
                bread += weights[i, j] * p * (1 - p) * np.outer(direction, direction)
                residual = weights[i, j] * (score - p) * direction
                meat += np.outer(residual, residual)
    inverse = np.linalg.pinv(bread, hermitian=True)
    return inverse @ meat @ inverse


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("models", [5, 70])  # one block, and several
def test_the_covariance_is_the_sandwich_of_single_votes(
    arena: Callable[..., Arena], models: int, weighted: bool
) -> None:
    few = arena(models, 6 if models == 5 else 1)
    few.wins[np.arange(models), np.arange(models) - 1] += 1  # a ring: strongly connected
    random = np.random.default_rng(1)
    weights = random.uniform(0.1, 1, (models, models)) if weighted else np.ones((models, models))
    weights = (weights + weights.T) / 2
    found = fit(few.wins, few.draws, weights=weights)
    expected = one_row_at_a_time(few.wins, few.draws, found.theta, weights)
    np.testing.assert_allclose(covariance(few.wins, few.draws, found, weights=weights), expected, atol=1e-10)
    errors = standard_errors(few.wins, few.draws, found, weights=weights)
    np.testing.assert_allclose(errors, np.sqrt(np.diag(expected)), rtol=1e-9)


def test_the_rows_of_the_covariance_sum_to_nothing(arena: Callable[..., Arena]) -> None:
    few = arena(90, 3)
    cov = covariance(few.wins, few.draws, fit(few.wins, few.draws))
    assert np.abs(cov.sum(axis=1)).max() < 1e-12
    np.testing.assert_allclose(cov, cov.T, atol=1e-14)


@pytest.mark.parametrize(("won", "lost"), [(30, 10), (1, 1), (10**6, 1)])
def test_two_models_have_the_variance_of_the_log_odds(won: int, lost: int) -> None:
    wins, draws = np.array([[0, won], [lost, 0]]), np.zeros((2, 2))
    cov = covariance(wins, draws, fit(wins, draws))
    difference = cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]
    assert difference == pytest.approx(1 / won + 1 / lost, rel=1e-9)


def test_draws_alone_leave_no_doubt_about_equality() -> None:
    draws = 4 * (1 - np.eye(3))
    errors = standard_errors(np.zeros((3, 3)), draws, fit(np.zeros((3, 3)), draws))
    assert np.array_equal(errors, np.zeros(3))


def test_the_scale_of_the_weights_does_not_matter(arena: Callable[..., Arena]) -> None:
    few = arena(12, 9)
    plain = standard_errors(few.wins, few.draws, fit(few.wins, few.draws))
    for scale in (1e-12, 1e12):
        weights = np.full((12, 12), scale)
        scaled = standard_errors(few.wins, few.draws, fit(few.wins, few.draws, weights=weights), weights=weights)
        np.testing.assert_allclose(scaled, plain, rtol=1e-10)


def test_a_sparse_model_among_busy_ones_has_its_own_wide_interval_and_no_ridge_hides_it(
    arena: Callable[..., Arena],
) -> None:
    busy = arena(80, 2000)
    wins = np.zeros((81, 81))
    wins[:80, :80] = busy.wins
    draws = np.zeros((81, 81))
    draws[:80, :80] = busy.draws
    wins[80, 0] = wins[0, 80] = 2
    errors = standard_errors(wins, draws, fit(wins, draws))
    assert errors[80] == pytest.approx(1.0, abs=0.02)  # 1/√(4·¼), the rest being known


def test_the_quantile_is_the_normal_one() -> None:
    assert norm.ppf(0.975) == pytest.approx(NORMAL_95, abs=1e-15)


@pytest.mark.parametrize("models", [0, 1])
def test_nobody_and_one_model_alone_have_no_error(models: int) -> None:
    none = np.zeros((models, models))
    assert np.array_equal(standard_errors(none, none, fit(none, none)), np.zeros(models))
