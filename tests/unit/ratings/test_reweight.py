import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.ratings.pairs import pair_weights


@given(st.integers(0, 2**60))
def test_a_pair_never_says_more_than_fifty_votes_and_no_vote_more_than_one(played: int) -> None:
    weight = pair_weights(np.array([[played]])).item()
    assert 0 < weight <= 1
    assert weight * played <= 50 * (1 + 1e-15)


def test_pairs_beyond_the_floor_have_the_same_say() -> None:
    played = np.array([50, 51, 10**6])
    np.testing.assert_allclose(pair_weights(played) * played, 50.0, rtol=1e-15)


def test_votes_of_rare_pairs_count_alike() -> None:
    assert pair_weights(np.array([0, 1, 49])).tolist() == [1.0, 1.0, 1.0]
