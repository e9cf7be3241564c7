"""The short form of the planted-defect table is what this tree makes; every scenario has an expectation."""

from pathlib import Path

import pytest

from services.simulate import shipped
from streams.contracts.alert import Severity
from tests.planted import short
from tests.planted.__main__ import SHORT
from tests.planted.expected import ELSEWHERE, EVERY, found
from tests.planted.page import part, replaced, verdict
from tests.planted.play import Fired, Run, play

PAGE = Path(__file__).parents[2] / "docs" / "methods" / "planted.md"


@pytest.mark.statistics
def test_the_short_form_is_that_of_the_page() -> None:
    """`python -m tests.planted --short --write docs/methods/planted.md` writes it anew."""
    assert short.lines(lambda name: None) == part(PAGE.read_text("utf-8"), SHORT).splitlines()


def test_something_is_expected_of_every_scenario() -> None:
    assert sorted([*EVERY, *ELSEWHERE]) == shipped()


def fired(kind: str, after: float = 100.0, severity: Severity = Severity.CRITICAL) -> Fired:
    return Fired(kind, "model x", severity, after, after)


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ([fired("a")], "ok"),
        ([fired("b"), fired("c")], "ok"),
        ([], "a or b not found"),
        ([fired("a", 151)], "late"),
        ([fired("a"), fired("b")], "more than one alert"),
        ([fired("a"), fired("d")], "something else told"),
        ([fired("d")], "a or b not found; something else told"),
    ],
)
def test_a_verdict_says_what_is_wrong(alerts: list[Fired], said: str) -> None:
    assert verdict(found("a|b", may="c", aim=100), [Run(1_000, alerts)]) == said


def test_of_several_runs_it_says_in_how_many_nothing_was_found() -> None:
    runs = [Run(1_000, [fired("a", 80)]), Run(1_000, []), Run(1_000, [fired("a", 90)])]
    assert verdict(found("a"), runs) == "a not found in 1 of 3"


def test_a_delay_is_counted_from_what_was_done_to_the_model() -> None:
    run = play("silent-removal", 1, 12_000, earlier=90_000)
    (removal,) = [each for each in run.fired if each.kind == "silent_removal"]
    assert (removal.subject, removal.severity) == ("model model-07", Severity.CRITICAL)
    assert removal.after == removal.paged
    assert 200 <= removal.after <= 1_200


def test_only_the_part_between_its_marks_is_replaced() -> None:
    page = PAGE.read_text("utf-8")
    changed = replaced(page, SHORT, ["| new |"])
    assert part(changed, SHORT) == "| new |"
    assert part(changed, "table") == part(page, "table")
    assert changed.split("## The short form")[0] == page.split("## The short form")[0]
