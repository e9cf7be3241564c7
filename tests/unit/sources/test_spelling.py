"""Cells become what the contract expects, and nothing is guessed."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.sources import spelling, times


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
    assert times.seconds(cell) == (pytest.approx(seconds, abs=1e-6) if isinstance(seconds, float) else seconds)


@pytest.mark.parametrize("odd", ["2024-08-14", "", "nan", None, True, 1723593600123, "x", [], 10**400])
def test_one_odd_time_leaves_the_others_of_its_column_alone(odd: Any) -> None:
    assert times.column([1.0, odd, "2.5"])[::2] == [1.0, 2.5]
    assert times.column([1.0, odd])[1] == times.seconds(odd)


def test_numbered_models_are_their_digits_and_names_stay_as_they_are() -> None:
    assert spelling.READERS["voter"]([97, 58.0, "007", "nan", " x ", "", None, float("nan"), True, 1.5]) == [
        *("97", "58", "007", "nan", " x "),
        *(None, None, None, True, 1.5),
    ]


def test_categories_are_a_list_a_json_text_or_names_with_bars() -> None:
    read = spelling.READERS["categories"]
    assert read([["a"], '["a", "b"]', "a|b", "a", "", None, float("nan"), "[broken"]) == [
        *(["a"], ["a", "b"], ["a", "b"], ["a"]),
        *(None, None, None, "[broken"),
    ]
