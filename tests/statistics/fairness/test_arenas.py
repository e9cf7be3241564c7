"""Whole arenas, through the fold: alerts name all removed models and no others; policy changes raise none."""

import sys

import numpy as np
import pytest

from streams.contracts.alert import Kind, Severity
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.expected_share import exposure
from tests.unit.fairness.arena import Ledger, equal_arena

EXPOSURE = {Kind.SHARE_DRIFT, Kind.SILENT_REMOVAL, Kind.FEED_STALLED}
SECONDS = 0.864


def pages(ledger: Ledger) -> set[str]:
    return {alert.id for alert in ledger.alerts if alert.kind in EXPOSURE and alert.severity is Severity.CRITICAL}


@pytest.mark.statistics
def test_ten_of_a_hundred_models_removed_at_once_are_all_named_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    multiples, within_band, errors = [], [], []
    for seed in range(5):
        ledger = equal_arena(100, seed=seed)
        for number in range(100):
            ledger.declare(f"model-{number:03}", 0.5 + number % 4, provider=f"lab-{number % 25}")
        ledger.battles(20_050)
        gone = sorted(ledger.random.choice(100, 10, replace=False).tolist())
        pi = exposure(ledger.weights)[gone]
        for number in gone:
            ledger.sample(f"model-{number:03}", 0.0)
        since = ledger.clock
        ledger.battles(40_000)
        removals = ledger.firing(Kind.SILENT_REMOVAL)
        assert sorted(alert.subject.model for alert in removals) == [f"model-{number:03}" for number in gone]
        named = {alert.subject.model for alert in ledger.alerts if alert.subject.model and alert.kind in EXPOSURE}
        assert named == {alert.subject.model for alert in removals}
        level = ledger.state.scene.page_level
        for alert in removals:
            share = pi[gone.index(int(alert.subject.model[-3:]))]
            delay = (alert.detected_at - since) / SECONDS
            multiples.append(delay / (level / -np.log1p(-share)))
            within_band.append(delay / (level / -np.log1p(-0.8 * share)))
            errors.append(abs(alert.starts_at - since) / SECONDS * share)
    with capsys.disabled():
        print(
            f"\n  delay: median {np.median(within_band):.2f}, most {max(within_band):.2f} × ln c/KL(0, 0.8 π)",
            file=sys.stderr,
        )
        print(f"  which is {np.median(multiples):.2f} × ln c/KL(0, π), the bound without a band", file=sys.stderr)
        print(
            f"  onset error: median {np.median(errors):.2f}, most {max(errors):.2f} expected appearances",
            file=sys.stderr,
        )
    assert np.median(within_band) < 1.3
    assert np.median(errors) < 1.5


@pytest.mark.statistics
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_policy_changes_raise_nothing(seed: int) -> None:
    ledger = Ledger(seed=seed, block=5_000)
    for number in range(40):
        ledger.declare(f"model-{number:02}", float(ledger.random.choice([1, 3, 5])), provider=f"lab-{number % 8}")
    for change in range(100):
        ledger.battles(int(ledger.random.integers(3_000, 7_000)))
        name = f"model-{int(ledger.random.integers(40)):02}"
        if change % 5 == 4 and ledger.known(name):
            ledger.declare(name, 1.0, status="deprecated" if ledger.known(name).status == "active" else "retired")
        else:
            ledger.declare(name, float(ledger.random.choice([0.5, 1, 3, 5])), status="active")
    assert [alert for alert in ledger.alerts if alert.kind in EXPOSURE] == []


@pytest.mark.statistics
def test_a_stale_policy_alarms() -> None:
    # The control: the arena changes its weights and forgets to declare it.
    ledger = equal_arena(40, seed=1)
    ledger.battles(10_000)
    for number in range(10):
        ledger.declare(f"model-{number:03}", 5.0, keep=True)
    ledger.battles(30_000)
    assert pages(ledger)


@pytest.mark.statistics
def test_pages_stay_below_the_number_that_the_operator_chose(capsys: pytest.CaptureFixture[str]) -> None:
    # So many pages are asked for that some would come if the bound were tight: one in 2,000 battles.
    total, promised = 0, 0.0
    for seed in range(3):
        settings = FairnessSettings(false_pages="one in 2,000 battles", delta=0.0)
        ledger = equal_arena(50, seed=seed, settings=settings, block=10_000)
        ledger.battles(300_000)
        total += len(pages(ledger))
        promised += 300_000 / 2_000
    with capsys.disabled():
        print(f"\n  pages: {total}, promised at most {promised:g}", file=sys.stderr)
    assert total <= promised


@pytest.mark.statistics
@pytest.mark.parametrize("bias", [0.85, 1 / 0.85])
def test_fifteen_per_cent_of_vote_selection_is_no_page(bias: float) -> None:
    ledger = equal_arena(40, seed=4, block=10_000)
    finish = np.full(40, min(1.0, 1 / bias))
    finish[7] = min(1.0, bias)
    ledger.battles(400_000, finish=finish, report_none=False)
    assert pages(ledger) == set()


@pytest.mark.statistics
def test_fifteen_per_cent_of_vote_selection_says_nothing_when_unfinished_battles_are_sent() -> None:
    ledger = equal_arena(40, seed=4, block=10_000)
    finish = np.ones(40)
    finish[7] = 0.85
    ledger.battles(400_000, finish=finish)
    assert [alert for alert in ledger.alerts if alert.kind in EXPOSURE] == []
