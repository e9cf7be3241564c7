import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from streams.ratings.pairs import POINTS_PER_LOGIT
from streams.ratings.provisional import PHANTOM, estimate
from streams.ratings.score_interval import Results


def results(
    won: list[list[float]] | list[float], lost: list[list[float]] | list[float], opponents: list[float]
) -> Results:
    """What models did against opponents, all of whom they met: matrices of models by opponents."""
    won, lost = np.atleast_2d(np.array(won, dtype=float)), np.atleast_2d(np.array(lost, dtype=float))
    model, opponent = np.nonzero(np.ones_like(won))
    there, back = won.ravel(), lost.ravel()
    return Results(len(won), model, np.array(opponents, dtype=float)[opponent], there, back, 0 * there, there + back)


def points(won, lost, opponents):
    return 1000 + POINTS_PER_LOGIT * estimate(results(won, lost, opponents))[0]


def test_five_wins_over_an_average_model_are_1529() -> None:
    assert round(points([5], [0], [0.0])) == 1529


def test_five_wins_over_the_leader_of_a_62_to_38_arena_are_1568() -> None:
    assert round(points([5, 0], [0, 0], [np.log(62 / 38) / 2, -np.log(62 / 38) / 2])) == 1568


def test_against_average_models_the_estimate_has_a_closed_form() -> None:
    won, lost = 6 + PHANTOM, 2 + PHANTOM
    assert estimate(results([6], [2], [0.0]))[0] == pytest.approx(np.log(won / lost), abs=1e-14)


def test_a_model_that_met_nobody_is_average() -> None:
    none = np.zeros(0)
    assert estimate(Results(3, np.zeros(0, int), none, none, none, none, none)).tolist() == [0, 0, 0]


def test_nobody_to_estimate_is_no_error() -> None:
    none = np.zeros(0)
    assert estimate(Results(0, np.zeros(0, int), none, none, none, none, none)).size == 0


@pytest.mark.parametrize("wins", [1, 10**6, 10**15])
def test_however_many_wins_the_estimate_is_finite_and_mirrored_by_the_losses(wins: int) -> None:
    up, down = points([wins], [0], [0.0]), points([0], [wins], [0.0])
    assert np.isfinite(up)
    assert up - 1000 == pytest.approx(1000 - down)


def test_more_wins_raise_and_more_losses_lower() -> None:
    ladder = [points([won], [lost], [0.3]) for won, lost in [(0, 5), (0, 1), (0, 0), (1, 0), (5, 0)]]
    assert ladder == sorted(ladder)


@settings(max_examples=100, deadline=None)  # the machine may be busy; nothing here measures time
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(-8, 8)), min_size=1, max_size=6))
def test_the_estimate_is_the_root_a_bracketing_solver_finds(met) -> None:
    won, lost, opponents = (np.array(column, dtype=float) for column in zip(*met, strict=True))

    def slope(theta):
        p = 1 / (1 + np.exp(opponents - theta))
        phantom = PHANTOM * (1 - 2 / (1 + np.exp(-theta)))
        return (won * (1 - p) - lost * p).sum() + phantom

    expected = brentq(slope, -40, 40, xtol=1e-13)
    assert estimate(results(won, lost, opponents))[0] == pytest.approx(expected, abs=1e-9)


def test_models_are_estimated_each_on_its_own() -> None:
    won, lost, opponents = [[5.0, 1.0], [0.0, 2.0]], [[0.0, 1.0], [3.0, 0.0]], [0.4, -0.4]
    together = estimate(results(won, lost, opponents))
    alone = [estimate(results(won[k], lost[k], opponents))[0] for k in (0, 1)]
    np.testing.assert_allclose(together, alone, atol=1e-14)
