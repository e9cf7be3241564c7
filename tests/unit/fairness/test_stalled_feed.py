"""A stalled feed: what comes while it lasts says nothing of what is usual, so nobody learns from it."""

from typing import Any

import numpy as np
import pytest

from streams.contracts.alert import Kind
from streams.fairness.detectors.catalog import DETECTORS
from streams.fairness.detectors.whole_policy import SPREAD
from streams.fairness.settings import FairnessSettings
from tests.unit.fairness.arena import Ledger, equal_arena

SETTINGS = FairnessSettings(draws="all", review_battles=2_000, ratings_reviews=1, window_reviews=2)


def state_of(ledger: Ledger, kind: Kind) -> Any:
    return ledger.state.states.of(next(each for each in DETECTORS if each.kind is kind))


@pytest.fixture
def stalled() -> Ledger:
    """Three in four models stop after 20,000 battles, and the feed is told as stalled."""
    ledger = equal_arena(20, settings=SETTINGS)
    ledger.battles(20_000)
    for number in range(15):
        ledger.sample(f"model-{number:03}", 0.0)
    ledger.battles(500)
    assert ledger.state.scene.facts.outage
    return ledger


def test_the_usual_side_is_learned_from_votes_before_and_after(stalled: Ledger) -> None:
    preference = state_of(stalled, Kind.SIDE_PREFERENCE)
    known = preference.decisive
    assert known > 5_000
    stalled.battles(5_000)
    assert preference.decisive == known
    for number in range(15):
        stalled.sample(f"model-{number:03}", 1.0)
    stalled.battles(5_000)
    assert preference.decisive > known + 3_000


def test_the_expected_results_stay_those_of_the_last_look_before(stalled: Ledger) -> None:
    results = state_of(stalled, Kind.RESULT_BREAK)
    known = [getattr(results, name).copy() for name in ("theta", "shift", "sure")]
    assert results.rated.sum() == 20
    stalled.strength[-5:] = [1.0, 0.5, 0.0, -0.5, -1.0]
    stalled.battles(6_000)
    np.testing.assert_array_equal([getattr(results, name) for name in ("theta", "shift", "sure")], known)


def test_the_policy_as_a_whole_is_not_expected_to_stay_without_the_models_that_stopped(stalled: Ledger) -> None:
    learned = state_of(stalled, Kind.WHOLE_POLICY)
    known = learned.hits.copy(), learned.due.copy()
    stalled.battles(10_000)
    np.testing.assert_array_equal((learned.hits, learned.due), known)
    prior = SPREAD**-2
    assert np.abs((prior + learned.hits) / (prior + learned.due) - 1.0).max() < 0.3


def test_battles_without_a_vote_in_a_feed_of_zeros_are_not_usual() -> None:
    ledger = equal_arena(20, settings=SETTINGS)
    ledger.battles(20_000, none=0.1)
    ledger.battles(6_000, zeros=True)
    assert ledger.state.scene.facts.outage
    ledger.battles(20_000, none=0.1)
    losses = state_of(ledger, Kind.VOTE_LOSS)
    assert (int(losses.by_arena.units[0]), float(losses.by_arena.trials[0])) == (20, 40_000.0)
    assert float(losses.by_arena.usual[0]) == pytest.approx(0.1, abs=0.006)
    assert ledger.told(Kind.VOTE_LOSS) == []
