import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from streams.ratings.pairs import POINTS_PER_LOGIT
from streams.ratings.provisional import PHANTOM, estimate


def points(won, lost, opponents):
    theta, error = estimate(np.array([won], dtype=float), np.array([lost], dtype=float), np.array(opponents))
    return 1000 + POINTS_PER_LOGIT * theta[0], 1.959963984540054 * POINTS_PER_LOGIT * error[0]


def test_five_wins_over_an_average_model_are_1529_plus_minus_697():
    rating, half_width = points([5], [0], [0.0])
    assert (round(rating), round(half_width)) == (1529, 697)


def test_five_wins_over_the_leader_of_a_62_to_38_arena_are_1568_plus_minus_697():
    rating, half_width = points([5, 0], [0, 0], [np.log(62 / 38) / 2, -np.log(62 / 38) / 2])
    assert (round(rating), round(half_width)) == (1568, 697)


def test_against_average_models_the_estimate_has_a_closed_form():
    theta, error = estimate(np.array([[6.0]]), np.array([[2.0]]), np.zeros(1))
    won, lost = 6 + PHANTOM, 2 + PHANTOM
    assert theta[0] == pytest.approx(np.log(won / lost), abs=1e-14)
    assert error[0] == pytest.approx(np.sqrt(1 / won + 1 / lost), rel=1e-12)


def test_a_model_that_met_nobody_is_average_with_the_widest_interval():
    rating, half_width = points([0], [0], [0.7])
    assert rating == 1000
    assert round(half_width) == 963


def test_a_model_in_an_arena_where_nobody_is_ranked_is_average():
    theta, error = estimate(np.zeros((3, 0)), np.zeros((3, 0)), np.zeros(0))
    assert theta.tolist() == [0, 0, 0]
    assert np.isfinite(error).all()


def test_nobody_to_estimate_is_no_error():
    assert estimate(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(2))[0].size == 0


@pytest.mark.parametrize("wins", [1, 10**6, 10**15])
def test_however_many_wins_the_estimate_is_finite_and_mirrored_by_the_losses(wins):
    up, width = points([wins], [0], [0.0])
    down, same_width = points([0], [wins], [0.0])
    assert np.isfinite([up, width]).all()
    assert up - 1000 == pytest.approx(1000 - down)
    assert width == pytest.approx(same_width)


def test_more_wins_raise_and_more_losses_lower():
    ladder = [points([won], [lost], [0.3])[0] for won, lost in [(0, 5), (0, 1), (0, 0), (1, 0), (5, 0)]]
    assert ladder == sorted(ladder)


@settings(max_examples=100, deadline=None)  # the machine may be busy; nothing here measures time
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(-8, 8)), min_size=1, max_size=6))
def test_the_estimate_is_the_root_a_bracketing_solver_finds(met):
    won, lost, opponents = (np.array(column, dtype=float) for column in zip(*met, strict=True))

    def slope(theta):
        p = 1 / (1 + np.exp(opponents - theta))
        phantom = PHANTOM * (1 - 2 / (1 + np.exp(-theta)))
        return (won * (1 - p) - lost * p).sum() + phantom

    expected = brentq(slope, -40, 40, xtol=1e-13)
    assert estimate(won[None], lost[None], opponents)[0][0] == pytest.approx(expected, abs=1e-9)


def test_models_are_estimated_each_on_its_own():
    won, lost, theta = np.array([[5.0, 1.0], [0.0, 2.0]]), np.array([[0.0, 1.0], [3.0, 0.0]]), np.array([0.4, -0.4])
    together = estimate(won, lost, theta)[0]
    alone = [estimate(won[[k]], lost[[k]], theta)[0][0] for k in (0, 1)]
    np.testing.assert_allclose(together, alone, atol=1e-14)
