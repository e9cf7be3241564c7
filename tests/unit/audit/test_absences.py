"""Absences: what was gained in one belongs to it, and a later listing takes no departure back."""

from __future__ import annotations

import numpy as np
import pytest

from streams.audit.report.document import Report
from tests.support.histories import history
from tests.unit.audit.boards import Board, audit, draw, kinds, removed, until


def left(report: Report) -> set[tuple[str, str]]:
    return {(each["model"], each["last_seen"]) for each in report.gone}


def archived(seed: int, back: int = 20, more: int = 400) -> Board:
    """A running model leaves at snapshot 8, and is listed again at `back` with few more votes, and still."""
    board = draw(seed, spread=0.05)
    totals = board.totals.copy()
    totals[5, 8:back] = -1
    totals[5, back:] = totals[5, 7] + more
    return board.changed(totals)


def test_a_list_of_the_past_takes_no_departure_back() -> None:
    for seed in range(4):
        board = archived(seed)
        rows, name = board.rows(), board.names[5][0]
        early = audit([row for row in rows if row.date < min(each.date for each in rows) + 86_400 * board.days[18]])
        late = audit(rows)
        assert left(early) == left(late) == {(name, board.date(7))}
        assert [each.id for each in early.alerts] == [each.id for each in late.alerts]
        assert removed(late) == {name: (board.date(8), board.date(8))}
        assert late.gone[0]["relisted"] == board.date(20)
        assert (late.counts.gone, late.counts.listed, late.counts.models) == (1, 19, 20)


def test_a_withdrawal_that_ended_is_named_with_both_dates() -> None:
    board = draw(1, spread=0.05)
    totals = board.totals.copy()
    totals[5, 8:20] = -1
    report = audit(board.changed(totals))
    assert not report.alerts
    assert report.counts.gone == 0
    (away,) = report.absences
    assert (away["model"], away["last_seen"], away["listed_again"], away["kind"]) == (
        board.names[5][0], board.date(7), board.date(20), "ended",
    )  # fmt: skip
    assert away["gained"] == totals[5, 20] - totals[5, 7]
    demand = next(each for each in report.demands if each.id == "no_retraction")
    assert any(board.date(7) in each and board.date(20) in each and "ended" in each for each in demand.says)


def test_votes_gained_over_an_absence_are_not_those_of_the_day_of_return() -> None:
    board = draw(2, models=10, days=tuple(range(0, 210, 7)), spread=0.02)
    totals = board.totals.copy()
    totals[3, 4:27] = -1
    totals[3, 27:] += 20_000
    report = audit(board.changed(totals))
    provider = board.providers[3]
    usual = board.providers.count(provider) / 10
    # 20,000 votes over 161 days are 124 a day beside 400 of each model; on one day they would be half of the window.
    assert report.shares["provider"][provider] < usual + 0.04


def test_many_models_of_the_past_on_one_day_are_a_switch_of_the_source() -> None:
    for seed in range(2):
        board = draw(seed, models=40, spread=0.05, multiply={each: until(0) for each in range(8)})
        totals = board.totals.copy()
        totals[:8, 4:22] = -1
        rows = board.changed(totals).rows()
        report = audit(rows)
        early = audit([row for row in rows if row.date < rows[0].date + 86_400 * board.days[20]])
        assert len(left(early)) == 8
        assert left(early) == left(report)
        assert "source_switch" in kinds(report)
        assert not report.alerts


@pytest.mark.parametrize("sort", ["away", "relisted", "switch", "plain"])
def test_a_later_cut_erases_no_departure_but_by_a_return_that_it_names(sort: str) -> None:
    rows, _, dates = history(3, sort, planted=True)
    told = []
    for end in dates[6::4]:
        report = audit([row for row in rows if row.date <= end])
        back = {(each["model"], each["last_seen"]) for each in report.absences if each["listed_again"]}
        told.append((left(report), back))
    assert sort == "plain" or max(len(gone) for gone, _ in told) > 0
    for at, (gone, _) in enumerate(told):
        for still, back in told[at + 1 :]:
            assert gone <= still | back


def test_a_pause_is_no_larger_than_the_life_of_the_model() -> None:
    board = draw(4, spread=0.02, carried=100, multiply={3: lambda day: 1.0 if day < 14 or day >= 175 else 0.0})
    report = audit(board)
    assert not report.pauses
    assert "out_of_proportion" in kinds(report)


def test_without_any_votes_the_board_is_told_and_the_rest_is_unknown() -> None:
    from dataclasses import replace

    board = draw(5, models=12)
    totals = board.totals.copy()
    totals[2, 20:] = -1
    totals[3, 8:18] = -1
    totals[4, :5] = -1
    rows = [
        replace(row, votes=None, score=1_000.0 + int(row.model.split("-")[1][1:]), rank=None)
        for row in board.changed(totals).rows()
    ]
    report = audit(rows)
    counts = report.counts
    assert (counts.models, counts.listed, counts.gone, counts.joined) == (12, 11, 1, 1)
    assert (counts.active, counts.inactive, counts.stopped) == (None, None, None)
    assert not report.alerts
    assert [(each["model"], each["was_gaining"], each["votes"]) for each in report.gone] == [
        (board.names[2][0], None, None)
    ]
    assert [each["model"] for each in report.absences if each["kind"] == "ended"] == [board.names[3][0]]
    assert report.shares == {"provider": {}, "license": {}}
    assert {*report.inequality.values()} == {None}
    assert report.cutoff["votes_a_day"] is None
    assert all(each["slots"] is None and each["running"] is None for each in report.boards)
    assert {each.state for each in report.models} == {"listed", "gone"}
    assert all(each.votes is None and each.votes_a_day is None for each in report.models)
    assert "frozen" not in kinds(report)
    assert report.churn["leaders"][0]["model"] == "model-l11"
    listed = report.listings["provider"]
    assert sum(each["listed"] for each in listed.values()) == 11
    assert sum(each["arrived"] for each in listed.values()) == 1
    assert sum(each["returned"] for each in listed.values()) == 1
    assert report.retirement == {"classes": {}}


def test_shares_of_a_passing_gap_are_whole() -> None:
    board = draw(6, models=10, spread=0.02)
    totals = board.totals.copy()
    totals[3, 27] = -1
    gap, whole = audit(board.changed(totals)).shares["provider"], audit(board).shares["provider"]
    assert gap == pytest.approx(whole, abs=0.01)
    assert np.isclose(sum(gap.values()), 1, atol=1e-4)
