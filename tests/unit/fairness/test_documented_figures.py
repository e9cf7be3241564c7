"""Figures in the pages of methods are those of the code, and their worked alerts those of the simulator."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from services.simulate import load_scenario, simulate
from streams.contracts.alert import Alert, Kind, Status
from streams.fairness.detectors import share_drift, silent_removal
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics import odds_bets

METHODS = Path(__file__).parents[3] / "docs" / "methods"


@pytest.mark.parametrize(
    ("page", "figures"),
    [
        (
            "share_drift",
            [f"{share_drift.BACK:g} π", f"π/{share_drift.BACK:g}"],
        ),
        ("share_drift", ["{" + ", ".join(f"{bet:g}" for bet in odds_bets.BETS) + "}"]),
        ("silent_removal", ["{" + ", ".join(f"{bet:g}" for bet in odds_bets.BETS if bet <= silent_removal.MOST) + "}"]),
    ],
)
def test_a_page_has_the_figures_of_its_detector(page: str, figures: list[str]) -> None:
    text = " ".join((METHODS / f"{page}.md").read_text("utf-8").split())
    assert [each for each in figures if each not in text] == []


@dataclass
class Worked:
    """The worked alert of a page: what makes it, its sentence, and its numbers as they are written."""

    scenario: str
    seed: int
    battles: int
    sentence: str
    numbers: dict[str, str] = field(default_factory=dict)


@cache
def worked(kind: Kind) -> Worked:
    text = (METHODS / f"{kind.value}.md").read_text("utf-8")
    section = text.split("\n## A worked alert\n")[1].split("\n## ")[0]
    made = re.escape(f"trial/{kind.value}")
    command = re.search(rf"^isonomy simulate (\S+) --seed (\d+) --battles (\d+) --out {made}$", section, re.MULTILINE)
    assert command is not None
    sentence = " ".join(re.findall(r"^> (.+)$", section, re.MULTILINE))
    numbers = {name: value or "" for name, value in re.findall(r"^- `(\w+)`(?: ([^:]+))?:", section, re.MULTILINE)}
    return Worked(command[1], int(command[2]), int(command[3]), sentence, numbers)


@cache
def alerts_of(scenario: str, seed: int, battles: int) -> list[Alert]:
    simulation = simulate(load_scenario(scenario), seed, battles)
    arena = ArenaFairness.start(simulation.world.arena, FairnessSettings())
    return [alert for record in simulation for alert in fold(arena, record)]


@pytest.mark.parametrize("kind", Kind)
def test_the_worked_alert_of_a_page_is_the_last_that_its_command_makes(kind: Kind) -> None:
    page = worked(kind)
    found = [alert for alert in alerts_of(page.scenario, page.seed, page.battles) if alert.kind is kind]
    assert found, "the command makes no such alert"
    assert (found[-1].status, found[-1].summary) == (Status.FIRING, page.sentence)
    shown = {
        name: "" if isinstance(value, list) else f"{value:,}" if isinstance(value, int) else str(value)
        for name, value in found[-1].evidence.items()
    }
    assert page.numbers == shown, "each number is explained, and no other"


def test_the_words_on_the_worked_removal_have_its_numbers() -> None:
    page = worked(Kind.SILENT_REMOVAL)
    alert = next(
        alert for alert in alerts_of(page.scenario, page.seed, page.battles) if alert.kind is Kind.SILENT_REMOVAL
    )
    words = " ".join((METHODS / "silent_removal.md").read_text("utf-8").split())
    assert f"{alert.evidence['expected_appearances']:.0f} appearances were due and none came" in words
    assert f"The alert fired {alert.evidence['battles']} battles, or ten minutes, after the removal" in words
    assert alert.detected_at - alert.starts_at == pytest.approx(600, abs=30)
