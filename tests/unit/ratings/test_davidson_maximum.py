"""Where Davidson's likelihood has a maximum: the rule against the linear programme that defines it, on small counts."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from streams.ratings.components import strong_components, win_graph
from streams.ratings.davidson import fit, has_gain
from streams.ratings.newton import NotConverged, Stop


def has_direction_of_recession(wins: NDArray[np.int64], draws: NDArray[np.int64]) -> bool:
    """Whether some (d, e) ≠ 0 lowers the chance of no outcome that was seen, by linear programmes.

    Of every pair that met, an outcome that was seen must have the largest of d/2, −d/2 (wins) and e (a draw).
    """
    models = len(wins)
    gains: list[NDArray[np.float64]] = []
    for i in range(models):
        for j in range(models):
            outcomes = {"win": _row(models, i, j, 0.5), "loss": _row(models, i, j, -0.5), "draw": _row(models, i, j, 0)}
            if i < j:
                seen = [("win", wins[i, j]), ("loss", wins[j, i]), ("draw", draws[i, j])]
                for name, count in seen:
                    if count:
                        gains += [outcomes[other] - outcomes[name] for other in outcomes if other != name]
    rows = np.array(gains)
    # Among these, is there one that changes the odds of some pair that met?
    for row in rows:
        found = linprog(row, A_ub=rows, b_ub=np.zeros(len(rows)), bounds=[(-1, 1)] * (models + 1))
        if found.fun < -1e-7:
            return True
    return False


def _row(models: int, i: int, j: int, of_gap: float) -> NDArray[np.float64]:
    row = np.zeros(models + 1)
    row[i], row[j] = of_gap, -of_gap
    if of_gap == 0:
        row[-1] = 1.0
    return row


@pytest.mark.parametrize("seed", range(8))
def test_the_rule_is_the_linear_programmes(seed: int) -> None:
    random = np.random.default_rng(seed)
    checked = {True: 0, False: 0}
    for _ in range(60):
        models = int(random.integers(2, 5))
        wins = random.binomial(1, 0.3, (models, models)) * random.integers(1, 4, (models, models))
        np.fill_diagonal(wins, 0)
        draws = np.triu(random.binomial(1, 0.4, (models, models)), 1)
        draws = draws + draws.T
        if not draws.any() or strong_components(win_graph(wins, draws)).any():
            continue
        gain = has_gain(wins > 0, draws > 0)
        assert gain is not has_direction_of_recession(wins, draws), (wins.tolist(), draws.tolist())
        checked[gain] += 1
        if gain:
            assert fit(wins, draws).gradient_norm < 1e-6
        else:
            with pytest.raises(NotConverged) as caught:
                fit(wins, draws)
            assert caught.value.reason is Stop.SEPARABLE
    assert min(checked.values()) > 3


@pytest.mark.parametrize("scale", [1, 30, 10**6])
def test_a_chain_that_draws_alone_lead_back_has_none(scale: int) -> None:
    wins = scale * np.diag([3, 2, 4], 1)
    draws = scale * np.diag([2, 1, 1], 1)
    with pytest.raises(NotConverged):
        fit(wins, draws + draws.T)


def test_three_that_beat_each_other_in_a_ring_have_one_whatever_draws_there_are() -> None:
    wins = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert fit(wins, 100 * (1 - np.eye(3))).gradient_norm < 1e-6


def test_the_likelihood_of_a_chain_without_one_grows_for_ever_and_stays_below_its_limit() -> None:
    # p beat q 30 times and drew 20, q beat r 12 times and drew 9; for any ν the best gap of a pair is known.
    chain = [(30, 20), (12, 9)]
    limit = sum(n * np.log(n / sum(pair)) for pair in chain for n in pair)

    def highest(nu: float) -> float:
        gaps = np.linspace(-10, 60, 70_001)
        total = np.logaddexp(np.logaddexp(gaps / 2, -gaps / 2), np.log(nu))
        return sum((won * (gaps / 2 - total) + drawn * (np.log(nu) - total)).max() for won, drawn in chain)

    heights = [highest(nu) for nu in (1e1, 1e2, 1e3, 1e4, 1e5)]
    assert heights == sorted(heights)
    assert limit - 1e-3 < heights[-1] < limit
    assert not has_gain(np.diag([True, True], 1), np.diag([True, True], 1) | np.diag([True, True], -1))
