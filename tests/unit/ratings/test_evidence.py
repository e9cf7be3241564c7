"""Who is ranked: enough votes among each other, and nobody else changes it."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.ratings.components import strong_components, win_graph
from streams.ratings.evidence import Core, find_core
from streams.ratings.leaderboard import Reason, solve
from streams.ratings.met import Met
from tests.unit.ratings.conftest import Arena

BITS = ("theta", "rating", "lower", "upper", "rank", "davidson", "quasi_variance", "provisional")


def core_of(wins: NDArray[np.int64], draws: NDArray[np.int64], least: int = 0) -> Core:
    none = np.zeros_like(wins)
    return find_core(Met.of(wins, np.triu(draws), none), win_graph(wins, draws), least)


def round_robin(models: int, each_way: int) -> NDArray[np.int64]:
    return each_way * (1 - np.eye(models, dtype=np.int64))


def with_newcomer(arena: Arena, *votes) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The counts of an arena and one more model: ("win" | "loss" | "tie", opponent) each."""
    wins, ties, both_bad = (np.pad(matrix, (0, 1)) for matrix in arena.counts)
    new = len(wins) - 1
    for outcome, opponent in votes:
        {"win": wins, "loss": wins.T, "tie": ties}[outcome][new, opponent] += 1
    return wins, ties, both_bad


@pytest.mark.parametrize(
    ("votes", "least"), [(4, 5.0), (20, 5.0), (40, 10.0), (100, 25.0), (119, 29.75), (120, 30.0), (9_000, 30.0)]
)
def test_the_default_least_is_a_quarter_of_the_median_between_5_and_30(votes: int, least: float) -> None:
    # Three models, all of whose votes are against each other.
    half = votes // 4
    wins = round_robin(3, half)
    wins[0, 1] += votes - 4 * half
    wins[1, 2] += votes - 4 * half
    wins[2, 0] += votes - 4 * half
    core = core_of(wins, np.zeros_like(wins))
    median = int(np.median(core.votes))
    assert core.least == (max(5, min(30, median / 4)) if median >= 5 else 4)
    if votes % 4 == 0:
        assert core.least == (least if votes >= 5 else 4)
    assert core.ranked.all()


def test_two_models_with_three_votes_are_ranked_and_with_one_they_are_not() -> None:
    wins, none = np.array([[0, 2], [1, 0]]), np.zeros((2, 2), np.int64)
    assert (core_of(wins, none).ranked.tolist(), core_of(wins, none).least) == ([True, True], 3.0)
    assert not core_of(none, np.array([[0, 1], [1, 0]])).ranked.any()


def test_names_that_met_once_each_are_no_mainland_however_many() -> None:
    crowd = 300
    wins = np.zeros((5 + crowd, 5 + crowd), np.int64)
    wins[:5, :5] = round_robin(5, 10)
    for at in range(5, 5 + crowd):
        wins[at, 5 + (at - 4) % crowd] = 1  # a ring: strongly connected, and larger
    assert np.flatnonzero(core_of(wins, np.zeros_like(wins)).ranked).tolist() == [0, 1, 2, 3, 4]


def test_who_has_enough_votes_only_through_thin_models_is_not_ranked() -> None:
    wins = np.zeros((7, 7), np.int64)
    wins[:3, :3] = round_robin(3, 100)
    wins[3, 0] = wins[0, 3] = 20  # 40 votes against the ranked, 4 against thin ones
    for thin in (4, 5, 6):
        wins[thin, 3] = wins[3, thin] = 2
    core = core_of(wins, np.zeros_like(wins), least=41)
    assert core.ranked.tolist() == [True] * 3 + [False] * 4
    assert core.votes.tolist() == [400, 400, 400, 0, 0, 0, 0]
    assert core_of(wins, np.zeros_like(wins), least=40).ranked.tolist() == [True] * 4 + [False] * 3


@settings(deadline=None, max_examples=100)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1), st.floats(0.3, 8))
def test_the_core_is_stable(models: int, seed: int, busy: float) -> None:
    random = np.random.default_rng(seed)
    wins = random.poisson(busy * random.pareto(1.5, (models, models)).clip(0, 30))
    np.fill_diagonal(wins, 0)
    draws = np.triu(random.poisson(busy / 3, (models, models)), 1)
    draws = draws + draws.T
    core = core_of(wins, draws)
    inside = np.ix_(core.ranked, core.ranked)
    votes = (wins + wins.T + draws)[inside].sum(axis=1)
    assert votes.tolist() == core.votes[core.ranked].tolist()
    assert (votes >= core.least).all()
    assert not strong_components(win_graph(wins[inside], draws[inside])).any()
    if core.ranked.any() and core.least >= 5:
        assert core.least == max(5, min(30, np.median(votes) / 4))


@pytest.mark.parametrize(
    "votes",
    [
        [("tie", 0)],
        [("win", 0), ("loss", 0)],
        [("win", 3), ("win", 3), ("loss", 3), ("tie", 4)],
        [("loss", 1), ("tie", 2), ("loss", 5), ("win", 0)],
    ],
)
def test_a_newcomer_with_few_votes_moves_nobody_by_one_bit(
    arena: Callable[..., Arena], votes: list[tuple[str, int]]
) -> None:
    some = arena(20, 12)
    before = solve(*some.counts, davidson=True, quasi=True)
    after = solve(*with_newcomer(some, *votes), davidson=True, quasi=True)
    for name in BITS:
        np.testing.assert_array_equal(getattr(after, name)[:-1], getattr(before, name), err_msg=name)
    assert after.reason[-1] is Reason.FEW_VOTES
    assert after.rank[-1] == 0
    assert after.lower[-1] < after.rating[-1] < after.upper[-1]
    assert after.upper[-1] - after.lower[-1] > 200


def test_one_or_two_votes_of_a_newcomer_move_nobody_among_the_real_129(chatbot_arena: Arena) -> None:
    before = solve(*chatbot_arena.counts, davidson=True, quasi=True)
    leader = int(np.argmax(before.rating))
    for votes in ([("tie", leader)], [("win", leader), ("loss", leader)]):
        after = solve(*with_newcomer(chatbot_arena, *votes), davidson=True, quasi=True)
        for name in BITS:
            np.testing.assert_array_equal(getattr(after, name)[:-1], getattr(before, name), err_msg=name)
        assert after.reason[-1] is Reason.FEW_VOTES


def test_with_the_operators_least_nobody_below_it_is_ranked(arena: Callable[..., Arena]) -> None:
    some = arena(12, 5)
    votes = (some.wins + some.wins.T + some.draws).sum(axis=1)
    board = solve(*some.counts, least=int(votes.max()) + 1)
    assert board.provisional.all()
    assert set(board.reason) == {Reason.FEW_VOTES}
    assert np.isnan(board.dispersion)


def test_too_wide_an_interval_is_no_rank_and_says_so(arena: Callable[..., Arena]) -> None:
    some = arena(20, 12)
    newcomer = [("win", 3), ("loss", 4)] * 20
    counts = with_newcomer(some, *newcomer)
    width = solve(*counts).upper[-1] - solve(*counts).lower[-1]
    ranked, out = solve(*counts, widest=1.01 * width), solve(*counts, widest=0.99 * width)
    assert ranked.reason[-1] is None
    assert out.reason[-1] is Reason.WIDE_INTERVAL
    np.testing.assert_array_equal(out.rating[:-1], solve(*some.counts, widest=0.99 * width).rating)
