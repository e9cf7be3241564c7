"""Healthy arenas with several votes a draw and with late votes raise no more pages than promised."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity
from streams.fairness.settings import FairnessSettings
from streams.ledger.rows import Rows
from tests.unit.fairness.arena import Ledger, equal_arena
from tests.unit.fairness.drawn import By, Draws

EXPOSURE = {Kind.SHARE_DRIFT, Kind.SILENT_REMOVAL, Kind.FEED_STALLED}


def unequal_arena(seed: int, models: int = 60, **given: Any) -> Ledger:
    """Models of unequal weights, 12 providers, two licence classes."""
    ledger = Ledger(seed=seed, block=10_000, settings=FairnessSettings(**given))
    for number in range(models):
        weight = float(ledger.random.choice([0.5, 1, 2, 4]))
        license_ = ["proprietary", "open_weight"][number % 2]
        ledger.declare(f"model-{number:02}", weight, provider=f"lab-{number % 12}", license=license_)
    return ledger


def pages(ledger: Ledger) -> set[str]:
    return {alert.id for alert in ledger.alerts if alert.kind in EXPOSURE and alert.severity is Severity.CRITICAL}


@pytest.mark.statistics
@pytest.mark.parametrize("by", ["battle", "voter", "neither"])
@pytest.mark.parametrize("votes", [(1, 2), (3,)])
def test_several_votes_on_a_draw_page_no_more_than_promised(votes: tuple[int, ...], by: By) -> None:
    ledger = unequal_arena(1, false_pages="one in 20,000 battles")
    draws = Draws(ledger, votes=votes, by=by)
    for _ in range(10):
        draws.play(10_000)
    assert len(pages(ledger)) <= ledger.state.scene.facts.rows / 20_000


@pytest.mark.statistics
@pytest.mark.parametrize("models", [3, 5, 10, 20])
@pytest.mark.parametrize("votes", [(1, 2), (3,)])
def test_nor_in_an_arena_of_few_models_that_sends_neither_id(models: int, votes: tuple[int, ...]) -> None:
    # Before the order of the sides was used, three votes a draw made 102 pages here with ten models.
    ledger = unequal_arena(1, models, false_pages="one in 20,000 battles")
    draws = Draws(ledger, votes=votes, by="neither")
    for _ in range(6):
        draws.play(10_000)
    found = {alert.id for alert in ledger.alerts if alert.severity is Severity.CRITICAL}
    assert len(found) <= ledger.state.scene.facts.rows / 20_000


@pytest.mark.statistics
def test_one_vote_a_draw_in_an_arena_of_ten_models_costs_no_delay_for_long() -> None:
    ledger = equal_arena(10, seed=2, block=10_000)
    draws = Draws(ledger, by="neither")
    for _ in range(10):
        draws.play(10_000)
    ledger.sample("model-003", 0.5)
    until = ledger.rows + 5_000
    while not ledger.told(Kind.SHARE_DRIFT) and ledger.rows < until:
        draws.play(250)
    assert ledger.told(Kind.SHARE_DRIFT)[0].subject.model == "model-003"


@pytest.mark.statistics
def test_counted_as_draws_three_votes_page_all_the_time() -> None:
    # The control: a new id for every vote.
    ledger = unequal_arena(1, false_pages="one in 20,000 battles")
    draws = OneIdForAVote(ledger, votes=(3,), by="battle")
    for _ in range(5):
        draws.play(10_000)
    assert len(pages(ledger)) > 3 * ledger.state.scene.facts.rows / 20_000


class OneIdForAVote(Draws):
    """The votes, each with a draw of its own."""

    def rows(self, part: NDArray[np.float64], offset: int) -> Rows:
        made = part.copy()
        made[:, 3] = range(offset, offset + len(part))
        return super().rows(made, offset)


@pytest.mark.statistics
@pytest.mark.parametrize(("lag", "drawn_at"), [(30.0, False), (300.0, False), (300.0, True), (3_600.0, True)])
def test_a_launch_and_its_return_while_votes_are_late_page_nobody(lag: float, drawn_at: bool) -> None:
    ledger = unequal_arena(2)
    draws = Draws(ledger, lag=lag, drawn_at=drawn_at)
    weight = 0.042 * float(ledger.weights.sum())
    for turn in range(10):
        draws.play(12_000)
        launched = turn % 2 == 0
        ledger.declare("new", weight if launched else 0.0, status="active" if launched else "retired")
    assert pages(ledger) == set()
