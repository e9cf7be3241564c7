from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.ratings import bradley_terry
from streams.ratings.davidson import _outcomes, fit
from streams.ratings.newton import NotConverged, Stop
from tests.unit.ratings.conftest import Arena


def log_likelihood(wins: NDArray[np.int64], draws: NDArray[np.int64], theta: NDArray[np.float64], eta: float) -> float:
    half = (theta[:, None] - theta) / 2
    log_total = np.logaddexp(np.logaddexp(half, -half), eta)
    return float((wins * (half - log_total)).sum() + np.triu(draws * (eta - log_total)).sum())


@pytest.mark.parametrize(("won", "lost", "drawn"), [(5, 5, 10), (30, 10, 7), (10**6, 1, 3), (2, 1, 10**6)])
def test_two_models_have_a_closed_form(won: int, lost: int, drawn: int) -> None:
    # e^d = W/L and ν = T/√(WL): three cells, two parameters, an exact fit
    found = fit(np.array([[0, won], [lost, 0]]), np.array([[0, drawn], [drawn, 0]]))
    assert found.theta[0] - found.theta[1] == pytest.approx(np.log(won / lost), abs=1e-10)
    assert found.tie == pytest.approx(drawn / np.sqrt(won * lost), rel=1e-10)


def test_the_maximum_is_a_maximum(arena: Callable[..., Arena]) -> None:
    few = arena(7, 30)
    found = fit(few.wins, few.draws)
    eta = np.log(found.tie)
    best = log_likelihood(few.wins, few.draws, found.theta, eta)
    random = np.random.default_rng(0)
    for _ in range(200):
        step = random.normal(scale=0.05, size=8)
        assert log_likelihood(few.wins, few.draws, found.theta + step[:-1], eta + step[-1]) < best
    by = 1e-5
    for direction in np.eye(8):
        up, down = (
            log_likelihood(few.wins, few.draws, found.theta + s * direction[:-1], eta + s * direction[-1])
            for s in (by, -by)
        )
        assert abs(up - down) / (2 * by) < 1e-5
    assert found.gradient_norm < 1e-9


def test_the_expected_draws_are_the_draws(arena: Callable[..., Arena]) -> None:
    few = arena(20, 40)
    found = fit(few.wins, few.draws)
    root = np.exp(found.theta / 2)
    tie = found.tie * np.outer(root, root)
    chance = tie / (root[:, None] ** 2 + root**2 + tie)
    played = few.wins + few.wins.T + few.draws
    assert (played * chance).sum() == pytest.approx(few.draws.sum(), rel=1e-12)


def test_without_draws_it_is_bradley_terry(arena: Callable[..., Arena]) -> None:
    few = arena(12, 20)
    none = np.zeros_like(few.wins)
    found = fit(few.wins, none)
    assert found.tie == 0
    assert np.array_equal(found.theta, bradley_terry.fit(few.wins, none).theta)


@pytest.mark.parametrize("seed", range(10))
def test_the_start_changes_no_bit(arena: Callable[..., Arena], seed: int) -> None:
    few = arena(30, 10, seed)
    start = np.random.default_rng(seed).normal(scale=3, size=30)
    one, other = fit(few.wins, few.draws), fit(few.wins, few.draws, start=start)
    assert np.array_equal(one.theta, other.theta)
    assert one.tie == other.tie


def test_weights_count_votes_several_times(arena: Callable[..., Arena]) -> None:
    few = arena(9, 20)
    one = fit(few.wins, few.draws, weights=np.full((9, 9), 3.0))
    other = fit(3 * few.wins, 3 * few.draws)
    np.testing.assert_allclose(one.theta, other.theta, atol=1e-13)


def test_a_chain_of_lopsided_pairs_is_solved_however_long() -> None:
    models = 60
    wins = np.diag(np.full(models - 1, 10.0**6), 1) + np.diag(np.ones(models - 1), -1)
    draws = np.diag(np.full(models - 1, 1000.0), 1) + np.diag(np.full(models - 1, 1000.0), -1)
    found = fit(wins, draws)  # each pair fits exactly: ν = 1000/√10⁶
    np.testing.assert_allclose(-np.diff(found.theta), np.log(10.0**6), rtol=1e-9)
    assert found.tie == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    ("wins", "draws"),
    [
        (np.array([[0, 3], [0, 0]]), np.array([[0, 2], [2, 0]])),
        (np.zeros((2, 2)), np.array([[0, 2], [2, 0]])),
        (np.array([[0, 3], [0, 0]]), np.zeros((2, 2))),
        (np.kron(np.eye(2), np.array([[0, 3], [3, 0]])), np.kron(np.eye(2), np.array([[0, 1], [1, 0]]))),
    ],
    ids=["held together by draws alone", "all ties", "undefeated", "islands"],
)
def test_counts_without_a_finite_maximum_raise(wins: NDArray[np.float64], draws: NDArray[np.float64]) -> None:
    with pytest.raises(NotConverged) as caught:
        fit(wins, draws)
    assert caught.value.reason in set(Stop)


@pytest.mark.parametrize("apart", [10.0, 599.0, 601.0, 3_000.0])
def test_chances_are_finite_and_add_to_one_however_far_apart_two_models_are(apart: float) -> None:
    win, tie = _outcomes(np.array([apart, 0.0]), 0.0)
    assert np.isfinite(win).all()
    assert np.isfinite(tie).all()
    assert win[0, 1] + win[1, 0] + tie[0, 1] == pytest.approx(1.0)
    assert win[0, 1] == pytest.approx(1.0, abs=0.01)
