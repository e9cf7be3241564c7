import numpy as np
import pytest

from streams.fairness.arena.arrays import pack, unpack
from streams.fairness.statistics.shiryaev_roberts import LARGEST, ShiryaevRoberts


def test_the_sum_is_that_over_all_beginnings() -> None:
    gains = np.random.default_rng(1).normal(-0.1, 0.5, (20, 3, 4))
    sums = ShiryaevRoberts.start(3, 4)
    for gain in gains:
        log_m = sums.update(gain)
    from_each = np.exp(gains[::-1].cumsum(axis=0)).sum(axis=0)
    assert sums.r == pytest.approx(from_each)
    assert log_m == pytest.approx(np.log(from_each.mean(axis=0)))


def test_the_rhythm_of_updates_does_not_change_the_time_unit() -> None:
    """Without evidence R is the time that has passed, in ticks."""
    often, seldom = ShiryaevRoberts.start(1, 1), ShiryaevRoberts.start(1, 1)
    for _ in range(10):
        often.update(np.zeros((1, 1)), 0.1)
    assert often.r == pytest.approx(1.0)
    seldom.update(np.zeros((1, 1)), 1.0)
    assert often.log_e() == pytest.approx(seldom.log_e())


@pytest.mark.parametrize("gain", [-1e9, -800.0, 800.0, 1e9])
def test_evidence_of_any_size_stays_a_number(gain: float) -> None:
    sums = ShiryaevRoberts.start(1, 1)
    for _ in range(5):
        sums.update(np.full((1, 1), gain))
    assert sums.r[0, 0] == (0.0 if gain < -1_000 else pytest.approx(np.exp(gain)) if gain < 0 else LARGEST)
    sums.update(np.zeros((1, 1)))
    assert sums.r[0, 0] == (1.0 if gain < 0 else LARGEST)


def test_the_onset_is_the_last_update_without_evidence_of_the_bet_that_wins() -> None:
    sums = ShiryaevRoberts.start(2, 1)
    for row, gains in enumerate([(-1, -1), (1, -1), (1, -3), (1, 2.5)]):
        sums.update(np.array(gains, float)[:, None], 1.0, row, 10.0 * row)
    assert sums.winner(0) == 0
    assert sums.since_row.ravel().tolist() == [0, 2]
    assert sums.since_time.ravel().tolist() == [0.0, 20.0]


def test_a_reset_subject_begins_anew_and_the_others_go_on() -> None:
    sums = ShiryaevRoberts.start(2, 2)
    sums.update(np.ones((2, 2)))
    sums.resize(3)
    sums.reset(0, 7, 8.0)
    assert sums.log_e().tolist() == [-np.inf, pytest.approx(1.0), -np.inf]
    assert sums.since_row[:, 0].tolist() == [7, 7]
    assert sums.since_time[:, 0].tolist() == [8.0, 8.0]


def test_weights_need_not_add_to_one_and_the_state_survives_encoding() -> None:
    sums = ShiryaevRoberts.start(2, 1, weights=np.array([0.25, 0.0]))
    assert np.exp(sums.update(np.log([[4.0], [100.0]]))).tolist() == [pytest.approx(1.0)]
    again = unpack(pack(sums), ShiryaevRoberts)
    assert again.r.tobytes() == sums.r.tobytes()
    assert again.weights.tolist() == [0.25, 0.0]
