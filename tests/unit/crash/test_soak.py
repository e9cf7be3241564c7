"""The windows of a soak reach from its first look to its last, though looks take longer than planned."""

import math

from tests.crash.soak import Sample, Soak


def test_the_last_window_ends_with_the_run() -> None:
    seen, fast, slow = Soak("kafka", 30.0, 10_000, 26), 0.0, 0.0
    for number in range(352):  # a look each 5.1 s: five windows of 300 s would leave the last five minutes out
        at = 5.1 * number
        if at > 1_500:
            slow += 1
        else:
            fast += 1
        seen.samples.append(Sample(at, 0, {}, 0.0, {0.5: fast, 2.0: fast + slow, math.inf: fast + slow}))
    *before, last = seen.windows(300.0)
    assert len(before) == 5
    assert max(before) <= 0.5
    assert last > 1.9


def test_of_less_than_two_looks_nothing_is_said() -> None:
    assert Soak("kafka", 30.0, 10_000, 26, [Sample(0.0, 0, {}, 0.0, {0.5: 1.0})]).windows() == []
