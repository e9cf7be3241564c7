"""The published board: a function of the counts, ordered by rating, saying what the arena declares."""

from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.view import Board, Gauge, Position, RatedModel
from streams.contracts.vote import Vote
from streams.ledger.codec import Notice
from streams.ratings.publish import make_board
from streams.ratings.settings import RatingsSettings
from tests.unit.folds.making import block, folded, notice, vote
from tests.unit.intake.making import seeded

ROUND = [vote("x", "y"), vote("y", "z"), vote("z", "x"), vote("x", "z", "tie"), vote("y", "x", "both_bad")]
MODELS = ["v", "w", "x", "y", "z"]
winners = st.sampled_from(["model_a", "model_b", "tie", "both_bad", "none"])
pairs = st.permutations(MODELS).map(lambda names: names[:2])
vote_lists = st.lists(st.builds(lambda pair, winner: vote(*pair, winner), pairs, winners), min_size=1, max_size=40)


def published(votes: list[Vote], **more: Any) -> Board:
    return make_board(folded([block(votes)]), "overall", **more)[0]


def as_bytes(board: Board, *, elo: bool = True, iterations: bool = True) -> bytes:
    """The JSON that is published; Elo has an order and `iterations` depends on the start, so both can be left out."""
    if not elo:
        board = msgspec.structs.replace(board, models=[msgspec.structs.replace(line, elo=0.0) for line in board.models])
    if not iterations:
        board = msgspec.structs.replace(board, solver=msgspec.structs.replace(board.solver, iterations=0))
    return msgspec.json.encode(board)


def line_of(board: Board, model: str) -> RatedModel:
    return next(line for line in board.models if line.model == model)


@settings(seeded, max_examples=60)
@given(vote_lists, st.randoms(use_true_random=False))
def test_equal_counts_are_equal_bytes_whatever_the_order_of_arrival(votes: list[Vote], random: Random) -> None:
    shuffled = random.sample(votes, len(votes))
    assert as_bytes(published(votes), elo=False) == as_bytes(published(shuffled), elo=False)


def test_where_games_do_not_meet_elo_is_the_same_too() -> None:
    votes = [vote("z", "y"), vote("x", "w", "tie"), vote("v", "u")]
    assert as_bytes(published(votes)) == as_bytes(published(votes[::-1]))


@settings(seeded, max_examples=60)
@given(vote_lists, st.lists(st.floats(-20, 20) | st.sampled_from([np.nan, np.inf, -np.inf]), min_size=5, max_size=5))
def test_where_the_solver_starts_changes_no_byte_but_its_steps(votes: list[Vote], logits) -> None:
    start = dict(zip(MODELS, logits, strict=True)) | {"stranger": 3.0}
    assert as_bytes(published(votes, start=start), iterations=False) == as_bytes(published(votes), iterations=False)


@settings(seeded, max_examples=30)
@given(vote_lists, vote_lists)
def test_the_last_solution_is_a_start_for_the_next(before: list[Vote], after: list[Vote]) -> None:
    state = folded([block(before), block(after, first=len(before))])
    _, start = make_board(folded([block(before)]), "overall")
    cold, warm = make_board(state, "overall"), make_board(state, "overall", start=start)
    assert as_bytes(cold[0], iterations=False) == as_bytes(warm[0], iterations=False)
    assert warm[1] == cold[1]
    assert warm[1].keys() == {line.model for line in warm[0].models}


@settings(seeded, max_examples=60)
@given(vote_lists, st.booleans())
def test_lines_are_in_the_order_of_rating_and_every_number_is_finite(votes: list[Vote], reweighted: bool) -> None:
    board = published(votes, reweighted=reweighted)
    assert [line.model for line in board.models] == [
        line.model for line in sorted(board.models, key=lambda line: (-line.rating, line.model))
    ]
    for line in board.models:
        assert np.isfinite([line.rating, line.elo]).all()
        assert line.lower is None or line.lower <= line.rating
        assert line.upper is None or line.rating <= line.upper
        assert line.provisional or None not in (line.lower, line.upper)
        assert (line.rank is None) == line.provisional == (line.reason is not None)
    assert board.solver.provisional == sum(line.provisional for line in board.models)
    assert msgspec.json.decode(as_bytes(board), type=Board) == board


@settings(seeded, max_examples=60)
@given(vote_lists)
def test_votes_and_battles_add_up(votes: list[Vote]) -> None:
    board = published(votes)
    assert board.battles == len(votes)
    assert board.votes == sum(each.winner != "none" for each in votes)
    assert sum(line.battles for line in board.models) == 2 * board.battles
    assert sum(line.votes for line in board.models) == 2 * board.votes


def test_the_fields_are_those_of_the_contract() -> None:
    board = msgspec.json.decode(as_bytes(published(ROUND)))
    assert list(board) == ["arena", "board", "votes", "battles", "as_of", "position", "solver", "models", "gauge"]
    assert list(board["position"]) == ["ledger", "watermark"]
    assert list(board["solver"]) == [
        *("components", "iterations", "gradient_norm", "provisional"),
        *("least_votes", "dispersion", "davidson_withheld"),
    ]
    assert list(board["models"][0]) == [
        *("model", "rank", "rating", "lower", "upper", "davidson", "elo", "votes", "battles", "provisional"),
        "quasi_variance",
    ]
    assert (board["arena"], board["board"], board["as_of"]) == ("text", "overall", 1.0)
    assert board["position"] == {"ledger": 1, "watermark": {"votes/0": 4}}


def test_a_position_may_be_given() -> None:
    assert published(ROUND, position=Position(None, {})).position == Position(None, {})


def test_the_watermark_is_in_order() -> None:
    state = folded([block(ROUND, partition=partition) for partition in (2, 0, 1)])
    assert list(make_board(state, "overall")[0].position.watermark) == ["votes/0", "votes/1", "votes/2"]


def test_a_provisional_model_stands_where_its_rating_puts_it_and_not_last() -> None:
    board = published([*ROUND, *[vote("undefeated", "x")] * 20, *[vote("x", "winless")] * 20])
    first, last = board.models[0], board.models[-1]
    assert (first.model, last.model) == ("undefeated", "winless")
    assert (first.rank, first.provisional, first.reason, first.davidson) == (None, True, "undefeated", None)
    assert (last.rank, last.provisional, last.reason) == (None, True, "winless")
    assert [line.rank for line in board.models[1:-1]] == [1, 1, 1]


def test_a_board_of_battles_without_votes_knows_nothing_and_says_so() -> None:
    board = published([vote("x", "y", "none")] * 3)
    assert (board.votes, board.battles) == (0, 3)
    assert [(line.model, line.reason, line.rating, line.votes, line.battles) for line in board.models] == [
        ("x", "no_votes", 1000.0, 0, 3),
        ("y", "no_votes", 1000.0, 0, 3),
    ]


def test_equal_ratings_are_in_the_order_of_names() -> None:
    board = published([vote("b", "a", "tie"), vote("c", "a", "tie"), vote("b", "c", "tie")])
    assert [line.model for line in board.models] == ["a", "b", "c"]


def test_what_is_declared_is_shown() -> None:
    state = folded([block(ROUND), notice("x", 0, provider="acme", license="open_source"), notice("nobody", 1)])
    board, _ = make_board(state, "overall")
    assert (line_of(board, "x").provider, line_of(board, "x").license) == ("acme", "open_source")
    assert (line_of(board, "y").provider, line_of(board, "y").license) == (None, None)
    assert len(board.models) == 3


def test_what_is_taken_off_the_registry_is_not_shown_any_more() -> None:
    state = folded([block(ROUND), notice("x", 0), Notice("text", "x", None, 0, 1, 0)])
    assert line_of(make_board(state, "overall")[0], "x").provider is None


def test_a_board_shows_its_own_models_only() -> None:
    state = folded([block([*ROUND, vote("p", "q", language="en")])])
    board, start = make_board(state, "language:en")
    assert {line.model for line in board.models} == start.keys() == {"p", "q"}
    assert board.board == "language:en"


def test_an_anchor_is_pinned_and_the_others_move_with_it() -> None:
    free, anchored = published(ROUND), published(ROUND, settings=RatingsSettings(anchors=("y",), anchor_rating=1_234.5))
    shift = 1_234.5 - line_of(free, "y").rating
    pinned = line_of(anchored, "y")
    assert pinned.lower == pinned.rating == pinned.upper == 1_234.5
    assert anchored.gauge == Gauge(["y"], 1_234.5, applied=True, unranked=[])
    for line in free.models:
        moved = line_of(anchored, line.model)
        assert moved.rating == pytest.approx(line.rating + shift)
        assert (moved.elo, moved.quasi_variance) == (line.elo, line.quasi_variance)


def test_the_mean_of_several_anchors_is_fixed() -> None:
    board = published(ROUND, settings=RatingsSettings(anchors=("x", "z"), anchor_rating=1_500.0))
    assert (line_of(board, "x").rating + line_of(board, "z").rating) / 2 == pytest.approx(1_500.0)
    assert line_of(board, "x").lower < line_of(board, "x").rating < line_of(board, "x").upper


@pytest.mark.parametrize("model", ["stranger", "undefeated"])
def test_an_anchor_that_is_not_ranked_moves_nobody_and_the_board_says_so(model: str) -> None:
    votes = [*ROUND, *[vote("undefeated", "x")] * 3]
    board = published(votes, settings=RatingsSettings(anchors=("x", model), anchor_rating=500.0))
    assert board.gauge == Gauge(["x", model], 500.0, applied=False, unranked=[model])
    assert msgspec.structs.replace(board, gauge=None) == published(votes)


def test_an_open_end_is_null() -> None:
    board = published([*ROUND, vote("undefeated", "x"), vote("x", "winless")])
    assert (line_of(board, "undefeated").upper, line_of(board, "winless").lower) == (None, None)
    assert line_of(board, "undefeated").lower < line_of(board, "undefeated").rating


def test_a_board_without_a_davidson_maximum_has_no_such_rating_and_says_why() -> None:
    chain = [vote("x", "y")] * 30 + [vote("x", "y", "tie")] * 20 + [vote("y", "z")] * 12 + [vote("z", "y", "tie")] * 9
    board = published(chain)
    assert [line.rank for line in board.models] == [1, 2, 3]
    assert [line.davidson for line in board.models] == [None, None, None]
    assert board.solver.davidson_withheld == "no_maximum"
    assert published([*chain, vote("y", "x")]).solver.davidson_withheld is None


def test_reweighting_changes_ratings_and_no_count() -> None:
    votes = [*ROUND * 20, *[vote("x", "y"), vote("x", "y"), vote("y", "x")] * 60]
    plain, weighted = published(votes), published(votes, reweighted=True)
    assert [line.rating for line in plain.models] != [line.rating for line in weighted.models]
    assert {line.model: (line.votes, line.battles, line.elo) for line in plain.models} == {
        line.model: (line.votes, line.battles, line.elo) for line in weighted.models
    }


def test_publishing_changes_no_state() -> None:
    state = folded([block(ROUND)])
    first = make_board(state, "overall")
    assert make_board(state, "overall") == first
    assert make_board(replace(state, unrated=5), "overall")[0] == first[0]
