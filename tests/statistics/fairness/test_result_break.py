"""Bets on results: what the ratings do not know makes no false evidence, because each vote is learned from."""

import numpy as np
import pytest

from streams.fairness.detectors.result_break import BACK, BETS, MILD, _bet
from streams.fairness.statistics.cell_evidence import Cells


def reached(information: float, level: float, *, learns: bool, votes: int = 1_000, runs: int = 2_000) -> float:
    """Part of the runs in which evidence without a band reaches a level, for ratings of so much information."""
    random = np.random.default_rng(17)
    cells = Cells.start((0,) * BETS.size + (1,) * BETS.size, runs + 1)
    theta = np.append(random.normal(0.0, information**-0.5, runs), 0.0)  # all are equal; the last is the opponent
    shift, sure = np.zeros(runs + 1), np.full(runs + 1, information)
    flag, a, b = np.ones(runs + 2, bool), np.arange(runs), np.full(runs, runs)
    above = np.zeros(runs, bool)
    for _ in range(votes):
        winner = random.integers(0, 2, runs).astype(np.uint8)
        _bet(
            a, b, winner, flag[:runs], flag, flag[:-1], theta, shift, sure, learns, BETS, MILD, 0.0, BACK,
            cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip
        above |= np.exp(cells.gain[:runs, : 2 * BETS.size]).mean(axis=1) >= level
    return float(above.mean())


@pytest.mark.parametrize("information", [5.0, 50.0])
def test_models_with_few_or_many_votes_reach_a_level_as_rarely_as_the_bound_allows(information: float) -> None:
    """P(E reaches c) ≤ 1/c over the errors of the ratings; with what is learned left out it is many times that."""
    level, runs = 20.0, 2_000
    bound = 1 / level
    error = np.sqrt(bound * (1 - bound) / runs)
    assert 0 < reached(information, level, learns=True) <= bound + 3 * error
    assert reached(information, level, learns=False) > 2 * bound
