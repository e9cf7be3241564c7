"""The score test inverted: against a search of the whole line, and at its edges."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.ratings.leaderboard import solve
from streams.ratings.score_interval import Results, score_interval
from tests.unit.ratings.conftest import Arena


def one_model(wins: Sequence[float], losses: Sequence[float], opponents: Sequence[float]) -> Results:
    won, lost = np.array(wins, dtype=float), np.array(losses, dtype=float)
    return Results(1, np.zeros(won.size, int), np.array(opponents, dtype=float), won, lost, 0 * won, won + lost)


def accepted(results: Results, bound: float, theta: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the score test keeps each θ, by its definition."""
    p = 1 / (1 + np.exp(results.opponent - theta[:, None]))
    q = 1 / (1 + np.exp(theta[:, None] - results.opponent))
    score = (results.won * q - results.lost * p).sum(axis=1)
    spread = (results.spread * p * q).sum(axis=1)
    correction = np.where(score > 0, min(1, results.won.sum()), min(1, results.lost.sum())) / 2 / (1 + spread)
    return np.abs(score) - correction <= np.sqrt(bound * spread)


halves = st.integers(0, 12).map(lambda n: n / 2)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(halves, halves, st.floats(-5, 5)), min_size=1, max_size=5), st.sampled_from([0.4, 1.5, 3.84]))
def test_the_interval_spans_what_the_test_accepts(met: list[tuple[int, int, float]], bound: float) -> None:
    met = [each for each in met if each[0] + each[1] > 0]
    assume(met)
    results = one_model(*zip(*met, strict=True))
    lower, upper = (float(end[0]) for end in score_interval(results, np.array([bound])))
    line = np.linspace(-25, 25, 20_001)
    inside = line[accepted(results, bound, line)]
    assert (lower == -np.inf) == (results.won.sum() == 0)
    assert (upper == np.inf) == (results.lost.sum() == 0)
    step = line[1] - line[0]
    if inside.size and lower > -25:
        assert lower <= inside[0] <= lower + step or lower < -24.9
    if inside.size and upper < 25:
        assert upper - step <= inside[-1] <= upper or upper > 24.9


def test_one_opponent_and_many_votes_give_wilsons_interval() -> None:
    # 7.5 of 10 a million times, z = 1.96: (p̂ + z²/2n ± z√(p̂q̂/n + z²/4n²))/(1 + z²/n)
    z2, n, share = 1.959964**2, 10**7, 0.75
    ends = (share + z2 / (2 * n) + np.array([-1, 1]) * np.sqrt(z2 * share * (1 - share) / n + (z2 / (2 * n)) ** 2)) / (
        1 + z2 / n
    )
    lower, upper = score_interval(one_model([7.5e6], [2.5e6], [0.3]), np.array([z2]))
    np.testing.assert_allclose([lower[0], upper[0]], 0.3 + np.log(ends / (1 - ends)), rtol=0, atol=1e-11)


def test_models_have_their_own_intervals_whoever_stands_beside_them() -> None:
    pairs = [([3.0, 1.0], [1.0, 2.5], [-1.0, 2.0]), ([4.0], [0.0], [0.5]), ([0.0, 0.5], [6.0, 0.5], [0.0, 3.0])]
    won, lost, opponent = (np.concatenate([np.array(each[k]) for each in pairs]) for k in range(3))
    together = Results(3, np.array([0, 0, 1, 2, 2]), opponent, won, lost, np.zeros(5), won + lost)
    bound = np.array([2.0, 3.0, 1.0])
    ends = np.array(score_interval(together, bound))
    alone = np.array([score_interval(one_model(*each), bound[[k]]) for k, each in enumerate(pairs)])[:, :, 0].T
    np.testing.assert_allclose(ends, alone, rtol=1e-12)


def test_a_billion_wins_and_one_loss_are_closed_on_both_sides() -> None:
    lower, upper = score_interval(one_model([1e9], [1.0], [0.0]), np.array([3.84]))
    assert np.log(1e9) - 3 < lower[0] < np.log(1e9) < upper[0] < np.log(1e9) + 3


def test_ties_alone_have_a_width() -> None:
    lower, upper = score_interval(one_model([1.0], [1.0], [0.0]), np.array([2.0]))
    assert upper[0] == pytest.approx(-lower[0])
    assert upper[0] > 1


@pytest.mark.parametrize("gap", [-12.0, 0.0, 12.0])
def test_the_estimate_lies_in_the_interval_however_far_the_opponent(arena: Callable[..., Arena], gap: float) -> None:
    some = arena(6, 400)
    wins, ties, both_bad = (np.pad(matrix, (0, 2)) for matrix in some.counts)
    wins[6, 0], wins[0, 6] = (10**5, 1) if gap > 0 else (1, 10**5) if gap < 0 else (300, 300)
    ties[7, 6] = 1
    board = solve(wins, ties, both_bad)
    assert board.provisional[7]
    assert board.lower[7] <= board.rating[7] <= board.upper[7]
