"""Counts by pairs that met say what matrices of all pairs say, for any number of models and in any order."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.ratings.counts import BoardCounts
from streams.ratings.elo import interpreted
from streams.ratings.leaderboard import solve, solve_met
from streams.ratings.met import BLOCK, Met
from tests.support.boards import shown

BITS = ("theta", "rating", "lower", "upper", "rank", "davidson", "provisional")


def battles(
    random: np.random.Generator, models: int, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    a = random.integers(0, models, n)
    b = (a + random.integers(1, models, n)) % models
    return a, b, random.integers(0, 5, n).astype(np.uint8)


@pytest.mark.parametrize("models", [2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3, 500])
def test_a_board_counts_what_a_matrix_counts(models: int) -> None:
    random = np.random.default_rng(models)
    board, dense = BoardCounts(), np.zeros((5, models, models), np.int64)
    for _ in range(8):
        a, b, winner = battles(random, models, int(random.integers(1, 3 * models)))
        board.add(a, b, winner, interpreted)
        np.add.at(dense, (winner, a, b), 1)
        members = np.array(board.members)
        assert (shown(board) == dense[:, members[:, None], members]).all()
        assert board.battles == dense.sum()


@pytest.mark.parametrize("models", [3, BLOCK, BLOCK + 30])
def test_a_board_that_was_saved_goes_on_as_if_it_had_not(models: int) -> None:
    random = np.random.default_rng(models)
    through, saved = BoardCounts(), BoardCounts()
    for turn in range(4):
        some = battles(random, models + turn, 2 * models)
        through.add(*some, interpreted)
        saved.add(*some, interpreted)
        after = BoardCounts()
        after.restore(list(saved.members), *saved.cells(), saved.elo.copy())
        saved = after
    assert (shown(through) == shown(saved)).all()
    assert (through.members, through.battles) == (saved.members, saved.battles)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("reweighted", [False, True])
def test_ratings_are_the_same_bits_whatever_the_order_of_the_pairs(seed: int, reweighted: bool) -> None:
    random = np.random.default_rng(seed)
    models = int(random.integers(2, 40))
    a, b, winner = battles(random, models, int(random.integers(1, 6 * models)))
    counts = np.zeros((5, models, models), np.int64)
    np.add.at(counts, (winner, a, b), 1)
    wins, ties, both_bad = counts[0] + counts[1].T, counts[2], counts[3]
    met = Met.of(wins, ties, both_bad)
    order = random.permutation(met.first.size)
    mixed = Met(models, met.first[order], met.second[order], met.counts[:, order])
    one = solve(wins, ties, both_bad, reweighted=reweighted, davidson=True)
    other = solve_met(mixed, reweighted=reweighted, davidson=True)
    for name in BITS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.reason, one.components) == (other.reason, other.components)


def test_a_thousand_pairs_that_met_once_cost_what_a_thousand_pairs_cost() -> None:
    """2,000 names that met once each took 152 MiB a board, as a matrix of all pairs."""
    board = BoardCounts()
    names = np.arange(2_000)
    board.add(names[::2], names[1::2], np.zeros(1_000, np.uint8), interpreted)
    assert board.nbytes < 500_000
    solution = solve_met(board.met, davidson=True)
    assert solution.provisional.all()
    assert solution.components == 2_000
