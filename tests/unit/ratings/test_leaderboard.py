from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from streams.ratings.field import UNUSUAL
from streams.ratings.leaderboard import Withheld, solve
from streams.ratings.provisional import ProvisionalReason

# The machine may be busy; nothing here measures time.
patient = settings(deadline=None, max_examples=60)

BITS = ("theta", "rating", "lower", "upper", "rank", "davidson", "provisional")


def zeros(models):
    return np.zeros((models, models), dtype=np.int64)


def counts(models, *battles):
    """Counts of (a, b, winner, times) battles."""
    wins, ties, both_bad = zeros(models), zeros(models), zeros(models)
    for a, b, winner, times in battles:
        if winner == "tie":
            ties[a, b] += times
        elif winner == "both_bad":
            both_bad[a, b] += times
        else:
            wins[(a, b) if winner == "a" else (b, a)] += times
    return wins, ties, both_bad


def assert_same_bits(one, other):
    for name in BITS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.reason == other.reason
    assert one.components == other.components


def assert_valid(board, models):
    """True of every board, whatever the counts."""
    for name in ("theta", "rating"):
        assert np.isfinite(getattr(board, name)).all(), name
    assert np.isfinite([board.lower, board.upper])[:, ~board.provisional].all()
    assert board.rating.shape == (models,)
    assert len(board.reason) == models
    assert (board.lower <= board.rating).all()
    assert (board.rating <= board.upper).all()
    assert [why is None for why in board.reason] == (~board.provisional).tolist() == (board.rank > 0).tolist()
    assert abs(board.theta[~board.provisional].sum()) < 1e-9
    assert np.isfinite(board.gradient_norm)


@st.composite
def battles(draw, least=1):
    models = draw(st.integers(2, 6))
    pair = st.tuples(st.integers(0, models - 1), st.integers(0, models - 1)).filter(lambda ab: ab[0] != ab[1])
    vote = st.tuples(pair, st.sampled_from(["a", "b", "tie", "both_bad"])).map(lambda v: (*v[0], v[1], 1))
    return models, draw(st.lists(vote, min_size=least, max_size=60))


# -- any counts at all ---------------------------------------------------------------------------------------------


@settings(patient, max_examples=300)
@given(battles(least=0), st.booleans())
def test_every_board_is_valid(drawn, reweighted):
    models, votes = drawn
    assert_valid(solve(*counts(models, *votes), reweighted=reweighted, davidson=True), models)


@patient
@given(battles(), st.randoms(use_true_random=False))
def test_the_order_of_the_votes_does_not_matter(drawn, random):
    models, votes = drawn
    shuffled = random.sample(votes, len(votes))
    assert_same_bits(solve(*counts(models, *votes)), solve(*counts(models, *shuffled)))


@patient
@given(battles(), st.integers(0, 60))
def test_counts_of_two_partitions_add(drawn, cut):
    models, votes = drawn
    parts = zip(counts(models, *votes[:cut]), counts(models, *votes[cut:]), strict=True)
    assert_same_bits(solve(*(one + other for one, other in parts)), solve(*counts(models, *votes)))


@patient
@given(battles())
def test_the_side_a_model_is_shown_on_does_not_matter(drawn):
    models, votes = drawn
    other = {"a": "b", "b": "a", "tie": "tie", "both_bad": "both_bad"}
    swapped = [(b, a, other[winner], times) for a, b, winner, times in votes]
    assert_same_bits(solve(*counts(models, *votes), davidson=True), solve(*counts(models, *swapped), davidson=True))


@patient
@given(battles())
def test_both_bad_rates_like_a_tie(drawn):
    models, votes = drawn
    wins, ties, both_bad = counts(models, *votes)
    assert_same_bits(solve(wins, ties, both_bad), solve(wins, ties + both_bad, zeros(models)))


@patient
@given(battles(), st.randoms(use_true_random=False))
def test_renaming_the_models_renames_the_board(drawn, random):
    models, votes = drawn
    order = np.array(random.sample(range(models), models))
    votes = votes + [(model, (model + 1) % models, "a", 1) for model in range(models)]  # one component: no tie to break
    board = solve(*counts(models, *votes), least=1)
    renamed = solve(*(matrix[np.ix_(order, order)] for matrix in counts(models, *votes)), least=1)
    np.testing.assert_allclose(renamed.rating, board.rating[order], rtol=0, atol=1e-9)
    np.testing.assert_allclose(renamed.upper, board.upper[order], rtol=0, atol=1e-9)


@patient
@given(battles(), battles())
def test_votes_taken_back_leave_no_trace(drawn, more):
    models, votes = drawn
    passing = [vote for vote in more[1] if max(vote[:2]) < models]
    before = solve(*counts(models, *votes), davidson=True)
    between = solve(*counts(models, *votes, *passing), start=before.theta)
    after = solve(*counts(models, *votes), start=between.theta, davidson=True)
    assert_same_bits(before, after)


@patient
@given(battles(), st.lists(st.one_of(st.floats(-1e4, 1e4), st.just(np.nan), st.just(np.inf)), max_size=6))
def test_the_start_changes_no_bit(drawn, start):
    models, votes = drawn
    warm = solve(*counts(models, *votes), start=np.array(start[:models]), davidson=True)
    assert_same_bits(warm, solve(*counts(models, *votes), davidson=True))


def own_dispersion(theta, wins, ties, both_bad):
    """Each model's Σ(x − p)²/Σ pq."""
    draws = ties + ties.T + both_bad + both_bad.T
    p = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
    squares = wins * (1 - p) ** 2 + wins.T * p**2 + draws * (0.5 - p) ** 2
    return squares.sum(axis=1) / ((wins + wins.T + draws) * p * (1 - p)).sum(axis=1)


AT_THE_SWITCH = [
    *((a, b, "tie", 1) for a, b in [(2, 1), (1, 2), (4, 0)]),
    *((a, b, "a", 1) for a, b in [(3, 2), (1, 3), (4, 3), (2, 1), (0, 3), (2, 0)]),
]
"""Model 4's own φ is a little below a quarter of the board's with 400 votes of each, a little above with 800."""


@patient
@given(battles(), st.sampled_from([2, 4, 100]))
@example((5, AT_THE_SWITCH), 2)
def test_every_vote_counted_c_times_leaves_the_ratings_and_divides_the_interval_by_root_c(drawn, times):
    models, votes = drawn
    once = solve(*counts(models, *votes), least=1)
    often = solve(*(times * matrix for matrix in counts(models, *votes)), least=1)
    ranked = ~once.provisional
    np.testing.assert_allclose(often.rating[ranked], once.rating[ranked], rtol=0, atol=1e-9)
    plenty = solve(*(400 * matrix for matrix in counts(models, *votes)), least=1)
    more = solve(*(400 * times * matrix for matrix in counts(models, *votes)), least=1)
    width, narrow = plenty.upper - plenty.lower, more.upper - more.lower
    # Ties alone have the score test's interval, whose φ comes with a few votes of its own.
    varied = ranked & (width > 0) & (plenty.dispersion > 0.05) & (counts(models, *votes)[0].sum(axis=1) > 0)
    # A model whose own votes vary much less than the board's has the board's φ. Where it is between the two φ it
    # changes its kind of interval with the votes.
    own = own_dispersion(once.theta[ranked], *(each[np.ix_(ranked, ranked)] for each in counts(models, *votes)))
    varied[ranked] &= (own < UNUSUAL * plenty.dispersion) == (own < UNUSUAL * more.dispersion)
    np.testing.assert_allclose(narrow[varied] * np.sqrt(times), width[varied], rtol=0.05)


@patient
@given(battles(), st.integers(0, 5), st.floats(0, 3000))
def test_an_anchor_shifts_everyone_alike(drawn, index, rating):
    models, votes = drawn
    assume(index < models)
    free = solve(*counts(models, *votes), davidson=True, quasi=True, least=1)
    pinned = solve(*counts(models, *votes), anchors=(index,), anchor_rating=rating, davidson=True, quasi=True, least=1)
    assert pinned.anchored is not bool(free.provisional[index])
    if pinned.anchored:
        assert pinned.lower[index] == pinned.rating[index] == pinned.upper[index] == rating
        assert pinned.davidson[index] == rating or np.isnan(pinned.davidson[index])
    shift = pinned.rating[index] - free.rating[index]
    np.testing.assert_allclose(pinned.rating, free.rating + shift, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(pinned.theta, free.theta)
    np.testing.assert_array_equal(pinned.quasi_variance, free.quasi_variance)


@patient
@given(battles())
def test_stray_models_move_no_bit_of_the_ranked(drawn):
    models, votes = drawn
    votes = votes + [(model, (model + 1) % models, "a", 1) for model in range(models)]
    alone = solve(*counts(models, *votes), davidson=True, least=1)
    strays = [
        (models, 0, "a", 5),  # undefeated
        (1, models + 1, "a", 3),  # winless
        (models + 2, 0, "b", 1),  # winless against another
        (models, models + 2, "a", 4),  # strays among themselves
    ]
    crowd = solve(*counts(models + 4, *votes, *strays), davidson=True, least=1)
    for name in BITS:
        np.testing.assert_array_equal(getattr(crowd, name)[:models], getattr(alone, name), err_msg=name)
    assert crowd.provisional[models:].all()


# -- nothing, and next to nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("models", [0, 1, 2, 100])
@pytest.mark.parametrize("reweighted", [False, True])
def test_no_votes_are_a_valid_board_on_which_everyone_is_provisional_at_1000(models, reweighted):
    board = solve(zeros(models), zeros(models), zeros(models), reweighted=reweighted, davidson=True)
    assert_valid(board, models)
    assert board.rating.tolist() == [1000.0] * models
    assert board.reason == (ProvisionalReason.NO_VOTES,) * models
    assert (board.components, board.iterations, board.gradient_norm) == (0, 0, 0.0)


def test_one_vote_ranks_nobody():
    board = solve(*counts(2, (0, 1, "a", 1)))
    assert_valid(board, 2)
    assert board.reason == (ProvisionalReason.UNDEFEATED, ProvisionalReason.WINLESS)
    assert board.components == 2


def test_one_tie_ranks_nobody():
    board = solve(*counts(2, (0, 1, "tie", 1)))
    assert board.reason == (ProvisionalReason.FEW_VOTES, ProvisionalReason.FEW_VOTES)
    assert board.rating.tolist() == [1000.0, 1000.0]
    assert board.lower.tolist() == [-np.inf, -np.inf]
    assert board.upper.tolist() == [np.inf, np.inf]


def test_a_model_without_votes_is_no_trouble_to_the_others():
    votes = [(0, 1, "a", 3), (0, 1, "b", 2), (1, 2, "tie", 4)]
    board, alone = solve(*counts(4, *votes), least=4), solve(*counts(3, *votes), least=4)
    assert_valid(board, 4)
    assert board.reason == (None, None, None, ProvisionalReason.NO_VOTES)
    assert board.rating[3] == 1000
    assert board.rating[:3].tolist() == alone.rating.tolist()
    assert board.components == 1


@pytest.mark.parametrize("times", [5, 50])
def test_all_ties_are_level_and_nobody_is_certain_of_it(times):
    votes = [(0, 1, "tie", times), (1, 2, "both_bad", times), (0, 2, "tie", times)]
    board = solve(*counts(3, *votes), davidson=True)
    assert board.rating.tolist() == [1000.0] * 3
    assert (board.upper - board.lower > 5).all()
    assert board.rank.tolist() == [1, 1, 1]
    assert np.isnan(board.davidson).all()  # ν has no finite value
    assert board.withheld is Withheld.NO_MAXIMUM


# -- separation and islands ----------------------------------------------------------------------------------------

ROUND = [(0, 1, "a", 6), (0, 1, "b", 4), (1, 2, "a", 5), (1, 2, "b", 5), (2, 0, "a", 4), (2, 0, "b", 6)]


def test_an_undefeated_model_is_provisional_and_drags_nobody():
    board, alone = solve(*counts(4, *ROUND, (3, 0, "a", 5))), solve(*counts(3, *ROUND))
    assert board.rating[:3].tolist() == alone.rating.tolist()
    assert board.reason[3] is ProvisionalReason.UNDEFEATED
    assert board.rank[3] == 0
    assert 1400 < board.rating[3] < 1700
    assert board.upper[3] == np.inf
    assert 1000 < board.lower[3] < board.rating[3]


def test_a_winless_model_is_provisional_and_lifts_nobody():
    board, alone = solve(*counts(4, *ROUND, (3, 0, "b", 5))), solve(*counts(3, *ROUND))
    assert board.rating[:3].tolist() == alone.rating.tolist()
    assert board.reason[3] is ProvisionalReason.WINLESS
    assert 300 < board.rating[3] < 600
    assert board.lower[3] == -np.inf


def test_islands_are_not_compared():
    board = solve(*counts(5, *ROUND, (3, 4, "a", 30), (4, 3, "a", 10)))
    assert board.reason == (None, None, None, ProvisionalReason.ISLAND, ProvisionalReason.ISLAND)
    assert board.rating[3:].tolist() == [1000.0, 1000.0]
    assert board.components == 2


def test_a_one_way_bridge_is_not_crossed():
    votes = [*ROUND, (3, 4, "a", 3), (4, 3, "a", 3), (3, 0, "a", 2)]
    board = solve(*counts(5, *votes))
    assert board.reason[3:] == (ProvisionalReason.BRIDGE, ProvisionalReason.BRIDGE)
    assert board.rating[:3].tolist() == solve(*counts(3, *ROUND)).rating.tolist()
    assert board.rating[3] > 1000
    assert board.rating[4] == 1000  # met nobody ranked


def test_an_island_that_joins_is_ranked_with_all_others():
    apart = [*ROUND, (3, 4, "a", 3), (4, 3, "a", 3)]
    joined = [*apart, (3, 0, "a", 2), (0, 4, "a", 1)]
    before = solve(*counts(5, *apart))
    after = solve(*counts(5, *joined), start=before.theta)
    assert before.provisional.tolist() == [False, False, False, True, True]
    assert not after.provisional.any()
    assert after.components == 1
    assert_same_bits(after, solve(*counts(5, *joined)))


def test_a_new_model_may_be_missing_from_the_start():
    before = solve(*counts(3, *ROUND))
    after = solve(*counts(4, *ROUND, (3, 0, "a", 4), (3, 0, "b", 4)), start=before.theta)
    assert not after.provisional.any()


@pytest.mark.parametrize("lopsided", [10**6, 10**9])
def test_a_million_to_one_is_rated(lopsided):
    board = solve(*counts(3, (0, 1, "a", lopsided), (0, 1, "b", 1), (1, 2, "a", 1), (1, 2, "b", lopsided)))
    assert_valid(board, 3)
    gap = 400 * np.log10(lopsided)
    assert board.rating[0] - board.rating[1] == pytest.approx(gap, abs=1e-6)
    assert board.rating[2] - board.rating[1] == pytest.approx(gap, abs=1e-6)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_model_that_met_itself_is_refused(which):
    matrices = counts(3, *ROUND)
    matrices[which][1, 1] = 1
    with pytest.raises(ValueError, match="cannot meet itself"):
        solve(*matrices)


def test_negative_counts_are_refused():
    wins, ties, both_bad = counts(3, *ROUND)
    ties[0, 1] = -1
    with pytest.raises(ValueError, match="must not be negative"):
        solve(wins, ties, both_bad)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (2, 2)])
def test_counts_of_different_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="square"):
        solve(zeros(3), zeros(3), np.zeros(shape, dtype=np.int64))


@pytest.mark.parametrize("number", [0.5, np.nan, np.inf, "3"])
def test_counts_that_are_not_whole_numbers_are_refused(number: Any) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        solve([[0, number], [1, 0]], zeros(2), zeros(2))


def test_lists_and_whole_floats_count_like_arrays() -> None:
    matrices = counts(4, *ROUND)
    assert_same_bits(solve(*matrices), solve(*(each.tolist() for each in matrices)))
    assert_same_bits(solve(*matrices), solve(*(each.astype(float) for each in matrices)))


def test_an_anchor_that_is_not_ranked_moves_nobody():
    free = solve(*counts(4, *ROUND))
    pinned = solve(*counts(4, *ROUND), anchors=(0, 3), anchor_rating=1500.0)
    assert not pinned.anchored
    assert_same_bits(free, pinned)


# -- options -------------------------------------------------------------------------------------------------------


def test_reweighting_gives_each_busy_pair_the_same_say():
    # The pair 0-1 met a thousand times as often; reweighted it counts like the others.
    votes = [(0, 1, "a", 60_000), (0, 1, "b", 40_000), *[(a, b, w, 10 * n) for a, b, w, n in ROUND[2:]]]
    even = [(0, 1, "a", 60), (0, 1, "b", 40), *[(a, b, w, 10 * n) for a, b, w, n in ROUND[2:]]]
    np.testing.assert_allclose(
        solve(*counts(3, *votes), reweighted=True).rating, solve(*counts(3, *even)).rating, rtol=1e-12
    )


def test_reweighting_changes_nothing_where_all_pairs_are_rare():
    assert_same_bits(solve(*counts(3, *ROUND), reweighted=True), solve(*counts(3, *ROUND)))


def test_davidson_is_only_there_when_asked_for(arena):
    some = arena(10, 20)
    assert np.isnan(solve(*some.counts).davidson).all()
    board = solve(*some.counts, davidson=True)
    assert np.isfinite(board.davidson).all()
    assert np.ptp(board.davidson) > np.ptp(board.rating)  # half-win draws squeeze the scale


def test_a_thousand_models_are_solved(arena):
    some = arena(1000, 3)
    board = solve(*some.counts)
    assert_valid(board, 1000)
    assert board.gradient_norm < 1e-8
