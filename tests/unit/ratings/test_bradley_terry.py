from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies._internal.core import DataObject
from numpy.typing import NDArray

from streams.ratings.bradley_terry import fit
from streams.ratings.newton import NotConverged, Stop
from streams.ratings.pairs import POINTS_PER_LOGIT, half_wins
from tests.unit.ratings.conftest import Arena


def no_draws(models: int) -> NDArray[np.float64]:
    return np.zeros((models, models))


def log_likelihood(wins: NDArray[np.int64], draws: NDArray[np.int64], theta: NDArray[np.float64]) -> float:
    return -(half_wins(wins, draws) * np.logaddexp(0, theta[None, :] - theta[:, None])).sum()


def numeric_gradient(
    function: Callable[[NDArray[np.float64]], float], point: NDArray[np.float64], by: float = 1e-5
) -> NDArray[np.float64]:
    return np.array([(function(point + by * e) - function(point - by * e)) / (2 * by) for e in np.eye(point.size)])


def test_wikipedias_worked_example() -> None:
    wins = np.array([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]])
    strength = np.exp(fit(wins, no_draws(4)).theta)
    assert (strength / strength.sum()).round(3).tolist() == [0.139, 0.226, 0.143, 0.492]


@pytest.mark.parametrize(("won", "lost"), [(1, 1), (3, 1), (7, 1000), (10**6, 1), (1, 10**6), (10**9, 1)])
def test_two_models_have_the_odds_of_their_wins(won: int, lost: int) -> None:
    theta = fit(np.array([[0, won], [lost, 0]]), no_draws(2)).theta
    assert theta[0] - theta[1] == pytest.approx(np.log(won / lost), abs=1e-12)


def test_a_draw_is_half_a_win() -> None:
    drawn = fit(np.array([[0, 3], [1, 0]]), np.array([[0, 4], [4, 0]])).theta
    decided = fit(np.array([[0, 5], [3, 0]]), no_draws(2)).theta
    assert np.array_equal(drawn, decided)


def test_a_balanced_round_robin_is_level() -> None:
    wins = np.ones((9, 9)) - np.eye(9)
    assert np.array_equal(fit(7 * wins, no_draws(9)).theta, np.zeros(9))


def test_in_a_round_robin_of_equal_numbers_the_order_is_that_of_the_wins() -> None:
    random = np.random.default_rng(2)
    upper = np.triu(random.integers(1, 40, (12, 12)), 1)
    wins = upper + np.tril(40 - upper.T, -1)
    theta = fit(wins, no_draws(12)).theta
    totals = wins.sum(axis=1)
    apart = np.round(theta[:, None] - theta, 12)  # equal totals are equal ratings but for rounding
    assert np.array_equal(np.sign(apart), np.sign(totals[:, None] - totals))


def test_all_ties_are_level() -> None:
    assert np.array_equal(fit(no_draws(5), 3 * (1 - np.eye(5))).theta, np.zeros(5))


def test_the_expected_wins_are_the_wins(arena: Callable[..., Arena]) -> None:
    few = arena(30, 20)
    found = fit(few.wins, few.draws)
    p = 1 / (1 + np.exp(found.theta - found.theta[:, None]))
    scores = half_wins(few.wins, few.draws)
    np.testing.assert_allclose(((scores + scores.T) * p).sum(axis=1), scores.sum(axis=1), rtol=1e-12)
    assert found.gradient_norm < 1e-9
    assert abs(found.theta.sum()) < 1e-13


def test_the_gradient_and_the_hessian_are_those_of_finite_differences(arena: Callable[..., Arena]) -> None:
    few = arena(6, 30)
    found = fit(few.wins, few.draws)

    def gradient_at(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        return numeric_gradient(lambda t: log_likelihood(few.wins, few.draws, t), theta)

    assert np.abs(gradient_at(found.theta)).max() < 1e-6
    hessian = -np.array(
        [(gradient_at(found.theta + 1e-3 * e) - gradient_at(found.theta - 1e-3 * e)) for e in np.eye(6)]
    )
    np.testing.assert_allclose(hessian / 2e-3, found.hessian, atol=1e-3)


def test_no_other_point_is_more_likely(arena: Callable[..., Arena]) -> None:
    few = arena(8, 10)
    found = fit(few.wins, few.draws)
    best = log_likelihood(few.wins, few.draws, found.theta)
    random = np.random.default_rng(3)
    others = (found.theta + random.normal(scale=0.1, size=8) for _ in range(200))
    assert all(log_likelihood(few.wins, few.draws, other) < best for other in others)


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 10.0, 300.0, 1e5])
@pytest.mark.parametrize("seed", range(5))
def test_the_start_changes_no_bit(arena: Callable[..., Arena], scale: float, seed: int) -> None:
    few = arena(40, 8, seed)
    start = np.random.default_rng(seed).normal(scale=scale, size=40)
    assert np.array_equal(fit(few.wins, few.draws, start=start).theta, fit(few.wins, few.draws).theta)


@settings(max_examples=200, deadline=None)  # the machine may be busy; nothing here measures time
@given(st.data())
def test_the_start_changes_no_bit_of_any_small_arena(data: DataObject) -> None:
    models = data.draw(st.integers(2, 6))
    cell = st.integers(0, 50)
    wins = np.array(
        data.draw(st.lists(st.lists(cell, min_size=models, max_size=models), min_size=models, max_size=models))
    )
    wins[np.arange(models), (np.arange(models) + 1) % models] += 1  # a ring: strongly connected
    np.fill_diagonal(wins, 0)
    start = np.array(data.draw(st.lists(st.floats(-30, 30), min_size=models, max_size=models)))
    assert np.array_equal(fit(wins, no_draws(models), start=start).theta, fit(wins, no_draws(models)).theta)


def test_a_good_start_saves_steps(arena: Callable[..., Arena]) -> None:
    few = arena(60, 50)
    cold = fit(few.wins, few.draws)
    assert fit(few.wins, few.draws, start=cold.theta).iterations < cold.iterations


def test_a_chain_of_lopsided_pairs_is_solved_however_long() -> None:
    models = 200
    wins = np.diag(np.full(models - 1, 10.0**6), 1) + np.diag(np.ones(models - 1), -1)
    theta = fit(wins, no_draws(models)).theta
    np.testing.assert_allclose(-np.diff(theta), np.log(10.0**6), rtol=1e-9)


def test_weights_count_votes_several_times(arena: Callable[..., Arena]) -> None:
    few = arena(10, 12)
    weights = np.full((10, 10), 2.0)
    weights[:3, :3] = 5.0
    weighted = fit(few.wins, few.draws, weights=weights).theta
    repeated = fit(few.wins * weights, few.draws * weights).theta
    np.testing.assert_allclose(weighted, repeated, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e12])
def test_the_scale_of_the_weights_does_not_matter(arena: Callable[..., Arena], scale: float) -> None:
    few = arena(10, 12)
    found = fit(few.wins, few.draws, weights=np.full((10, 10), scale))
    np.testing.assert_allclose(found.theta, fit(few.wins, few.draws).theta, atol=1e-12)


@pytest.mark.parametrize(
    "wins",
    [
        np.array([[0, 5], [0, 0]]),
        np.array([[0, 0], [0, 0]]),
        np.kron(np.eye(2, dtype=int), np.array([[0, 5], [5, 0]])),
        np.array([[0, 3, 1, 0], [3, 0, 0, 0], [0, 0, 0, 3], [0, 0, 3, 0]]),
    ],
    ids=["undefeated", "no votes", "islands", "one-way bridge"],
)
def test_a_set_without_a_finite_maximum_raises(wins: NDArray[np.float64]) -> None:
    with pytest.raises(NotConverged) as caught:
        fit(wins, np.zeros_like(wins))
    assert caught.value.reason is Stop.SEPARABLE


def test_a_caller_who_wrongly_vouches_for_the_set_is_not_given_a_number() -> None:
    with pytest.raises(NotConverged):
        fit(np.array([[0, 5], [0, 0]]), no_draws(2), connected=True)


@pytest.mark.parametrize("models", [0, 1])
def test_nobody_and_one_model_alone_are_solved(models: int) -> None:
    found = fit(no_draws(models), no_draws(models))
    assert np.array_equal(found.theta, np.zeros(models))
    assert found.iterations == 0


def test_four_hundred_points_are_odds_of_ten_to_one() -> None:
    assert pytest.approx(400.0) == POINTS_PER_LOGIT * np.log(10)
