"""The sampler draws by the closed form, and winners by their model; seeded, judged by chi-square."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from services.simulate.battles import draw_winners
from services.simulate.sampler import Sampler
from services.simulate.scenario import VotesSection
from streams.fairness.statistics.expected_share import exposure

N = 400_000
WEIGHTS = [np.ones(8), np.array([5.0, 3.0, 3.0, 1.0, 1.0, 0.0, 0.5]), np.array([100.0, 1.0, 1.0])]


@pytest.mark.parametrize("weights", WEIGHTS, ids=["equal", "mixed", "one heavy"])
def test_pairs_have_the_chance_of_two_draws_without_replacement(weights: NDArray[np.float64]) -> None:
    a, b = Sampler.of(weights).draw(np.random.default_rng(1), N)
    p = weights / weights.sum()
    expected = np.array([[0 if i == j else p[i] * weights[j] / (weights.sum() - weights[i]) for j in range(p.size)]
                         for i in range(p.size)])  # fmt: skip
    expected = (expected + expected.T) / 2 * N  # sides are swapped at random
    seen = np.zeros_like(expected)
    np.add.at(seen, (a, b), 1)
    assert seen[expected == 0].sum() == 0
    cells = expected > 0
    assert stats.chisquare(seen[cells], expected[cells]).pvalue > 1e-3


@pytest.mark.parametrize("weights", WEIGHTS, ids=["equal", "mixed", "one heavy"])
def test_exposure_is_the_declared_one(weights: NDArray[np.float64]) -> None:
    a, b = Sampler.of(weights).draw(np.random.default_rng(2), N)
    seen = np.bincount(np.concatenate([a, b]), minlength=weights.size) / N
    pi = exposure(weights)
    error = np.sqrt(pi * (1 - pi) / N)
    assert (np.abs(seen - pi) <= 4.5 * error + 1e-12).all()


def test_a_wrong_sampler_would_be_told() -> None:
    """The test above can fail: weights that differ by 5 % do not pass it."""
    weights = np.ones(8)
    a, b = Sampler.of(weights * np.array([1.05, *[1.0] * 7])).draw(np.random.default_rng(2), N)
    seen = np.bincount(np.concatenate([a, b]), minlength=8) / N
    assert abs(seen[0] - 0.25) > 4.5 * np.sqrt(0.25 * 0.75 / N)


def test_the_chance_of_pairs_adds_to_one() -> None:
    weights = WEIGHTS[1]
    i, j = np.triu_indices(weights.size, 1)
    assert Sampler.of(weights).chance(i, j).sum() == pytest.approx(1, abs=1e-12)


def test_two_models_are_needed() -> None:
    with pytest.raises(ValueError, match="two models"):
        Sampler.of(np.array([1.0, 0.0]))


def test_bradley_terry_winners_have_their_shares() -> None:
    a, b = np.zeros(N, np.int32), np.ones(N, np.int32)
    votes = VotesSection(tie_rate=0.3, both_bad=0.5)
    winner = draw_winners(np.random.default_rng(3), a, b, np.array([1_400.0, 1_000.0]), votes)
    expected = np.array([0.7 * 10 / 11, 0.7 / 11, 0.15, 0.15]) * N  # 400 points are odds of ten to one
    assert stats.chisquare(np.bincount(winner, minlength=4), expected).pvalue > 1e-3


@pytest.mark.parametrize(("gap", "tie"), [(0.0, 0.3), (400.0, None)])
def test_davidson_ties_are_most_between_equals(gap: float, tie: float | None) -> None:
    a, b = np.zeros(N, np.int32), np.ones(N, np.int32)
    votes = VotesSection(tie_rate=0.3, tie_model="davidson", both_bad=0.0)
    winner = draw_winners(np.random.default_rng(4), a, b, np.array([1_000.0 + gap, 1_000.0]), votes)
    odds, nu = 10 ** (gap / 400), 2 * 0.3 / 0.7
    whole = odds + 1 + nu * odds**0.5
    expected = np.array([odds, 1, nu * odds**0.5]) / whole
    assert tie is None or expected[2] == pytest.approx(tie)
    assert stats.chisquare(np.bincount(winner, minlength=3), expected * N).pvalue > 1e-3
