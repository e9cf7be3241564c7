"""One cause, one critical alert: a short form of the grid in docs/methods/share_drift.md."""

import copy
from collections.abc import Callable

import numpy as np
import pytest

from streams.contracts.alert import Kind, Severity, Status
from streams.fairness.detectors.catalog import DETECTORS
from streams.fairness.settings import FairnessSettings
from tests.unit.fairness.arena import Ledger, equal_arena

SETTINGS = FairnessSettings(
    draws="all", max_provider_share=1.0, max_license_share=1.0, max_provider_hhi=1.0, max_provider_gini=1.0
)
"""Bounds on providers are not what is tested here."""
MODELS, RUNS = 60, 4
CAUSES = {
    "a class of six cut by 40 %": (lambda n: 0.6 if n % 12 < 2 else 1.0, {"a"}),
    "a provider at 1.6": (lambda n: 1.6 if n % 12 == 3 else 1.0, {"lab-03"}),
    "a model at 0.25": (lambda n: 0.25 if n == 1 else 1.0, {"model-001"}),
    "a model gone": (lambda n: 0.0 if n == 1 else 1.0, {"model-001"}),
    "a model and a provider": (lambda n: 0.25 if n == 1 else 1.7 if n % 12 == 4 else 1.0, {"model-001", "lab-04"}),
}


@pytest.fixture(scope="module")
def healthy() -> Ledger:
    ledger = equal_arena(0, settings=SETTINGS, block=10_000)
    for n in range(MODELS):
        ledger.declare(f"model-{n:03}", provider=f"lab-{n % 12:02}", license="abcdef"[n % 12 // 2])
    ledger.battles(5_000)
    return ledger


def pages(healthy: Ledger, multiple: Callable[[int], float], seed: int) -> list[str]:
    """Names of the critical alerts after the weights are multiplied without notice, each alert once."""
    ledger = copy.deepcopy(healthy, {id(each): each for each in DETECTORS})
    ledger.random, ledger.alerts = np.random.default_rng(seed), []
    for n in range(MODELS):
        ledger.sample(f"model-{n:03}", multiple(n))
    ledger.battles(5_000)
    paged = {
        alert.id: alert.subject.name
        for alert in ledger.alerts
        if alert.severity is Severity.CRITICAL and alert.status is Status.FIRING
    }
    return sorted(paged.values())


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_has_one_page(healthy: Ledger, cause: str) -> None:
    multiple, told = CAUSES[cause]
    right = sum(pages(healthy, multiple, seed) == sorted(told) for seed in range(1, RUNS + 1))
    assert right >= RUNS - 1  # the grid finds 95 % or more of the runs right; two misses in four are 1.4 % then


def test_a_second_cause_is_not_hidden_in_the_long_time_since_the_first(healthy: Ledger) -> None:
    """A model doubles long after another was halved: its rise is 3 % of its battles since, no more than chance."""
    first = copy.deepcopy(healthy, {id(each): each for each in DETECTORS})
    first.sample("model-001", 0.5)
    first.battles(60_000)
    assert [alert.subject.name for alert in first.firing(Kind.SHARE_DRIFT)] == ["model-001"]
    for seed in range(8):
        ledger = copy.deepcopy(first, {id(each): each for each in DETECTORS})
        ledger.random = np.random.default_rng(seed)
        ledger.sample("model-002", 2.0)
        scene = ledger.state.scene
        number = scene.facts.roster.models["model-002"]
        while scene.facts.shares.log_m[number] < scene.page_level:
            ledger.battles(100)
        paged = [alert.subject.name for alert in ledger.firing(Kind.SHARE_DRIFT) if alert.severity is Severity.CRITICAL]
        assert "model-002" in paged


def test_many_small_deviations_are_one_page_of_the_arena(healthy: Ledger) -> None:
    ledger = copy.deepcopy(healthy, {id(each): each for each in DETECTORS})
    ledger.random, ledger.alerts = np.random.default_rng(3), []
    for n, up in enumerate(np.random.default_rng(4).permutation(MODELS) % 2):
        ledger.sample(f"model-{n:03}", 1.15 if up else 0.85)
    ledger.battles(10_000)
    critical = [alert for alert in ledger.alerts if alert.severity is Severity.CRITICAL]
    assert {alert.kind for alert in critical} == {Kind.WHOLE_POLICY}
    assert len({alert.id for alert in critical}) == 1
    for n in range(MODELS):
        ledger.sample(f"model-{n:03}", 1.0)
    ledger.battles(20_000)
    assert not ledger.firing(Kind.WHOLE_POLICY)


def test_the_mean_run_of_the_whole_policy_is_as_promised() -> None:
    """Pages of a healthy arena at a mean of 20 ticks between two: the bound is one in 16 · 20 ticks, for this kind."""
    settings = FairnessSettings(draws="all", false_pages="one in 2,000 battles")
    ledger = equal_arena(20, settings=settings, block=10_000, seed=8)
    ledger.battles(200_000)
    ticks, bound = 2_000, 16 * 20
    found = {alert.id for alert in ledger.told(Kind.WHOLE_POLICY) if alert.severity is Severity.CRITICAL}
    assert len(found) <= ticks / bound + 3 * np.sqrt(ticks / bound)
