import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.ratings.leaderboard import ranks


def by_definition(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.int64]:
    return 1 + (np.asarray(lower)[None, :] > np.asarray(upper)[:, None]).sum(axis=1)


# Few distinct values, so that bounds are often equal.
bounds = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30)


@given(bounds)
def test_ranks_are_those_of_the_definition(pairs: list[tuple[int, int]]) -> None:
    lower = np.array([float(min(pair)) for pair in pairs])
    upper = np.array([float(max(pair)) for pair in pairs])
    assert ranks(lower, upper).tolist() == by_definition(lower, upper).tolist()


def test_intervals_that_touch_share_a_rank() -> None:
    assert ranks(np.array([2.0, 1.0]), np.array([3.0, 2.0])).tolist() == [1, 1]


def test_intervals_that_just_miss_do_not() -> None:
    assert ranks(np.array([np.nextafter(2.0, 3.0), 1.0]), np.array([3.0, 2.0])).tolist() == [1, 2]


def test_equal_intervals_share_a_rank_and_the_next_one_counts_them_all() -> None:
    assert ranks(np.array([5.0, 5.0, 1.0]), np.array([6.0, 6.0, 2.0])).tolist() == [1, 1, 3]


def test_no_models_have_no_ranks() -> None:
    assert ranks(np.zeros(0), np.zeros(0)).size == 0
