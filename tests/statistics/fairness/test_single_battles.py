"""Bets on single battles: false alarms no more often than the bound, and delays near those of the design.

The delays that docs/methods claims are means of 60 runs. Here six runs of each guard them: a mean of six is within
1.5 times the design's delay, as the mean of sixty was with room.
"""

import numpy as np
import pytest

from streams.contracts.alert import Kind, Severity
from streams.fairness.detectors.catalog import DETECTORS
from streams.fairness.detectors.side_bias import _COIN, BETS
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.cell_evidence import Cells
from tests.statistics.fairness.conditional_arena import (
    Arena,
    Attack,
    X,
    always_left,
    drift_left,
    no_language,
    weaker_half,
)


def test_fewer_fair_coins_reach_a_level_than_the_bound_allows() -> None:
    """P(M reaches c within T ticks) ≤ T/c: E M_t ≤ t, and M − t is a supermartingale."""
    runs, ticks, level = 4_000, 300, 3_000.0
    random = np.random.default_rng(12)
    cells = Cells.start(tuple(int(odds > 1) for odds in BETS), runs)
    left, right = _COIN[:, : len(BETS)]
    reached = np.zeros(runs, bool)
    for tick in range(ticks):
        lefts = random.binomial(6, 0.5, runs)[:, None]
        cells.gain[:, : len(BETS)] = lefts * left + (6 - lefts) * right
        cells.waiting[:] = 6
        cells.close(100 * (tick + 1), 0.0, 100)
        reached |= cells.log_e >= np.log(level)
    bound = ticks / level
    error = np.sqrt(bound * (1 - bound) / runs)
    assert 0 < reached.mean() <= bound + 3 * error


@pytest.fixture(scope="module")
def healthy() -> Arena:
    arena = Arena(100)
    arena.play(202_000)
    return arena


@pytest.mark.parametrize(
    ("kind", "attack", "design", "subject"),
    [
        (Kind.PAIRING_BIAS, weaker_half, 790, "model-00"),
        (Kind.SIDE_BIAS, always_left, 790, "model-00"),
        (Kind.STRATUM_REMOVAL, no_language, 2_600, "model-00"),
        (Kind.SIDE_PREFERENCE, drift_left, 1_050, None),
    ],
)
def test_an_attack_is_found_about_as_fast_as_designed(
    healthy: Arena, kind: Kind, attack: Attack, design: int, subject: str | None
) -> None:
    delays = [healthy.copy(seed).until_page(kind, attack, 10 * design, subject) for seed in range(6)]
    found = [delay for delay in delays if delay is not None]
    assert len(found) == 6
    assert np.mean(found) <= 1.5 * design


def test_battles_of_a_model_with_other_opponents_are_no_evidence_about_the_policy_as_a_whole() -> None:
    arena = Arena(100, FairnessSettings(draws="all"))
    arena.play(202_000)
    arena.play(3_000, weaker_half, block=500)
    assert arena.state.scene.facts.paired.nonzero()[0].tolist() == [arena.state.scene.facts.roster.models["model-00"]]
    whole = arena.state.states.of(next(each for each in DETECTORS if each.kind is Kind.WHOLE_POLICY))
    bet_on, known = whole.cells.trials[0], len(arena.records)
    arena.play(10_000, weaker_half)
    played = [record.rows for record in arena.records[known:]]
    without = sum(int(((rows.model_a != X) & (rows.model_b != X)).sum()) for rows in played)
    assert whole.cells.trials[0] - bet_on == without < 9_700
    pages = {(each.kind, each.subject.model) for each in arena.alerts if each.severity is Severity.CRITICAL}
    assert pages == {(Kind.PAIRING_BIAS, "model-00")}
