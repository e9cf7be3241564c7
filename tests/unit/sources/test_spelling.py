"""Cells become what the contract expects, and nothing is guessed."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.sources import spelling


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ("model_a", "model_a"),
        ("A", "model_a"),
        ("left", "model_a"),
        ("model_1", "model_a"),
        (" B ", "model_b"),
        ("right", "model_b"),
        ("model_y", "model_b"),
        ("Tie", "tie"),
        ("tie (bothbad)", "both_bad"),
        ("bothbad", "both_bad"),
        ("none", "none"),
        ("", None),
        ("draw", "draw"),
        ("win", "win"),
        (1, "1"),
        ([1], [1]),
    ],
)
def test_winner_is_translated_when_it_is_documented(cell: Any, word: Any) -> None:
    assert spelling.winner(cell) == word
    assert spelling.READERS["winner"]([cell, "tie"]) == [word, "tie"]


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        (1723593600, 1723593600),
        (1723593600.5, 1723593600.5),
        ("1723593600", 1723593600.0),
        (1723593600123, 1723593600.123),
        ("1723593600123", 1723593600.123),
        (1723593600123456, 1723593600.123456),
        (1723593600123456789, 1723593600.1234567),
        ("2024-08-14T00:00:00Z", 1723593600.0),
        ("2024-08-14 02:00:00+02:00", 1723593600.0),
        ("2024-08-14", 1723593600.0),
        (datetime(2024, 8, 14, tzinfo=UTC), 1723593600.0),
        (datetime(2024, 8, 14), 1723593600.0),
        (date(2024, 8, 14), 1723593600.0),
        ("nan", None),
        (float("nan"), None),
        ("", None),
        (None, None),
        ("yesterday", "yesterday"),
        (True, True),
    ],
)
def test_times_are_read_in_any_documented_form(cell: Any, seconds: Any) -> None:
    assert spelling.seconds(cell) == (pytest.approx(seconds, abs=1e-6) if isinstance(seconds, float) else seconds)


@pytest.mark.parametrize("odd", ["2024-08-14", "", "nan", None, True, 1723593600123, "x", [], 10**400])
def test_one_odd_time_leaves_the_others_of_its_column_alone(odd: Any) -> None:
    assert spelling.READERS["tstamp"]([1.0, odd, "2.5"])[::2] == [1.0, 2.5]
    assert spelling.READERS["tstamp"]([1.0, odd])[1] == spelling.seconds(odd)


def test_numbered_models_are_their_digits_and_names_stay_as_they_are() -> None:
    assert spelling.READERS["model_a"]([97, 58.0, "007", "nan", " x ", "", None, float("nan"), True, 1.5]) == [
        *("97", "58", "007", "nan", " x "),
        *(None, None, None, True, 1.5),
    ]


def test_categories_are_a_list_a_json_text_or_names_with_bars() -> None:
    read = spelling.READERS["categories"]
    assert read([["a"], '["a", "b"]', "a|b", "a", "", None, float("nan"), "[broken"]) == [
        *(["a"], ["a", "b"], ["a", "b"], ["a"]),
        *(None, None, None, "[broken"),
    ]


def test_three_columns_say_one_winner_or_none() -> None:
    assert spelling.one_hot(["1", 0, 0, "1", "x", []], [0, 1.0, False, "1", 0, 0], [0, 0, True, 0, 0, 0]) == [
        *("model_a", "model_b", "tie"),
        *(None, None, None),
    ]
