"""Quasi-variances: exact where they exist, a least squares otherwise, the same in every gauge."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from streams.ratings.bradley_terry import fit
from streams.ratings.intervals import Spread
from streams.ratings.leaderboard import solve
from streams.ratings.pairs import POINTS_PER_LOGIT
from streams.ratings.quasi_variances import quasi_variances
from tests.unit.ratings.conftest import Arena


def covariance_of(some: Arena) -> NDArray[np.float64]:
    return Spread.of(some.wins, some.draws, fit(some.wins, some.draws)).covariance


def differences(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    own = covariance.diagonal()
    return own[:, None] + own - 2 * covariance


@pytest.mark.parametrize(("models", "per_pair"), [(4, 30), (12, 6), (40, 3)])
def test_they_are_the_least_squares_of_the_logarithms(arena: Callable[..., Arena], models: int, per_pair: int) -> None:
    covariance = covariance_of(arena(models, per_pair))
    first, second = np.triu_indices(models, 1)
    wanted = np.log(differences(covariance)[first, second])

    def residuals(logs):
        return np.log(np.exp(logs)[first] + np.exp(logs)[second]) - wanted

    found = quasi_variances(covariance)
    best = least_squares(residuals, np.log(covariance.diagonal()), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    np.testing.assert_allclose(found, np.exp(best.x), rtol=1e-5)


def test_the_gauge_does_not_matter(arena: Callable[..., Arena]) -> None:
    covariance = covariance_of(arena(15, 10))
    pinned = covariance - covariance[0] - covariance[:, [0]] + covariance[0, 0]  # the first model at 0
    np.testing.assert_allclose(quasi_variances(pinned), quasi_variances(covariance), rtol=1e-8)


def test_two_printed_ones_give_the_error_of_a_difference(arena: Callable[..., Arena]) -> None:
    some = arena(40, 12)
    board = solve(*some.counts, quasi=True)
    off = np.triu_indices(40, 1)
    wanted = POINTS_PER_LOGIT * np.sqrt(differences(covariance_of(some))[off])
    given = np.sqrt((board.quasi_variance[:, None] + board.quasi_variance)[off])
    assert np.abs(given / wanted - 1).max() < 0.1
    assert np.sqrt(np.mean((given / wanted - 1) ** 2)) < 0.02


def test_two_models_share_the_variance_of_their_difference() -> None:
    np.testing.assert_allclose(quasi_variances(np.array([[1.0, -1.0], [-1.0, 1.0]])), [2.0, 2.0])


@pytest.mark.parametrize("covariance", [np.zeros((0, 0)), np.ones((1, 1)), np.zeros((2, 2)), np.zeros((5, 5))])
def test_where_no_difference_has_a_variance_there_are_none(covariance: NDArray[np.float64]) -> None:
    assert quasi_variances(covariance) is None


def test_the_board_gives_none_to_who_is_not_ranked(arena: Callable[..., Arena]) -> None:
    wins, ties, both_bad = (np.pad(matrix, (0, 1)) for matrix in arena(6, 20).counts)
    wins[6, 0] = 3
    board = solve(wins, ties, both_bad, quasi=True)
    assert np.isnan(board.quasi_variance[6])
    assert np.isfinite(board.quasi_variance[:6]).all()
