import numpy as np
import pytest
from numpy.typing import NDArray

from streams.ratings.newton import LONGEST, NotConverged, Stop, climb


def sup(step: NDArray[np.float64]) -> float:
    return float(np.abs(step).max())


def test_a_full_step_of_the_longest_allowed_length_still_climbs() -> None:
    # λ²(1 − (e^D − D − 1)/D²), the bound the damping rests on
    assert 1 - (np.exp(LONGEST) - LONGEST - 1) / LONGEST**2 > 0


def test_a_concave_function_is_climbed_to_its_top_from_any_start() -> None:
    # log-likelihood of 3 successes in 4: maximum at log 3
    def derivatives(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        p = 1 / (1 + np.exp(-x))
        return 3 - 4 * p, np.diag(4 * p * (1 - p))

    tops = {climb(derivatives, sup, np.array([start]))[0].item() for start in np.linspace(-20, 20, 81)}
    assert len(tops) == 1
    assert tops.pop() == pytest.approx(np.log(3), abs=1e-15)


def test_a_function_that_climbs_for_ever_raises_at_the_limit() -> None:
    def derivatives(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        q = 1 / (1 + np.exp(x))
        return q, np.diag(q * (1 - q))

    with pytest.raises(NotConverged) as caught:
        climb(derivatives, sup, np.zeros(1))
    assert caught.value.reason in {Stop.LIMIT, Stop.SINGULAR}


def test_a_flat_function_raises_singular() -> None:
    with pytest.raises(NotConverged) as caught:
        climb(lambda x: (np.zeros(2), np.zeros((2, 2))), sup, np.zeros(2))
    assert caught.value.reason is Stop.SINGULAR


def test_a_step_that_is_not_finite_raises() -> None:
    with pytest.raises(NotConverged) as caught:
        climb(lambda x: (np.full(1, np.nan), np.eye(1)), sup, np.zeros(1))
    assert caught.value.reason is Stop.NOT_FINITE
