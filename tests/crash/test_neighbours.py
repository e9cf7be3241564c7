"""An honest arena while other clients exhaust each budget: the short form, without checks of timing."""

from pathlib import Path

import pytest

from tests.crash.neighbours import STOPPED, STRANGERS, Neighbours

pytestmark = pytest.mark.crash


def test_no_stranger_costs_an_honest_arena_a_vote_and_each_budget_is_used_up(tmp_path: Path) -> None:
    phases = Neighbours(tmp_path, seconds=4.0).run(tuple(STRANGERS))  # raises if the honest board lacks a vote
    told = {each.stranger: each for each in phases}
    assert set(told) == {"alone", *STRANGERS}
    assert all(each.acknowledged > 0 and each.p99 is not None for each in phases)
    assert 422 in told["arenas"].statuses, "further arenas are refused"
    assert 429 in told["refused items"].statuses
    assert set(told["declared models"].stopped) >= STOPPED
    assert not any("honest" in stop for each in phases for stop in each.stopped)
    assert max(each.memory["gateway"] for each in phases) < 512, "MiB, as the chart allows"
    assert max(each.memory["worker"] for each in phases) < 3_072
    assert max(each.memory["board"] for each in phases) < 512
