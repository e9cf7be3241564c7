"""Times as files write them: with names of months, in every order and with every clock."""

from datetime import UTC, datetime
from itertools import product

import pytest

from services.sources.times import seconds

DATES = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y")
CLOCKS = ("", *(comma + clock for comma in ("", ",") for clock in (" %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")))
MOMENTS = [datetime(2024, month, 1 + 2 * month, 2 * month - 1, 7, 9) for month in range(1, 13)]


@pytest.mark.parametrize(("day", "clock"), [*product(DATES, CLOCKS)])
def test_dates_with_names_of_months_are_read_as_they_are_written(day: str, clock: str) -> None:
    for moment in MOMENTS:
        shown = moment.strftime(day + clock)
        expected = datetime.strptime(shown, day + clock).replace(tzinfo=UTC).timestamp()
        for text in (shown, shown.upper(), shown.lower(), f"{shown} UTC", f" {shown} "):
            assert seconds(text) == expected, text


@pytest.mark.parametrize("text", ["Sep 5, 2024", "Sept 5, 2024", "Sep. 5, 2024", "5 Sept. 2024", "September 5 2024"])
def test_september_has_four_short_forms(text: str) -> None:
    assert seconds(text) == datetime(2024, 9, 5, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    ["Foo 18, 2026", "Feb 30, 2024", "May 1, 2024 13:00 PM", "May 1, 2024 0:00 am", "May 1, 2024 24:00", "May 2024"],
)
def test_what_is_no_date_comes_back_as_it_is(text: str) -> None:
    assert seconds(text) == text
