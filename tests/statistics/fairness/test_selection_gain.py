"""The luck in the best score of N variants is what simulation of the choice gives."""

import numpy as np
import pytest

from streams.fairness.detectors.best_of_n import error_and_spread, selection_gain

RUNS = 20_000


@pytest.mark.statistics
@pytest.mark.parametrize(("sigma", "tau", "n"), [(9.2, 26.0, 10), (9.2, 0.0, 10), (4.85, 0.0, 50), (10.0, 10.0, 20)])
def test_the_error_of_the_best_score_is_the_gain_by_luck(sigma: float, tau: float, n: int) -> None:
    random = np.random.default_rng(7)
    error = random.normal(0.0, sigma, (RUNS, n))
    score = random.normal(0.0, tau, (RUNS, n)) + error
    luck = error[np.arange(RUNS), score.argmax(axis=1)]
    assert luck.mean() == pytest.approx(selection_gain(sigma, tau, n), abs=4 * luck.std() / np.sqrt(RUNS))


@pytest.mark.statistics
def test_the_spread_of_strengths_is_what_ratings_scatter_beyond_their_errors() -> None:
    random = np.random.default_rng(8)
    rating = random.normal(0.0, 26.0, (4_000, 10)) + random.normal(0.0, 9.2, (4_000, 10))
    found = np.array([error_and_spread(each, np.full(10, 9.2))[1] ** 2 for each in rating])
    assert found.mean() == pytest.approx(26.0**2, abs=4 * found.std() / np.sqrt(len(found)))
    equal = random.normal(0.0, 9.2, (4_000, 10))
    gains = np.array([selection_gain(*error_and_spread(each, np.full(10, 9.2)), 10) for each in equal])
    assert 0.85 < gains.mean() / selection_gain(9.2, 0.0, 10) <= 1.0, "floored at 0, the spread takes a little too much"
