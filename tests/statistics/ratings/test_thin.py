"""Do intervals of a few votes cover? A part of the grid of `thin.py`, which is the whole."""

import sys

import numpy as np
import pytest

from tests.statistics.ratings.thin import newcomers, ranked

RUNS = 2000
ERROR = np.sqrt(0.95 * 0.05 / RUNS)


@pytest.mark.statistics
@pytest.mark.parametrize("ties", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("gap", [0.0, 350.0])
def test_newcomers_are_covered_however_few_their_votes(
    ties: float, gap: float, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(7)
    shares = {votes: newcomers(random, 20, ties, gap, votes, RUNS).mean() for votes in (1, 2, 5, 10)}
    with capsys.disabled():
        print(f"\n  ties {ties:.0%}, {gap:.0f} points: {shares}", file=sys.stderr)
    assert min(shares.values()) > 0.94 - 3 * ERROR


@pytest.mark.statistics
@pytest.mark.parametrize("ties", [0.0, 0.6])
def test_differences_to_a_small_anchor_are_covered_95_times_of_100(ties: float) -> None:
    shares = ranked(np.random.default_rng(8), 20, ties, 1000, 400, anchor=True)
    assert abs(shares.mean() - 0.95) < 0.01 + 3 * shares.std(ddof=1) / np.sqrt(shares.size)
