import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from streams.fairness.statistics.cusum import Cusum, Mark, Odds

BETS = (0.02, 0.1, 0.25, 0.5, 2.0, 4.0)
bets = np.array(BETS)


def mark(row: int = 0, subjects: int = 1) -> Mark:
    return Mark(row, float(row), np.zeros(subjects), np.zeros(subjects))


def expectation(odds: Odds, bet: int, share: float, n: int) -> float:
    """E[e^ℓ] of n battles at a true share, summed exactly."""
    k = np.arange(n + 1)
    return float((binom.pmf(k, n, share) * np.exp(k * odds.slope[bet, 0] + n * odds.miss[bet, 0])).sum())


@given(st.floats(0.001, 0.99), st.floats(0.0, 0.5), st.floats(1e-6, 1.0), st.integers(1, 60))
def test_no_bet_gains_on_average_anywhere_in_the_null(pi: float, delta: float, within: float, n: int) -> None:
    odds = Odds.of(np.array([pi]), bets, delta)
    for bet, r in enumerate(bets):
        low, high = ((1 - delta) * pi, 1.0) if r < 1 else (0.0, min(1.0, (1 + delta) * pi))
        assert expectation(odds, bet, low + within * (high - low), n) <= 1 + 1e-9


@pytest.mark.parametrize("delta", [0.0, 0.2])
def test_a_bet_is_fair_exactly_at_the_edge_of_the_band(delta: float) -> None:
    odds = Odds.of(np.array([0.05]), bets, delta)
    for bet, r in enumerate(bets):
        edge = 0.05 * (1 - delta if r < 1 else 1 + delta)
        assert expectation(odds, bet, edge, 100) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("pi", [0.0, 0.3, 0.6, 1.0])
def test_a_bet_that_cannot_be_made_changes_nothing(pi: float) -> None:
    odds = Odds.of(np.array([pi]), bets, 0.2)
    made = (odds.slope != 0)[:, 0]
    feasible = [pi > 0 and r * pi < 1 and (r < 1 or 1.2 * pi < 1) for r in bets]
    assert made.tolist() == feasible
    assert np.isfinite(odds.slope).all()
    assert not odds.miss[~made].any()


def test_a_constant_e_value_of_two_alarms_at_twenty_in_step_five() -> None:
    cusum, odds = Cusum.start(1, 1), Odds(np.array([[np.log(2)]]), np.zeros((1, 1)))
    steps = 0
    while cusum.log_e_of(0) < np.log(20):
        cusum.update(odds, np.ones(1), 1, mark())
        steps += 1
    assert steps == 5


def test_the_mean_of_the_bets_is_what_counts() -> None:
    cusum = Cusum.start(2, 1)
    cusum.log_c[:, 0] = np.log([3.0, 5.0])
    assert cusum.log_e_of(0) == pytest.approx(np.log(4.0))
    assert cusum.log_e() == pytest.approx([np.log(4.0)])


def test_evidence_of_thousands_of_orders_of_magnitude_stays_finite() -> None:
    cusum, odds = Cusum.start(bets.size, 1), Odds.of(np.array([0.5]), bets, 0.0)
    for _ in range(1_000):
        cusum.update(odds, np.zeros(1), 100, mark())
    assert cusum.log_e_of(0) == pytest.approx(100_000 * np.log(0.99 / 0.5) - np.log(6), rel=1e-9)


def test_the_onset_is_the_last_tick_without_evidence() -> None:
    cusum, odds = Cusum.start(1, 1), Odds.of(np.array([0.1]), np.array([0.1]), 0.0)
    for row, hits in ((100, 10), (200, 12), (300, 0), (400, 0)):
        cusum.update(odds, np.array([float(hits)]), 100, mark(row))
    assert cusum.since_row.tolist() == [[200]]
    assert cusum.since_time.tolist() == [[200.0]]


def test_a_subject_that_begins_anew_stands_as_one_that_was_never_judged() -> None:
    cusum, odds = Cusum.start(1, 2), Odds.of(np.array([0.1, 0.1]), np.array([0.1]), 0.0)
    cusum.update(odds, np.zeros(2), 100, mark(100, 2))
    cusum.reset(0, mark(100, 2))
    assert cusum.log_c[0, 0] == 0.0
    assert cusum.since_row.tolist() == [[100, 0]]
    cusum.update(odds, np.zeros(2), 100, mark(200, 2))
    assert 2 * cusum.log_c[0, 0] == pytest.approx(cusum.log_c[0, 1])
