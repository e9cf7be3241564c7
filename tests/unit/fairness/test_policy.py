from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.fairness.statistics.expected_share import exposure, involvement
from tests.unit.fairness.arena import draw_pairs

weights = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=2, max_size=9).map(np.array)


def enumerate_pairs(w: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(first, second) of every ordered pair, the long way."""
    chance = np.zeros((w.size, w.size))
    for i in range(w.size):
        for j in range(w.size):
            if i != j and w[i] > 0 and w[j] > 0:
                chance[i, j] = w[i] / w.sum() * w[j] / np.delete(w, i).sum()
    return chance


@given(weights)
def test_exposure_is_what_enumerating_every_pair_gives(w: NDArray[np.float64]) -> None:
    chance = enumerate_pairs(w)
    assert exposure(w) == pytest.approx(chance.sum(0) + chance.sum(1), abs=1e-12)


@given(weights, st.randoms(use_true_random=False))
def test_involvement_is_what_enumerating_every_pair_gives(w: NDArray[np.float64], random: Random) -> None:
    groups = np.array([random.choice([-1, 0, 1, 2]) for _ in w])
    chance = enumerate_pairs(w)
    expected = [chance[(groups == g)[:, None] | (groups == g)].sum() for g in range(3)]
    assert involvement(w, groups, 3) == pytest.approx(expected, abs=1e-9)


@given(weights)
def test_shares_of_battles_add_to_two_or_nothing_is_declared(w: NDArray[np.float64]) -> None:
    assert exposure(w).sum() == pytest.approx(2.0 if np.count_nonzero(w) > 1 else 0.0)


def test_equal_models_share_two_over_m() -> None:
    assert exposure(np.ones(50)) == pytest.approx(2 / 50)


@pytest.mark.parametrize("w", [[], [0.0, 0.0], [0.0, 3.0]])
def test_fewer_than_two_weights_declare_nothing(w: list[float]) -> None:
    assert not exposure(np.array(w)).any()
    assert not involvement(np.array(w), np.zeros(len(w), int), 1).any()


def test_two_models_are_in_every_battle_whatever_their_weights() -> None:
    assert exposure(np.array([1e-6, 0.0, 5.0])).tolist() == [1.0, 0.0, 1.0]


def test_a_weight_a_million_million_times_the_others_is_exact() -> None:
    assert exposure(np.array([1e12, 1.0, 3.0])) == pytest.approx([1.0, 0.25, 0.75], rel=1e-9)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-9, 1e9, 1.7e308])
def test_shares_depend_on_the_ratios_of_the_weights_alone(size: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        assert exposure(np.full(4, size)).tolist() == [0.5] * 4
        assert involvement(np.full(4, size), np.array([0, 0, 1, -1]), 2) == pytest.approx([5 / 6, 1 / 2])


@given(st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=30).map(np.array), st.integers(-30, 30))
def test_a_common_power_of_two_changes_no_bit(w, power: int) -> None:
    assert (exposure(w) == exposure(np.ldexp(w, power))).all()


@given(st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=30).map(np.array))
def test_whatever_may_be_declared_has_shares_above_zero_that_add_to_two(w) -> None:
    assert (exposure(w) > 0).all()
    assert exposure(w).sum() == pytest.approx(2.0)


@given(st.lists(st.floats(0, allow_nan=False, allow_infinity=False), min_size=2, max_size=30).map(np.array))
def test_no_weights_of_an_old_ledger_give_shares_that_are_no_numbers(w) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert exposure(w).sum() == pytest.approx(2.0 if exposure(w).any() else 0.0)
        assert np.isfinite(involvement(w, np.arange(w.size) % 3, 3)).all()


def test_draws_of_the_synthetic_arena_follow_the_declared_exposure() -> None:
    w = np.array([5.0, 3.0, 1.0, 1.0, 0.5])
    pairs = draw_pairs(np.random.default_rng(5), w, 100_000)
    seen = np.bincount(pairs.ravel(), minlength=5) / 100_000
    assert np.abs(seen - exposure(w)).max() < 4 * 0.5 / np.sqrt(100_000)
