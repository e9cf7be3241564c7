"""The constants of intake that an operator notices, as literals: how long votes wait, how much is read again."""

import importlib
from typing import Any

import pytest

from streams.contracts.unpack import MOST_BYTES

CONSTANTS: dict[str, dict[str, Any]] = {
    "dedup": {"_START": 1_024, "_FULL": 0.7},
    "merge_by_time": {"LONGEST_HOLD": 5.0},
    "proof": {"WINDOW": 500, "NEAR": 10_000, "KEPT": 16},
    "reject_limit": {"LEAST": 0.05},
    "stage": {
        "COMMIT_SECONDS": 0.5,
        "WHOLE_BYTES": MOST_BYTES // 2,
        "CUT_BYTES": 524_288,
        "SEEN_SECONDS": 20.0,
        "LOOK_SECONDS": 2.0,
        "TURNS_TO_SEND": 8,
    },
    "take_over": {"PROOF_MARGIN": 3, "TELL_SECONDS": 10.0},
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_constants_of_intake_are_these(name: str) -> None:
    module = importlib.import_module(f"streams.intake.{name}")
    assert {constant: getattr(module, constant) for constant in CONSTANTS[name]} == CONSTANTS[name]
