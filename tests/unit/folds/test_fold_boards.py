"""Which boards a vote counts on."""

import numpy as np

from streams.ledger.codec import Block
from streams.ledger.rows import Rows
from streams.ratings.fold import ArenaState
from tests.unit.folds.making import block, counts, folded, vote


def battles(state: ArenaState) -> dict[str, int]:
    return {name: board.battles for name, board in state.boards.items()}


def test_a_vote_counts_overall_on_its_language_and_on_each_category() -> None:
    state = folded([block([vote("x", "y", language="en", categories=["code", "math"]), vote("x", "y", language="fr")])])
    assert battles(state) == {"overall": 2, "language:en": 1, "language:fr": 1, "category:code": 1, "category:math": 1}


def test_an_empty_language_has_no_board() -> None:
    assert battles(folded([block([vote("x", "y", language="")])])) == {"overall": 1}
    assert battles(folded([block([vote("x", "y", language=""), vote("x", "y", language="en")])])) == {
        "overall": 2,
        "language:en": 1,
    }


def test_an_empty_category_has_no_board() -> None:
    assert battles(folded([block([vote("x", "y", categories=["", "code"])])])) == {"overall": 1, "category:code": 1}


def test_a_category_named_twice_counts_once() -> None:
    state = folded([block([vote("x", "y", categories=["code", "code", "math"]), vote("x", "y", categories=["code"])])])
    assert battles(state) == {"overall": 2, "category:code": 2, "category:math": 1}


def test_a_category_in_different_company_is_one_board() -> None:
    votes = [vote("x", "y", categories=sets) for sets in (["b", "a"], ["a"], ["c", "a"], ["b"])]
    assert battles(folded([block(votes)])) == {"overall": 4, "category:a": 3, "category:b": 2, "category:c": 1}


def test_a_category_plays_its_games_in_the_order_of_the_ledger() -> None:
    sets = [["a"], ["a", "b"], ["a"], ["a", "b"], ["b"]]
    shown = [("x", "y"), ("y", "z"), ("z", "x"), ("z", "y"), ("x", "z")]
    games = [vote(*pair, categories=each) for pair, each in zip(shown, sets, strict=True)]
    together = folded([block(games)])
    alone = folded([block([game for game in games if "a" in (game.categories or ())])])
    assert together.boards["category:a"].elo.tobytes() == alone.boards["overall"].elo.tobytes()


def test_a_board_is_a_function_of_its_own_votes() -> None:
    german = [vote("y", "x", language="de"), vote("z", "y", language="de")]
    mixed = folded([block([vote("x", "z"), german[0], vote("w", "x", language="fr"), german[1]])])
    alone = folded([block(german)])
    of_board = [
        {key[1:]: number for key, number in counts(state).items() if key[0] == "language:de"}
        for state in (mixed, alone)
    ]
    assert of_board[0] == of_board[1]
    assert mixed.boards["language:de"].elo.tobytes() == alone.boards["language:de"].elo.tobytes()


def test_words_that_no_row_uses_make_no_board_and_no_model() -> None:
    rows = block([vote("x", "y", language="en", categories=["code"]), vote("p", "q")]).rows
    state = folded([Block("text", rows.take(np.array([False, True])), {0: 1})])
    assert battles(state) == {"overall": 1}
    assert list(state.models) == ["p", "q"]


def test_a_block_without_rows_makes_nothing() -> None:
    rows: Rows = block([vote("x", "y")]).rows.take(slice(0, 0))
    state = folded([Block("text", rows, {0: 7})])
    assert (state.boards, state.models, state.watermark) == ({}, {}, {"votes/0": 7})
