"""The mathematics against independent implementations, and the e-values' promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from streams.audit.alerts.retirement import ODDS, fisher
from streams.audit.stops.evidence import BACK, STILL, STOPPED, Overdispersion, bet, mean_of

sizes = st.integers(1, 60)
patient = settings(deadline=None)  # scipy's first calls take their time


@patient
@given(sizes, sizes, st.floats(0, 1), st.floats(0, 1))
def test_fishers_p_value_is_scipys(of: int, elsewhere: int, part: float, part_elsewhere: float) -> None:
    hit, hit_elsewhere = round(part * of), round(part_elsewhere * elsewhere)
    table = [[hit, of - hit], [hit_elsewhere, elsewhere - hit_elsewhere]]
    assert fisher(hit, of, hit_elsewhere, elsewhere)[0] == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)


@patient
@given(st.integers(1, 25), st.integers(1, 25), st.integers(0, 50))
def test_the_e_value_has_mean_one_when_the_class_does_not_matter(of: int, elsewhere: int, total: int) -> None:
    total = min(total, of + elsewhere)
    law = stats.hypergeom(of + elsewhere, of, total)
    low, high = max(0, total - elsewhere), min(of, total)
    mean = sum(law.pmf(hit) * fisher(hit, of, total - hit, elsewhere)[1] for hit in range(low, high + 1))
    assert mean == pytest.approx(1.0, rel=1e-9)


def test_the_e_value_is_a_mean_of_noncentral_likelihood_ratios() -> None:
    whole, of, total, hit = 50, 20, 30, 17
    null = stats.hypergeom(whole, of, total).pmf(hit)
    ratios = [stats.nchypergeom_fisher(whole, of, total, odds).pmf(hit) / null for odds in ODDS]
    assert fisher(hit, of, total - hit, whole - of)[1] == pytest.approx(np.mean(ratios), rel=1e-9)


@patient
@given(st.floats(1, 2_000), st.floats(0.005, 1.0), st.sampled_from([0.5, 0.7, 1.0, 3.0]))
def test_a_bet_on_a_stop_gains_nothing_on_average_while_half_of_the_share_is_there(
    expected: float, spread: float, share: float
) -> None:
    size = 1 / spread
    mean = share * expected
    law = stats.nbinom(size, size / (size + mean))
    top = int(law.ppf(1 - 1e-12)) + 10
    counts = np.arange(top, dtype=float)
    payoff = np.exp(mean_of(bet(counts, np.full(top, expected), spread, np.zeros(top), STOPPED, STILL)))
    assert float(law.pmf(counts) @ payoff) <= 1 + 1e-6


@patient
@given(st.floats(1, 2_000), st.floats(0.005, 1.0), st.sampled_from([0.0, 0.05, 0.1]))
def test_a_bet_on_a_return_gains_nothing_on_average_while_the_model_is_away(
    expected: float, spread: float, share: float
) -> None:
    size = 1 / spread
    mean = share * expected
    law = stats.nbinom(size, size / (size + mean)) if mean else stats.poisson(0)
    counts = np.arange(int(law.ppf(1 - 1e-15)) + 200, dtype=float)
    payoff = np.exp(bet(counts, np.full(counts.size, expected), spread, np.zeros(counts.size), BACK, 0.1))
    assert (law.pmf(counts) @ payoff <= 1 + 1e-4).all()


@pytest.mark.parametrize("spread", [0.02, 0.1, 0.3])
def test_the_spread_is_learned(spread: float) -> None:
    random = np.random.default_rng(0)
    learned = Overdispersion()
    for _ in range(100):
        expected = np.full(50, 300.0)
        learned.learn(random.poisson(random.gamma(1 / spread, spread * expected)).astype(float), expected, np.zeros(50))
    assert learned.value == pytest.approx(spread, rel=0.15)


@pytest.mark.statistics
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.3])
def test_a_healthy_board_is_not_accused(spread: float) -> None:
    from tests.unit.audit.boards import audit, draw

    for seed in range(20):
        report = audit(draw(seed, spread=spread, days=tuple(range(120))))
        assert not report.alerts, seed
