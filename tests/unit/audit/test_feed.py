"""Irregularities of the feed give remarks about the feed, and no alert about a model."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from streams.audit.report.document import Report
from streams.contracts.alert import Kind
from tests.unit.audit.boards import DAY, START, audit, draw, kinds, removed, until


def stalls(report: Report) -> list[str]:
    assert all(alert.kind is Kind.FEED_STALLED for alert in report.alerts)
    return [alert.summary for alert in report.alerts]


@pytest.mark.parametrize("length", [1, 3, 10])
def test_a_feed_that_turns_to_zeros_is_one_stall_and_no_removals(length: int) -> None:
    board = draw(1, spread=0.05)
    totals = board.totals.copy()
    totals[:, 30 - length :] = 0
    report = audit(board.changed(totals))
    (said,) = stalls(report)
    assert "no votes at all" in said
    assert "not removals" in said
    assert (report.counts.active, report.counts.inactive, report.counts.gone) == (20, 0, 0)
    assert report.period.live_until == board.date(29 - length)
    assert "zero_snapshot" in kinds(report)


def test_zeros_in_between_are_set_aside() -> None:
    board = draw(2, spread=0.05)
    totals = board.totals.copy()
    totals[:, 12:15] = 0
    report = audit(board.changed(totals))
    assert not report.alerts
    assert "zero_snapshot" in kinds(report)


def test_a_single_total_of_zero_is_a_missing_row() -> None:
    board = draw(3, spread=0.05)
    totals = board.totals.copy()
    totals[4, 12] = 0
    report = audit(board.changed(totals))
    assert not report.alerts
    assert "zero_rows" in kinds(report)


@pytest.mark.parametrize(("length", "stalled"), [(1, False), (2, False), (4, True), (10, True)])
def test_a_frozen_end_is_a_stall_once_it_is_long_and_never_a_removal(length: int, stalled: bool) -> None:
    board = draw(4, spread=0.05)
    totals = board.totals.copy()
    totals[:, 30 - length :] = totals[:, [29 - length]]
    report = audit(board.changed(totals))
    assert bool(stalls(report)) == stalled
    assert report.counts.active == 20
    assert "frozen" in kinds(report)


def test_a_freeze_in_between_hides_no_stop_and_makes_none() -> None:
    board = draw(5, spread=0.05, multiply={6: until(98)})  # at the beginning of the freeze
    totals = board.totals.copy()
    totals[:, 15:17] = totals[:, [14]]
    assert removed(audit(board.changed(totals))) == {board.names[6][-1]: (board.date(16), board.date(17))}


def test_most_models_at_once_are_one_stall_with_their_names() -> None:
    board = draw(6, spread=0.05, multiply={model: until(105) for model in range(12)})
    report = audit(board)
    (alert,) = report.alerts
    assert alert.kind is Kind.FEED_STALLED
    assert sorted(cast(list[str], alert.evidence["models"])) == sorted(board.names[model][-1] for model in range(12))
    assert alert.starts_at == START + 105 * DAY
    assert "stopped_together" in kinds(report)


def test_nearly_half_of_the_models_at_once_are_removals() -> None:
    board = draw(7, spread=0.05, multiply={model: until(105) for model in range(9)})
    assert removed(audit(board)) == {board.names[model][-1]: (board.date(15), board.date(16)) for model in range(9)}


@pytest.mark.parametrize("gap", [1, 2, 18, 30, 60])
def test_gaps_are_remarked_and_raise_nothing(gap: int) -> None:
    days = [*range(0, 70, 7), *range(63 + gap, 63 + gap + 70, 7)]
    report = audit(draw(8, days=days, spread=0.1))
    assert not report.alerts
    assert ("gap" in kinds(report)) == (gap > 21)


def test_small_negative_changes_raise_nothing() -> None:
    for seed in range(6):
        random = np.random.default_rng(seed)
        board = draw(seed, spread=0.05)
        changes = np.diff(board.totals, axis=1)
        for _ in range(15):
            changes[random.integers(20), random.integers(0, 28)] = -int(random.integers(1, 60))
        start = board.totals[:, :1]
        report = audit(board.changed(np.concatenate([start, start + changes.cumsum(axis=1)], axis=1)))
        assert not report.alerts
        assert not report.pauses
        assert {"correction", "shrank"} <= kinds(report)


def test_a_wave_of_corrections_raises_nothing() -> None:
    for seed in range(6):
        board = draw(seed, spread=0.05, carried=100_000)
        totals, at = board.totals.astype(float), 3 + 4 * seed
        totals[:, at:] -= 0.01 * totals[:, [at]]
        report = audit(board.changed(totals.astype(int)))
        assert not report.alerts
        assert not report.pauses


def test_rows_that_are_counted_late_raise_nothing() -> None:
    for seed in range(6):
        random = np.random.default_rng(seed)
        board = draw(seed, spread=0.05)
        totals = board.totals.copy()
        for model in random.choice(20, 7, replace=False):
            at = int(random.integers(2, 28))
            totals[model, at] = totals[model, at - 1]
        report = audit(board.changed(totals))
        assert not report.alerts
        assert not report.pauses
        assert "late_count" in kinds(report)


def test_a_total_that_begins_again_raises_nothing() -> None:
    for seed in range(6):
        board = draw(seed, spread=0.05)
        totals, at = board.totals.copy(), 4 + 4 * seed
        totals[5, at:] -= totals[5, at] - 100
        report = audit(board.changed(totals))
        assert not report.alerts
        assert "reset" in kinds(report)


@pytest.mark.parametrize("others", ["go on", "jump", "fall"])
def test_forty_models_that_appear_at_once_raise_nothing(others: str) -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        board = draw(seed, models=60, spread=0.05, slots_a_day=9_000.0)
        totals = board.totals.copy()
        totals[20:, :15] = -1
        if others != "go on":
            step = totals[:20, [15]] * random.uniform(0.2, 0.4, (20, 1))
            totals[:20, 15:] += (step if others == "jump" else -step).astype(int)
        report = audit(board.changed(totals))
        assert not report.alerts
        assert {"source_switch", "first_rows"} <= kinds(report)


def test_a_snapshot_with_half_of_its_rows_missing_is_set_aside() -> None:
    board = draw(9, spread=0.05)
    totals = board.totals.copy()
    totals[5:, 14] = -1
    report = audit(board.changed(totals))
    assert not report.alerts
    assert "partial_snapshot" in kinds(report)
    assert "flicker" not in kinds(report)


def test_a_file_that_ends_with_half_of_its_rows_missing_is_a_stall() -> None:
    board = draw(10, spread=0.05)
    totals = board.totals.copy()
    totals[5:, 27:] = -1
    report = audit(board.changed(totals))
    (said,) = stalls(report)
    assert "less than half of the rows" in said
    assert report.counts.gone == 0


def test_a_file_that_ends_within_its_last_snapshot_accuses_nobody() -> None:
    board = draw(10, spread=0.05)
    totals = board.totals.copy()
    totals[16:, -1] = -1
    report = audit(board.changed(totals))
    (said,) = stalls(report)
    assert "rows end before 4 models that stood last in the one before: the file may be cut off there" in said
    assert [alert.kind for alert in report.alerts] == [Kind.FEED_STALLED]
    # A model from between the others has left, and so has one that is missing for longer.
    totals[16:, -1], totals[7, -1] = board.totals[16:, -1], -1
    assert [alert.subject.model for alert in audit(board.changed(totals)).alerts] == [board.names[7][-1]]
    totals[7, -1], totals[16:, -2:] = board.totals[7, -1], -1
    assert len(audit(board.changed(totals)).alerts) == 4


def test_half_of_the_models_at_once_are_no_removals() -> None:
    report = audit(draw(12, models=8, days=tuple(range(0, 147, 7)), multiply={model: until(133) for model in range(4)}))
    assert not [alert for alert in report.alerts if alert.kind is Kind.SILENT_REMOVAL]
    assert "stopped_together" in kinds(report)


def test_first_rows_are_nobodys_gain() -> None:
    board = draw(11)
    totals = board.totals.copy()
    totals[3, :25] = -1
    totals[3, 25:] += 1_000_000
    report = audit(board.changed(totals))
    assert max(report.shares["provider"].values()) < 0.25
    assert not report.alerts


def test_most_models_at_once_are_inactive_when_it_lasts() -> None:
    off = {model: until(105) for model in range(12)}
    lasting, passing = (audit(draw(12, days=tuple(range(0, end, 7)), multiply=off)) for end in (210, 120))
    assert (lasting.counts.active, lasting.counts.inactive) == (8, 12)
    assert (passing.counts.active, passing.counts.inactive) == (20, 0)
    assert len(stalls(lasting)) == len(stalls(passing)) == 1
