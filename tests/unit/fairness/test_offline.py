"""Detectors outside of a worker say what the worker's fold says, and refuse counts that cannot be."""

import msgspec
import numpy as np
import pytest
from numpy.typing import ArrayLike

from services.simulate import load_scenario, simulate
from streams.contracts.alert import Alert
from streams.fairness import (
    DRIFT_BETS,
    REMOVAL_BETS,
    FairnessSettings,
    Kind,
    Severity,
    exposure,
    find_alerts,
    share_evidence,
)
from streams.fairness.alerts.summaries import as_number
from streams.fairness.statistics.odds_bets import BETS
from streams.ledger.codec import Block, Notice

MODELS, REMOVED_AT = 50, 20_000
TICK = FairnessSettings().tick_battles


@pytest.fixture(scope="module")
def records():
    scenario = load_scenario("silent-removal")
    (removal,) = scenario.events
    planted = msgspec.structs.replace(scenario, events=[msgspec.structs.replace(removal, at=REMOVED_AT)])
    return list(simulate(planted, seed=3, battles=30_000))


def page_of(records) -> Alert:
    (page,) = [alert for alert in find_alerts(records) if alert.severity is Severity.CRITICAL]
    return page


def test_the_planted_removal_is_the_only_page(records) -> None:
    page = page_of(records)
    assert (page.kind, page.subject.model) == (Kind.SILENT_REMOVAL, "model-07")


def test_the_settings_are_those_that_are_handed_over(records) -> None:
    hasty = FairnessSettings(false_pages="one in 1,000,000 battles")
    (earlier,) = [alert for alert in find_alerts(records, hasty) if alert.severity is Severity.CRITICAL]
    assert earlier.detected_at < page_of(records).detected_at


def test_arenas_are_judged_apart(records) -> None:
    others = [
        Block("other", each.rows, each.through)
        if isinstance(each, Block)
        else Notice("other", each.name, each.model, each.partition, each.offset, each.recorded)
        for each in records
    ]
    mixed = [record for pair in zip(records, others, strict=True) for record in pair]
    assert {alert.arena: alert.starts_at for alert in find_alerts(mixed) if alert.severity is Severity.CRITICAL} == {
        "text": page_of(records).starts_at,
        "other": page_of(records).starts_at,
    }


def test_the_evidence_is_that_of_the_page(records) -> None:
    hits = np.zeros((30_000 // TICK, MODELS))
    at, times = 0, []
    for record in records:
        if isinstance(record, Block):
            ticks = (at + np.arange(len(record.rows))) // TICK
            for side in (record.rows.model_a, record.rows.model_b):
                models = np.array([int(name.removeprefix("model-")) - 1 for name in record.rows.models])[side]
                np.add.at(hits, (ticks, models), 1)
            times += record.rows.tstamp.tolist()
            at += len(record.rows)
    evidence = share_evidence(hits, np.full(len(hits), TICK), exposure(np.ones(MODELS)))
    page = page_of(records)
    found = np.searchsorted(times, page.detected_at) // TICK
    level = as_number(page.evidence["log10_page"])
    # The detector also bets on the learned share and spreads its stake over a few more bets: a tick later at most.
    assert found - 1 <= np.argmax(evidence[:, 6] >= level) <= found
    assert evidence[REMOVED_AT // TICK - 1, 6] < 2


@pytest.mark.parametrize(
    ("hits", "battles", "declared", "message"),
    [
        ([1, 2], [2], [0.5], "wanted"),
        ([[1, 2]], [2], [0.5], "wanted"),
        ([[1], [2]], [2], [0.5], "wanted"),
        ([[3]], [2], [0.5], "between 0 and the battles"),
        ([[-1]], [2], [0.5], "between 0 and the battles"),
        ([[1]], [2], [1.5], "between 0 and 1"),
        ([[np.nan]], [2], [0.5], "between 0 and the battles"),
        ([[1]], [np.nan], [0.5], "between 0 and the battles"),
        ([[1]], [np.inf], [0.5], "and finite"),
        ([[1]], [2], [np.nan], "between 0 and 1"),
    ],
)
def test_counts_that_cannot_be_are_an_error(
    hits: list[int] | list[list[float]], battles: list[float], declared: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        share_evidence(hits, battles, declared)


@pytest.mark.parametrize("bets", [[], 0.5, [0.0], [-1.0], [np.nan], [np.inf]])
def test_bets_that_cannot_be_are_an_error(bets: list[float] | float) -> None:
    with pytest.raises(ValueError, match="bets must be"):
        share_evidence([[1]], [2], [0.5], bets=bets)


@pytest.mark.parametrize("delta", [-0.1, 1.0, np.nan])
def test_a_band_that_cannot_be_is_an_error(delta: float) -> None:
    with pytest.raises(ValueError, match="delta must be"):
        share_evidence([[1]], [2], [0.5], delta=delta)


def test_a_halved_model_is_found_by_the_bets_of_share_drift_only() -> None:
    declared = exposure([1] * 20)
    hits = np.random.default_rng(7).binomial(100, declared, size=(400, 20))
    hits[100:, 9] //= 2
    battles = np.full(400, 100)
    assert share_evidence(hits, battles, declared, bets=REMOVAL_BETS)[:, 9].max() < 4
    assert share_evidence(hits, battles, declared, bets=DRIFT_BETS)[:, 9].max() > 8
    assert (REMOVAL_BETS, DRIFT_BETS) == ((0.02, 0.1), BETS)


@pytest.mark.parametrize("weights", [[1.0, -1.0], [1.0, np.nan], [np.inf, 1.0], [[1.0, 1.0]], 1.0])
def test_weights_that_cannot_be_are_an_error(weights: ArrayLike) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        exposure(weights)
