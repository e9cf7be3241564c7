"""Names beyond the followed ones: a model in many battles is found, and its count is never too large."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.alert import Kind
from streams.fairness.crowd import Crowd, seats
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import decode_state, encode_state
from streams.ledger.codec import Block
from tests.unit.fairness.arena import Ledger, equal_arena, make_rows
from tests.unit.fairness.test_fold import BRISK


@given(st.lists(st.sampled_from([f"n{number}" for number in range(12)]), max_size=200), st.integers(1, 6))
def test_counts_are_too_small_by_at_most_the_share_of_a_seat(names, seats: int) -> None:
    found, true = Crowd(), Counter(names)
    found.add(names, seats)
    assert len(found.counts) <= seats
    for name, count in true.items():
        assert count - len(names) / (seats + 1) <= found.counts.get(name, 0) <= count


def test_a_busy_name_is_found_in_a_flood_of_names_that_are_there_once() -> None:
    found = Crowd()
    found.add((f"invented-{number}" if number % 40 else "busy" for number in range(20_000)), 1_000)
    found.turn()
    assert 500 - 20 <= found.last["busy"] <= 500
    assert len(found.last) <= 1_000
    found.watch(["busy"])
    found.add([*(f"again-{number}" for number in range(20_000)), "busy"], 1_000)
    found.turn()
    assert found.last["busy"] == 1, "what is watched is counted exactly"


def test_a_flood_of_invented_names_blinds_nobody() -> None:
    """1,040 invented names once silenced undeclared_model for good."""
    ledger = Ledger(settings=BRISK, seed=5)
    for number in range(12):
        ledger.declare(f"model-{number:02}", 1.0)
    for number in range(40):  # more than are followed
        ledger.sample(f"invented-{number}", 0.02)
    ledger.battles(1_000)
    for number in range(40):
        ledger.sample(f"invented-{number}", 0.0)
    ledger.battles(1_000)
    ledger.sample("late", 0.5)
    ledger.battles(2_000)
    firing = {alert.subject.name for alert in ledger.state.firing if alert.kind is Kind.UNDECLARED_MODEL}
    assert firing == {"late"}
    again = decode_state(encode_state(ledger.state), BRISK)
    assert again.scene.facts.crowd == ledger.state.scene.facts.crowd
    ledger.sample("late", 0.0)
    ledger.battles(2_000)
    assert not [alert for alert in ledger.state.firing if alert.kind is Kind.UNDECLARED_MODEL]


def test_a_flood_of_busy_names_is_no_flood_of_alerts_and_who_stands_goes_on_standing() -> None:
    ledger = Ledger(settings=BRISK, seed=6)
    for number in range(12):
        ledger.declare(f"model-{number:02}", 1.0)
    for number in range(3):  # all that are followed
        ledger.sample(f"first-{number}", 0.2)
    ledger.battles(1_000)
    for number in range(80):
        ledger.sample(f"invented-{number:02}", 0.05)
    ledger.battles(2_000)

    def standing():
        return {alert.subject.name for alert in ledger.state.firing if alert.subject.name.startswith("invented")}

    before = standing()
    assert 0 < len(before) <= 50
    ledger.battles(1_000)
    assert len(standing() & before) >= len(before) - 2, "those that stand are counted exactly, and stand first"


def test_seats_follow_the_bound_of_the_rule() -> None:
    assert (seats(10_000, 30), seats(1_000_000, 30), seats(100, 1)) == (1_000, 100_000, 300)


def flood(ledger: Ledger, battles: int, first: int = 0) -> None:
    """Battles between invented names, each name in one."""
    names = [f"invented-{first + number}" for number in range(2 * battles)]
    pairs = np.arange(2 * battles).reshape(-1, 2)
    rows = make_rows(names, pairs, np.zeros(battles), ledger.clock + np.arange(battles) / 100, ledger.rows)
    ledger.rows += battles
    ledger.send(Block(ledger.arena, rows, {0: ledger.rows - 1}))


def test_a_real_undeclared_model_is_found_during_and_after_a_flood() -> None:
    ledger = equal_arena(20, seed=4, block=1_000)
    ledger.battles(10_000)
    flood(ledger, 520)
    ledger.sample("stranger", 1.0)
    for turn in range(20):
        ledger.battles(1_000)
        flood(ledger, 50, 10_000 * (1 + turn))
    assert "stranger" in {alert.subject.name for alert in ledger.firing(Kind.UNDECLARED_MODEL)}
    assert [alert.kind for alert in ledger.firing(Kind.NAME_FLOOD)] == [Kind.NAME_FLOOD]
    ledger.battles(20_000)
    assert "stranger" in {alert.subject.name for alert in ledger.firing(Kind.UNDECLARED_MODEL)}
    assert ledger.firing(Kind.NAME_FLOOD) == []


def test_a_flood_is_counted_and_its_voters_are_named() -> None:
    ledger = equal_arena(20, seed=4, block=1_000)
    ledger.battles(15_000)
    flood(ledger, 500)
    ledger.battles(4_500)
    [alert] = ledger.firing(Kind.NAME_FLOOD)
    assert alert.evidence["names"] == pytest.approx(1_000, rel=0.02)
    assert alert.evidence["battles"] == 500
    assert alert.summary.endswith("who voted on them is not known.")


def test_names_not_seen_for_a_window_make_room() -> None:
    settings = FairnessSettings(review_battles=1_000, window_reviews=2, max_undeclared=100)
    ledger = Ledger(settings=settings, block=500)  # no registry
    for number in range(4):
        ledger.sample(f"model-{number}", 1.0)
    ledger.battles(1_000)
    flood(ledger, 100)
    ledger.sample("late", 1.0)
    ledger.battles(900)
    assert "late" not in ledger.state.scene.facts.roster.models
    ledger.battles(3_000)
    assert ledger.state.scene.facts.roster.followed == 5
    assert ledger.state.scene.facts.window.recent[ledger.state.scene.facts.roster.models["late"]] > 300
    for turn in range(9):
        flood(ledger, 100, 1_000 * turn)
        ledger.battles(3_000)
    assert len(ledger.state.scene.facts.roster) <= 4 * settings.max_undeclared
