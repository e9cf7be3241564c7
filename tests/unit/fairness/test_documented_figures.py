"""Figures in the pages of methods are those of the code."""

from pathlib import Path

import pytest

from streams.fairness.detectors import share_drift, silent_removal

METHODS = Path(__file__).parents[3] / "docs" / "methods"


@pytest.mark.parametrize(
    ("page", "figures"),
    [
        (
            "share_drift",
            [f"{share_drift.BACK:g} π", f"π/{share_drift.BACK:g}"],
        ),
        ("share_drift", ["{" + ", ".join(f"{bet:g}" for bet in share_drift.BETS) + "}"]),
        ("silent_removal", ["{" + ", ".join(f"{bet:g}" for bet in silent_removal.BETS) + "}"]),
    ],
)
def test_a_page_has_the_figures_of_its_detector(page: str, figures: list[str]) -> None:
    text = " ".join((METHODS / f"{page}.md").read_text("utf-8").split())
    assert [each for each in figures if each not in text] == []
