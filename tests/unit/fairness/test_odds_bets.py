import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.odds_bets import BETS, OddsBets, shifted
from streams.fairness.statistics.share_sums import ShareSums, prior
from streams.fairness.statistics.shiryaev_roberts import ShiryaevRoberts

bets = np.array(BETS)


def expectation(odds: OddsBets, bet: int, share: float, n: int) -> float:
    """E[e^ℓ] of n battles at a true share, summed exactly."""
    k = np.arange(n + 1)
    return float((binom.pmf(k, n, share) * np.exp(k * odds.slope[bet, 0] + n * odds.miss[bet, 0])).sum())


@given(st.floats(0.001, 0.99), st.floats(0.0, 0.5), st.floats(1e-6, 1.0), st.integers(1, 60))
def test_no_bet_gains_on_average_anywhere_in_the_null(pi: float, delta: float, within: float, n: int) -> None:
    low, high = 1 - delta, 1 + delta
    odds = OddsBets.of(np.array([pi]), bets, low, high)
    for bet, r in enumerate(bets):
        edge = float(shifted(np.array([pi]), low if r < 1 else high)[0])
        share = edge + within * (1 - edge) if r < 1 else within * edge
        assert expectation(odds, bet, share, n) <= 1 + 1e-9


@pytest.mark.parametrize("delta", [0.0, 0.2])
@pytest.mark.parametrize("pi", [0.05, 0.5, 0.9])
def test_a_bet_is_fair_exactly_at_the_edge_of_the_band_also_of_large_shares(pi: float, delta: float) -> None:
    odds = OddsBets.of(np.array([pi]), bets, 1 - delta, 1 + delta)
    for bet, r in enumerate(bets):
        edge = float(shifted(np.array([pi]), 1 - delta if r < 1 else 1 + delta)[0])
        assert expectation(odds, bet, edge, 50) == pytest.approx(1.0, abs=1e-12)
        made = r < 1 - delta - 1e-9 or r > 1 + delta + 1e-9
        assert (odds.slope[bet, 0] != 0) == made


@pytest.mark.parametrize("pi", [0.0, 1.0])
def test_a_share_without_odds_is_not_tested(pi: float) -> None:
    odds = OddsBets.of(np.array([pi]), bets)
    assert not odds.slope.any()
    assert not odds.miss.any()


def test_a_learned_multiple_is_what_the_bets_are_about() -> None:
    usual = OddsBets.of(np.array([0.1]), bets, 0.7, 0.7, 0.7)
    declared = OddsBets.of(shifted(np.array([0.1]), 0.7), bets)
    assert usual.slope == pytest.approx(declared.slope)
    assert usual.miss == pytest.approx(declared.miss)


def test_the_sums_of_shares_are_those_of_the_general_class() -> None:
    random, nothing = np.random.default_rng(4), np.zeros(3)
    odds = OddsBets.of(np.array([0.05, 0.6, 0.2]), bets)
    shares, general = ShareSums.start(bets, 3), ShiryaevRoberts.start(bets.size, 3, prior(bets))
    for tick in range(1, 30):
        early, late = random.binomial(50, [0.05, 0.5, 0.2], (2, 3)).astype(float)
        mark = Mark(100 * tick, 10.0 * tick, nothing, nothing)
        shares.set_aside(odds, early, 50)
        m = shares.update(odds, late, 50, mark)
        general.update((early + late) * odds.slope + 100 * odds.miss, 1.0, 100 * tick, 10.0 * tick)
    assert shares.r == pytest.approx(general.r, rel=1e-9)
    assert shares.since_row.tolist() == general.since_row.tolist()
    assert m == pytest.approx(np.exp(general.log_e()))
