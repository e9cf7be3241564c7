"""Columns of votes give the board of the stream's own fold, to the bit; columns without sense give an error."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from services.cli.rate import fold_source, solve_boards
from services.sources import open_source
from streams.ratings import RatingsSettings, rate, solve

NAMES = ("ash", "birch", "cedar", "dogwood", "elm")
OUTCOMES = ("model_a", "model_b", "tie", "both_bad", "none")


def frame(votes: int = 400) -> pl.DataFrame:
    random = np.random.default_rng(5)
    first = random.integers(0, len(NAMES), votes)
    second = (first + random.integers(1, len(NAMES), votes)) % len(NAMES)
    return pl.DataFrame(
        {
            "model_a": [NAMES[each] for each in first],
            "model_b": [NAMES[each] for each in second],
            "winner": [OUTCOMES[each] for each in random.integers(0, len(OUTCOMES), votes)],
        }
    )


def test_the_board_is_that_of_the_command_line(tmp_path: Path) -> None:
    votes = frame()
    votes.write_csv(tmp_path / "votes.csv")
    states, _, _ = fold_source(open_source(str(tmp_path / "votes.csv"), now=2e9))
    (state,) = states.values()
    of_file = solve_boards(state, {"elm": 1200.0}, 7, True, {"overall"})["overall"]
    settings = RatingsSettings(anchors=("elm",), anchor_rating=1200.0, least_votes=7)
    board = rate(votes["model_a"], votes["model_b"], votes["winner"], settings=settings, reweighted=True)
    assert board.models == of_file.models
    assert (board.votes, board.battles, board.gauge, board.solver) == (
        of_file.votes,
        of_file.battles,
        of_file.gauge,
        of_file.solver,
    )


def test_the_board_is_that_of_its_counts() -> None:
    votes = frame()
    wins, ties, both_bad = (np.zeros((len(NAMES),) * 2, int) for _ in range(3))
    for a, b, winner in votes.iter_rows():
        i, j = NAMES.index(a), NAMES.index(b)
        if winner in ("model_a", "model_b"):
            wins[(i, j) if winner == "model_a" else (j, i)] += 1
        elif winner != "none":
            (ties if winner == "tie" else both_bad)[i, j] += 1
    board = rate(*votes)
    solution = solve(wins, ties, both_bad)
    assert {line.model: line.rating for line in board.models} == dict(zip(NAMES, solution.rating, strict=True))


def test_two_spellings_of_one_name_are_one_model() -> None:
    board = rate(["caf\u00e9 ", "elm"], ["elm", "cafe\u0301"], ["model_a", "tie"])
    assert [(line.model, line.votes) for line in board.models] == [("caf\u00e9", 2), ("elm", 2)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([], [], []), "no vote"),
        ((["a"], ["b", "c"], ["tie"]), "unequal length: 1, 2 and 1"),
        ((["a"], ["b"], ["left"]), "winner 'left': use model_a"),
        ((["a"], ["b"], [None]), "winner 'None'"),
        ((["b", "a"], ["a", "a "], ["tie", "tie"]), "vote 1: 'a' meets itself"),
        ((["b", None], ["a", "a"], ["tie", "tie"]), "None is not the name of a model"),
        ((["b", float("nan")], ["a", "a"], ["tie", "tie"]), "nan is not the name of a model"),
        ((["b", " "], ["a", "a"], ["tie", "tie"]), "' ' is not the name of a model"),
        ((["b", "null"], ["a", "a"], ["tie", "tie"]), "'null' is not the name of a model"),
        (([7], ["a"], ["tie"]), "7 is not the name of a model"),
    ],
)
def test_columns_that_make_no_sense_are_an_error(columns: tuple[list[Any], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rate(*columns)


def test_a_frame_in_place_of_a_column_is_answered_with_how_to_take_columns() -> None:
    votes: Any = frame(20)
    for given in ((votes, "model_a", "model_b"), (votes, votes, votes), (["a"], ["b"], "tie")):
        with pytest.raises(ValueError, match=r"three columns are wanted, not (DataFrame|str): rate\(votes\["):
            rate(*given)
