"""The constants that a published board depends on, as literals: a change of one moves every rating or interval."""

import importlib
from typing import Any

import pytest

CONSTANTS: dict[str, dict[str, Any]] = {
    "davidson": {"FARTHEST": 40.0},
    "elo": {"K": 4.0, "START": 1000.0},
    "evidence": {"FEWEST": 5, "ENOUGH": 30},
    "features": {"NOTHING": 1e-12},
    "field": {"SURE": 100, "PRIOR": 1.0, "UNUSUAL": 0.25},
    "history": {"LATEST": 1_099_511_627_776.0},
    "leaderboard": {"CENTRE": 1000.0},
    "met": {"OUTCOMES": 5, "SHIFT": 3, "BLOCK": 8, "MASK": 7},
    "newton": {"LONGEST": 1.75, "CLOSE": 1e-7, "GRID": 16_384.0, "LIMIT": 100},
    "pairs": {"WIDE": 600.0, "FLOOR": 50.0},
    "provisional": {"PHANTOM": 0.25},
    "quasi_variances": {"STEPS": 50, "SOLVING": 100, "CLOSE": 1e-7, "SOLVED": 1e-16},
    "score_interval": {"PLACES": 64, "HALVINGS": 16, "STEPS": 4},
    "snapshot": {"VERSION": 4},
    "stage": {
        "SHOWN_SECONDS": 1.0,
        "SLOW_SECONDS": 0.25,
        "SLOW_ALONE_SECONDS": 2.0,
        "LARGE_MODELS": 400,
        "SLICE_BOARDS": 16,
        "SLICE_SECONDS": 1.0,
    },
    "style": {"ALIKE": 1e-9},
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_constants_of_a_board_are_these(name: str) -> None:
    module = importlib.import_module(f"streams.ratings.{name}")
    assert {constant: getattr(module, constant) for constant in CONSTANTS[name]} == CONSTANTS[name]


def test_four_hundred_points_are_odds_of_ten_to_one() -> None:
    from streams.ratings.pairs import POINTS_PER_LOGIT

    assert pytest.approx(173.7177927613, abs=1e-9) == POINTS_PER_LOGIT
