"""Realistic published histories: healthy ones give no alert, and one true removal is found in each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from streams.audit.assemble import audit_snapshots
from streams.audit.board.history import Row
from streams.audit.report.document import Report
from streams.contracts.alert import Kind
from tests.support.histories import DAY, SORTS, START, history
from tests.support.mixtures import mixture

SEEDS = 4
"""Boards of each sort: 32 healthy ones, and as many with a removal. With 25 of each, 0 and 200 of 200 (page audit)."""

MIXTURES = 32
"""Histories in which several things happen. With 200, none accused of 200, and 200 of 200 found."""


def accused(report: Report):
    return {each.subject.model: each for each in report.alerts if each.kind is Kind.SILENT_REMOVAL}


@pytest.mark.parametrize("sort", SORTS)
def test_a_healthy_history_accuses_nobody(sort: str) -> None:
    for seed in range(SEEDS):
        rows, _, _ = history(seed, sort)
        assert not audit_snapshots(rows, source="healthy").alerts, seed


@pytest.mark.parametrize("sort", SORTS)
def test_one_true_removal_is_found_and_dated_within_a_snapshot(sort: str) -> None:
    for seed in range(SEEDS):
        rows, planted, dates = history(seed, sort, planted=True)
        found = accused(audit_snapshots(rows, source="planted"))
        assert [*found] == [planted.model], seed
        assert abs(dates.index(found[planted.model].starts_at) - planted.last) <= 1, seed


@pytest.mark.parametrize("seed", range(MIXTURES))
def test_a_mixture_accuses_nobody_but_who_was_removed(seed: int) -> None:
    healthy, planted = mixture(seed), mixture(seed, planted=True)
    assert not audit_snapshots(healthy.rows, source="healthy").alerts, healthy.said
    found = accused(audit_snapshots(planted.rows, source="planted"))
    assert [*found] == [planted.planted.model], planted.said


def quiet(
    seed: int, scale: float | tuple[float, float, float, float], models: int = 600, running: int = 12, days: int = 30
) -> Iterator[Row]:
    """Models that get nothing beside a few that run; all totals are corrected."""
    random = np.random.default_rng(seed)
    count = running + models
    totals = random.integers(2_000, 20_000, count).astype(float)
    for at in range(days):
        for model in range(count):
            yield Row(START + at * DAY, f"m {model:03d}", "firm", "MIT", float(totals[model].round()))
        gained = np.r_[random.poisson(random.gamma(20, 150 / 20, running)), np.zeros(models)]
        totals = np.maximum(totals + gained + random.laplace(0, 1, count) * np.resize(scale, count), 0)


@pytest.mark.parametrize("scale", [0.5, 3.0, 8.0, 20.0, (0.5, 3.0, 8.0, 20.0)])
def test_models_that_never_ran_do_not_stop_whatever_the_corrections(
    scale: float | tuple[float, float, float, float],
) -> None:
    report = audit_snapshots([*quiet(0, scale)], source="quiet")
    assert len(accused(report)) <= report.method["false_stops_expected_at_most"]
    assert not report.pauses
    # The promise counts judged intervals: those of the quiet ones are not among them.
    assert report.method["spans_judged"] <= 12 * 29
    assert report.method["spans_judged"] >= 12 * 20


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_running_model_that_stops_is_found_through_corrections(scale: float) -> None:
    missed = 0
    for seed in range(8):
        random = np.random.default_rng(seed)
        change = random.poisson(120, (20, 40)) + random.laplace(0, scale, (20, 40))
        change[4, 25:] = random.laplace(0, scale, 15)
        totals = 5_000 + change.cumsum(axis=1)
        rows = [
            Row(START + at * DAY, f"m {model}", "firm", "MIT", float(totals[model, at].round()))
            for model in range(20)
            for at in range(40)
        ]
        found = accused(audit_snapshots(rows, source="corrected"))
        assert not {*found} - {"m 4"}
        missed += "m 4" not in found
    assert missed == 0
