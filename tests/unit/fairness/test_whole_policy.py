import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.fairness.arena.whole_policy import log_e
from streams.fairness.settings import FairnessSettings
from tests.unit.fairness.arena import equal_arena

P0 = np.array([0.4, 0.4, 0.2])


def sequence(batches: NDArray[np.float64], prior: NDArray[np.float64]):
    return [log_e(np.sum(batches[: end + 1], axis=0), P0, prior) for end in range(len(batches))]


def test_single_draws_give_the_reference_values() -> None:
    draws = np.eye(3, dtype=int)[[0, 1, 0, 1, 2]]
    expected = [-0.18232155679, -0.65232518604, -0.65232518604, -0.83464674283, -1.17111897945]
    assert sequence(draws, np.ones(3)) == pytest.approx(expected, abs=1e-9)


def test_batches_give_the_reference_values() -> None:
    batches = np.array([[20, 17, 9], [18, 21, 8], [4, 6, 4], [18, 19, 11]])
    expected = [-2.95056078545, -3.68190087726, -3.86065843071, -4.18381398237]
    assert sequence(batches, np.ones(3)) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 2), max_size=30))
def test_draw_by_draw_is_the_same_as_all_at_once(draws) -> None:
    counts, total = np.zeros(3, int), 0.0
    prior = 5.0 * P0
    for draw in draws:  # the predictive probability of each draw, over its declared one
        total += np.log((prior[draw] + counts[draw]) / (prior.sum() + counts.sum())) - np.log(P0[draw])
        counts[draw] += 1
    assert log_e(counts, P0, prior) == pytest.approx(total, abs=1e-9)


def test_a_draw_that_the_policy_excludes_is_infinite_evidence() -> None:
    assert log_e(np.array([0, 1]), np.array([1.0, 0.0]), np.ones(2)) == np.inf


def test_an_honoured_policy_leaves_no_evidence_and_a_broken_one_does() -> None:
    ledger = equal_arena(10, seed=3)
    ledger.battles(10_000)
    assert ledger.state.scene.epoch.log_e(ledger.state.scene.play, ledger.state.scene.settings.kappa) < 0
    ledger.sample("model-004", 0.0)
    ledger.battles(20_000)
    assert ledger.state.scene.epoch.log_e(ledger.state.scene.play, ledger.state.scene.settings.kappa) > 50
    assert ledger.state.scene.epoch.best > 50


def test_each_policy_is_an_epoch_of_its_own() -> None:
    ledger = equal_arena(10, seed=3, settings=FairnessSettings(settle_seconds=0))
    ledger.battles(2_500)
    ledger.declare("model-003", 2.0)
    epoch = ledger.state.scene.epoch
    assert (epoch.since_row, epoch.counts.sum(), epoch.best) == (2_500, 0, 0.0)
    ledger.declare("model-003", 2.0, reason="a remark that changes no weight")
    ledger.battles(700)
    ledger.declare("model-003", 2.0)
    assert epoch.counts.sum() == 700


def test_a_policy_of_nobody_or_of_one_model_has_no_evidence_yet() -> None:
    nobody = np.zeros(0)
    assert log_e(nobody.astype(np.int64), nobody, nobody) == 0.0
    assert log_e(np.zeros(1, np.int64), np.zeros(1), np.zeros(1)) == 0.0
