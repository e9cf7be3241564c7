"""The rate limit."""

from hypothesis import given
from hypothesis import strategies as st

from services.http.rate_limit import Bucket, Limiter


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 60)), max_size=60))
def test_never_more_than_the_burst_and_the_rate_allow(requests: list[tuple[float, int]]) -> None:
    bucket, now, passed, largest = Bucket(rate=10, burst=40), 0.0, 0, 0
    for pause, votes in requests:
        now += pause
        if bucket.take(votes, now) == 0:
            passed, largest = passed + votes, max(largest, votes)
    assert passed <= 10 * now + 40 + max(0, largest - 40) + 1e-6


@given(st.integers(1, 60), st.integers(1, 60))
def test_after_the_wait_the_request_passes(first: int, second: int) -> None:
    bucket = Bucket(rate=10, burst=40)
    assert bucket.take(first, 0.0) == 0
    if wait := bucket.take(second, 0.0):
        assert bucket.take(second, wait + 1e-6) == 0


def test_a_request_larger_than_the_burst_leaves_a_debt() -> None:
    bucket = Bucket(rate=10, burst=20)
    assert bucket.take(100, 0.0) == 0
    assert bucket.wait(1, 0.0) == 8.1


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(rate=10, burst=20)
    bucket.take(20, 100.0)
    assert bucket.wait(1, 50.0) == 0.1


def test_a_key_that_has_left_is_forgotten_with_its_debt() -> None:
    limiter = Limiter(rate=1, burst=5)
    for name in ("a", "b"):
        limiter.charge(name, 10, 0.0)
    limiter.keep({"b"})
    assert list(limiter.buckets) == ["b"]
    assert (limiter.take("a", 5, 0.0), limiter.wait("b", 0.0)) == (0.0, 6.0)


def test_keys_do_not_share_and_a_rate_of_zero_is_no_limit() -> None:
    limiter = Limiter(rate=1, burst=1)
    assert (limiter.take("a", 1, 0.0), limiter.take("a", 1, 0.0), limiter.take("b", 1, 0.0)) == (0, 1, 0)
    assert Limiter(rate=0, burst=0).take("a", 10**9, 0.0) == 0
