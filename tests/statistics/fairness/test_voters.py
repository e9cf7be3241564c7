"""Voters as statistics: who is found after how many votes, and that honest voters are not."""

import sys
from typing import Any

import numpy as np
import pytest

from streams.contracts.alert import Kind
from streams.fairness.detectors.voter_manipulation import BETS, TASTE
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.learned_share import LearnedShare
from streams.fairness.statistics.sparse_cusum import SparseCusum
from tests.unit.fairness.voters import VoterArena

KINDS = {Kind.VOTER_MANIPULATION, Kind.REPEATED_VOTES, Kind.VOTE_LOSS}
OFTEN = FairnessSettings(false_pages="one in 1,000 battles", review_battles=1_000, ratings_reviews=20)
"""A promise that a test can break: 1,000 false pages in a million battles, 18 nats less than the default."""


@pytest.mark.statistics
def test_false_alarms_are_fewer_than_trials_over_the_level_however_many_voters_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    random, level, n = np.random.default_rng(1), 300.0, 3_000_000
    bound = random.uniform(0.3, 0.8, n)
    hit = random.random(n) < bound  # at the edge of what is honest
    for keys in (100, 10_000, 1_000_000):
        key = random.integers(1, keys + 1, n).astype(np.uint64)
        alarms = len(SparseCusum.start(3).update(key, bound, hit, BETS, np.zeros(n), np.log(level)))
        with capsys.disabled():
            print(f"\n  {keys:,} voters: {alarms:,} false alarms, promised {n / level:,.0f}", file=sys.stderr)
        assert alarms + 4 * np.sqrt(alarms) < n / level


@pytest.mark.statistics
@pytest.mark.parametrize(
    "honest",
    [
        {"session": 1, "tastes": 0.0},
        {"session": 8, "tastes": 0.0},
        {"session": 4, "tastes": 0.5},
        {"session": 4, "tastes": 1.0, "voters": 300},
    ],
)
def test_honest_voters_with_tastes_and_sessions_are_hardly_ever_told(honest: dict[str, Any]) -> None:
    arena = VoterArena(seed=3, settings=OFTEN, models=30, block=5_000, **{"voters": 5_000, **honest})
    arena.battles(60_000, resend=0.01)
    told = {alert.fingerprint for alert in arena.alerts if alert.kind in KINDS}
    # Promised: 60 for each kind. A taste of one logit is beyond the band at its tail, and still found seldom.
    assert len(told) <= 6


@pytest.mark.statistics
def test_a_voter_is_found_after_some_forty_votes_on_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    level, runs = np.log(4 * 36_500_000.0), 500
    random = np.random.default_rng(2)
    gap = random.normal(0.0, 0.7, (runs, 400)) + TASTE + 0.12  # 3 standard errors of two ratings at 200,000 battles
    bound = 1 / (1 + np.exp(-gap))
    delays = []
    for run in range(runs):
        table = SparseCusum.start(3)
        alarms = table.update(np.ones(400, np.uint64), bound[run], np.ones(400, bool), BETS, np.zeros(400), level)
        delays.append(alarms[0].place + 1)
    error = np.std(delays) / np.sqrt(runs)
    with capsys.disabled():
        print(f"\n  votes of a voter until it is found: {np.mean(delays):.1f} ± {error:.1f}", file=sys.stderr)
    assert np.mean(delays) < 1.5 * 42


@pytest.mark.statistics
@pytest.mark.parametrize(("share", "burst"), [(0.2, 0.0), (0.001, 0.0), (0.001, 0.15)])
def test_a_learned_share_that_does_not_rise_alarms_less_often_than_promised(share: float, burst: float) -> None:
    random, subjects, units, level = np.random.default_rng(4), 200, 400, 50.0
    found, began = LearnedShare(), 0
    found.resize(subjects)
    for unit in range(units):
        n = random.poisson(400, subjects).astype(np.float64)
        k = random.binomial(n.astype(np.int64), share).astype(np.float64)
        if random.random() < burst:  # a provider's outage: everybody's votes are refused for a minute
            k = np.minimum(k + random.poisson(10, subjects), n)
        before = found.alarmed.copy()
        found.update(k, n, 0.2, np.log(level * subjects), 1.0, unit, float(unit))
        began += int(np.count_nonzero(found.alarmed & ~before))
    assert found.learned.all()
    assert began <= 2 * units / level, "one in 50 units, of all subjects together"


@pytest.mark.statistics
def test_a_share_that_doubles_is_found_within_a_few_reviews() -> None:
    random, delays = np.random.default_rng(5), []
    for _ in range(100):
        found = LearnedShare()
        found.resize(1)
        for unit in range(60):
            share = 0.2 if unit < 30 else 0.4
            k = np.array([float(random.binomial(400, share))])
            found.update(k, np.full(1, 400.0), 0.2, np.log(3.65e5 * 130), 100.0, unit, 0.0)
            if found.alarmed[0]:
                delays.append(unit - 29)
                break
    assert min(delays) >= 1
    assert len(delays) == 100
    assert np.mean(delays) < 3
