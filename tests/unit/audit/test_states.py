"""States, cut-offs, shares and counts; files that are small or untidy."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from streams.audit.board.history import Row
from tests.unit.audit.boards import DAY, START, audit, draw, kinds, until


def test_every_model_has_one_state_and_the_counts_add_up() -> None:
    board = draw(1, multiply={3: until(100), 4: until(0)})
    totals = board.totals.copy()
    totals[5, 20:] = -1
    counts = audit(board.changed(totals)).counts
    assert (counts.models, counts.listed, counts.active, counts.inactive, counts.gone) == (20, 19, 17, 2, 1)
    assert counts.stopped == 1


def test_the_cutoff_moves_the_number_of_inactive_models() -> None:
    rates = {0: 0.5, 1: 4.0, 2: 40.0, 3: 400.0}
    rows = [
        Row(START + day * DAY, f"m{model}", "x", "MIT", 1_000 + rate * day)
        for day in range(0, 70, 7)
        for model, rate in rates.items()
    ]
    report = audit(rows)
    inactive = {each["votes_a_day"]: each["inactive"] for each in report.cutoff["inactive_by_cutoff"]}
    assert (inactive[0.0], inactive[1.0], inactive[5.0], inactive[50.0]) == (0, 1, 2, 3)
    assert report.cutoff["votes_a_day"] == 10.0
    assert report.counts.inactive == 2


def test_a_chosen_cutoff_is_kept() -> None:
    from streams.audit.options import Options

    report = audit(draw(2, slots_a_day=100.0), options=Options(cutoff=6.0))
    assert report.cutoff["votes_a_day"] == 6.0
    assert report.counts.inactive == 20


def test_a_small_arena_is_not_inactive_as_a_whole() -> None:
    report = audit(draw(3, slots_a_day=100.0))
    assert report.counts.active == 20
    assert report.cutoff["votes_a_day"] == pytest.approx(0.5, rel=0.1)  # a tenth of what runs in the middle


def test_inactivity_is_judged_over_the_last_period() -> None:
    board = draw(4, multiply={2: until(150), 3: until(160)})
    lines = {each.model: each for each in audit(board).models}
    assert lines[board.names[2][-1]].state == "inactive"
    assert lines[board.names[2][-1]].votes_a_day == 0
    assert lines[board.names[0][-1]].votes_a_day == pytest.approx(4_000 / 18, rel=0.1)


def test_shares_are_of_slots_and_add_to_one() -> None:
    report = audit(draw(5, models=21, shares=[3.0, 2.0, 1.0] * 7))
    for group in report.shares.values():
        assert sum(group.values()) == pytest.approx(1.0, abs=1e-4)
    assert report.shares["license"] == pytest.approx(
        {"proprietary": 3 / 6, "open_source": 2 / 6, "open_weight": 1 / 6}, abs=0.02
    )
    assert "slots" in report.shares_basis
    assert report.inequality["gini"] == pytest.approx(0, abs=0.02)


def test_retirement_by_licence_class_is_tested() -> None:
    biased = {model: until(70) for model in range(60) if model % 3 and model > 2}
    report = audit(draw(6, models=60, slots_a_day=20_000.0, multiply={each: until(70 + each) for each in biased}))
    told = report.retirement
    assert (told["open"]["hit"], told["proprietary"]["hit"]) == (38, 0)
    assert told["p"] < 1e-10
    (alert,) = [each for each in report.alerts if each.kind.value == "retirement_bias"]
    assert alert.subject.license == "open"


def test_equal_retirement_raises_nothing() -> None:
    report = audit(draw(7, models=60, multiply={each: until(70 + each) for each in range(30)}))
    assert report.retirement["p"] > 0.05
    assert {each.kind.value for each in report.alerts} == {"silent_removal"}


def test_one_snapshot_says_that_it_cannot_say() -> None:
    report = audit(draw(8, days=(0,)))
    assert (report.counts.models, report.counts.listed) == (20, 20)
    assert (report.counts.active, report.counts.inactive, report.counts.stopped) == (None, None, None)
    assert report.shares == {"provider": {}, "license": {}}
    assert not report.alerts
    assert any("one snapshot" in each for each in report.cannot_say)
    assert "small" in kinds(report)


def test_two_snapshots_have_shares_but_no_stops() -> None:
    report = audit(draw(9, days=(0, 7), multiply={3: until(0)}))
    assert not report.alerts
    assert len(report.shares["provider"]) == 7


def test_what_two_snapshots_cannot_show_is_unknown_and_not_zero() -> None:
    report = audit(draw(9, days=(0, 7), multiply={3: until(0)}))
    assert (report.method["spans_judged"], report.method["false_stops_expected_at_most"]) == (None, None)
    assert report.counts.stopped is None
    said = [*report.headline, *(says for each in report.findings for says in each.says)]
    assert any("Who stopped is unknown" in each for each in said)
    assert any("stopped within the file is unknown" in each for each in said)
    assert not [each for each in said if "0 spans" in each or "No model is seen" in each or "of 0 models" in each]


def test_of_the_first_snapshot_only_the_listing_is_known() -> None:
    boards = audit(draw(9)).boards
    assert boards[0] == {"date": "2024-06-19", "listed": 20, "running": None, "stopped": None, "slots": None}
    assert all((each["slots"] or 0) > 0 and each["running"] == 20 for each in boards[2:])


def test_of_an_arena_that_was_frozen_the_last_live_moment_is_told() -> None:
    board = draw(9, multiply={3: until(70)})
    totals = board.totals.copy()
    totals[:, 20:] = totals[:, 19:20]
    totals[8, 25:] = -1
    report = audit(board.changed(totals))
    assert report.period.live_until == board.date(19)
    (told,) = [each for each in report.headline if "listed models are inactive" in each]
    assert f"1 of 19 listed models are inactive on {board.date(19)}" in told
    assert f"1 not listed any more, 1 of them after {board.date(19)}" in told
    assert "at the end" not in told
    assert {each.subject.model: each.kind.value for each in report.alerts if each.subject.model} == {
        board.names[3][0]: "silent_removal"
    }
    assert [each["model"] for each in report.gone] == [board.names[8][0]]


def test_one_model_alone_is_not_judged() -> None:
    report = audit(draw(10, models=1, multiply={0: until(70)}))
    assert not [each for each in report.alerts if each.kind.value != "feed_stalled"]
    assert any("single model" in each for each in report.cannot_say)


def test_no_votes_at_all_says_nothing_about_models() -> None:
    board = draw(11)
    report = audit(board.changed(board.totals * 0 + 500))
    assert all(each.kind.value == "feed_stalled" for each in report.alerts)
    assert report.counts.active == 20
    assert any("no total grew" in each for each in report.cannot_say)


def test_rows_without_order_and_rows_twice_change_nothing() -> None:
    board = draw(12, multiply={3: until(100)}, spread=0.1)
    rows = board.rows()
    mixed = [*rows, *rows[::7]]
    random.Random(0).shuffle(mixed)
    plain, told = audit(rows), audit(mixed)
    assert told.alerts == plain.alerts
    assert told.models == plain.models
    assert "duplicate_rows" in kinds(told)


def test_of_two_totals_of_one_snapshot_the_larger_counts() -> None:
    board = draw(13)
    rows = board.rows()
    worse = [replace(row, votes=(row.votes or 0) / 3) for row in rows[::11]]
    assert audit([*worse, *rows]).models == audit([*rows, *worse]).models == audit(rows).models


def test_missing_totals_are_bridged() -> None:
    board = draw(14, multiply={3: until(98)})
    rows = [replace(row, votes=None) if number % 13 == 5 else row for number, row in enumerate(board.rows())]
    report = audit(rows)
    assert [each.subject.model for each in report.alerts] == [board.names[3][-1]]
    assert report.counts.gone == 0
    assert "missing_values" in kinds(report)


def test_missing_providers_and_licences_are_unknown() -> None:
    rows = [replace(row, provider=None, license=None) for row in draw(15).rows()]
    report = audit(rows)
    assert report.shares == {"provider": {"unknown": 1.0}, "license": {"unknown": 1.0}}
    assert {"Providers: the file names none."} <= {*report.cannot_say}


def test_churn_tells_leaders_and_overlapping_intervals() -> None:
    def row(day: int, model: str, score: int, half: int) -> Row:
        return Row(START + day * DAY, model, "x", "MIT", 100.0 + day, None, score, score - half, score + half)

    rows = [
        *(row(0, "a", 1200, 5), row(0, "b", 1190, 5)),
        *(row(7, "a", 1200, 5), row(7, "b", 1205, 5)),
        *(row(14, "a", 1200, 5), row(14, "b", 1205, 5), row(14, "c", 1260, 5)),
    ]
    churn = audit(rows).churn
    assert (churn["changes"], churn["within_intervals"], churn["arrivals"]) == (2, 1, 1)
    assert [each["model"] for each in churn["leaders"]] == ["a", "b", "c"]


def test_sampling_is_compared_with_uncertainty() -> None:
    board = draw(16, shares=np.linspace(1, 3, 20))
    rows = [
        replace(row, score=1200.0, lower=1200.0 - width, upper=1200.0 + width)
        for row in board.rows()
        for width in [float(1 + int(row.model.split("-")[1][1:]))]
    ]
    answer = next(each for each in audit(rows).demands if each.id == "fair_sampling")
    assert any("+1.00" in each or "+0.9" in each for each in answer.says)
