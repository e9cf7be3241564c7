"""The short form of `make fuzz`: every parser meets some inputs in each run of the tests."""

import pytest

from tests.fuzz.__main__ import SLOW_SECONDS, run
from tests.fuzz.targets import TARGETS

INPUTS = 1_500


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_raises_and_some_are_taken(name: str) -> None:
    found = run(name, 7, INPUTS)
    raised = [(value, why) for value, why in found.bad if not why.startswith("took ")]
    assert not raised, raised[0]
    assert 0 < found.taken < INPUTS, "inputs on both sides of the border"
    assert SLOW_SECONDS == 0.5
