"""The effect of a registry: announced ends give no alert, late and missing notices do."""

from __future__ import annotations

from typing import Any, Literal

from streams.audit.alerts.notices import most_private, read_notices
from streams.audit.options import Options
from streams.audit.report.document import Report
from streams.contracts.model import Model
from tests.unit.audit.boards import DAY, START, Board, audit, draw, until

STOP = 140


def record(
    model: str, day: float, status: Literal["active", "deprecated", "retired"] = "active", **fields: Any
) -> Model:
    return Model(
        arena="text",
        model=model,
        provider="firm",
        license="proprietary",
        visibility=fields.pop("visibility", "public"),
        status=status,
        weight=fields.pop("weight", 1.0),
        tstamp=START + day * DAY,
        **fields,
    )


def told(board: Board, *records: Model, **options: Any) -> Report:
    everyone = [record(names[-1], -10) for names in board.names]
    return audit(board, registry=[*everyone, *records], options=Options(**options))


def stopping() -> tuple[Board, str]:
    board = draw(1, multiply={3: until(STOP)}, spread=0.05)
    return board, board.names[3][-1]


def test_an_end_that_was_announced_in_time_accuses_nobody() -> None:
    board, name = stopping()
    report = told(board, record(name, STOP - 20, "deprecated"), record(name, STOP, "retired"))
    assert not report.alerts
    line = next(each for each in report.models if each.model == name)
    assert line.state == "inactive"
    assert line.notice.startswith("retired, announced ")
    assert (report.counts.retired, report.counts.inactive_without_notice) == (1, 0)


def test_an_announcement_counts_from_the_day_it_names() -> None:
    board, name = stopping()
    early = record(name, STOP, "retired", announced_at=START + (STOP - 30) * DAY, reason="two newer models")
    assert not told(board, early).alerts


def test_a_short_notice_is_an_unannounced_retirement() -> None:
    board, name = stopping()
    (alert,) = told(board, record(name, STOP - 2, "retired")).alerts
    assert alert.kind.value == "unannounced_retirement"
    assert alert.severity.value == "critical"
    assert "14 days are owed" in alert.summary


def test_a_notice_after_the_end_is_no_notice() -> None:
    board, name = stopping()
    (alert,) = told(board, record(name, STOP + 30, "retired")).alerts
    assert alert.kind.value == "silent_removal"
    assert "announced only on" in alert.summary


def test_an_end_without_notice_is_a_silent_removal() -> None:
    board, _ = stopping()
    report = told(board)
    (alert,) = report.alerts
    assert (alert.kind.value, alert.severity.value) == ("silent_removal", "critical")
    assert "no notice" in alert.summary
    assert report.counts.inactive_without_notice == 1


def test_without_a_registry_notices_are_unknown_and_nothing_is_critical() -> None:
    board, _ = stopping()
    report = audit(board)
    (alert,) = report.alerts
    assert alert.severity.value == "warning"
    assert "not known" in alert.summary
    assert report.counts.inactive_without_notice is report.counts.retired is report.counts.deprecated is None
    assert any(each.startswith("Notices:") for each in report.cannot_say)


def test_days_of_notice_are_the_persons_choice() -> None:
    board, name = stopping()
    assert not told(board, record(name, STOP - 2, "retired"), notice_days=1.0).alerts


def test_a_registry_about_other_models_is_left_out() -> None:
    board, _ = stopping()
    report = audit(board, registry=[record("somebody else", 0)])
    assert report.counts.retired is None
    assert report.cannot_say[0].startswith("Registry: it knows none")


def test_a_notice_under_a_former_name_counts() -> None:
    board, name = stopping()
    names = [list(each) for each in board.names]
    names[3][25:] = ["omega"] * 5
    from dataclasses import replace

    board = replace(board, names=names)
    report = told(board, record(name, STOP - 20, "deprecated"))
    assert not report.alerts


def test_an_announcement_is_taken_back_by_a_model_that_is_active_again() -> None:
    notices = read_notices([record("a", 0, "deprecated"), record("a", 5)], START + 10 * DAY)
    assert notices["a"].announced is None


def test_later_records_are_not_yet_known() -> None:
    assert read_notices([record("a", 20, "retired")], START + 10 * DAY) == {}


def test_private_variants_are_counted_at_once() -> None:
    records = [record(f"p{each}", each, visibility="private") for each in range(5)]
    records.append(record("p0", 2.5, "retired", visibility="private", weight=0.0))
    assert most_private(records, START + 100 * DAY) == {"firm": 4}
    board, _ = stopping()
    answer = next(each for each in told(board, *records).demands if each.id == "private_cap")
    assert answer.verdict == "shown"
    assert "firm 4" in answer.says[0]
