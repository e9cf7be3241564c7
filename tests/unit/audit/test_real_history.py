"""The real history of an arena, June 2024 to January 2025, where the machine has it; the repository has not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.audit.run import AuditRequest, run_audit
from services.audit.snapshots import Wanted
from streams.audit.options import Options

FILE = "lmarena_snapshots_2024-06_2025-01.csv"


@pytest.fixture(scope="module")
def report():
    beside = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("ISONOMY_SHARED_DATA") or beside) / FILE
    if not path.is_file():
        pytest.skip(f"{FILE} is neither in ISONOMY_SHARED_DATA nor in ../shared/data")
    return run_audit(AuditRequest(str(path), "auto", Wanted(), None, None, Options()))[0]


def line(report, name):
    (found,) = [each for each in report.models if each.model == name]
    return found


def test_the_counts_are_those_of_the_page(report):
    counts = report.counts
    assert (report.period.snapshots, report.period.start, report.period.end) == (45, "2024-06-19", "2025-01-29")
    assert (counts.models, counts.listed, counts.active, counts.inactive, counts.gone) == (195, 190, 32, 158, 5)
    assert (counts.stopped, counts.joined, counts.renamed) == (77, 86, 43)
    assert {each["votes_a_day"]: each["inactive"] for each in report.cutoff["inactive_by_cutoff"]} == {
        0.0: 137, 1.0: 158, 2.0: 158, 5.0: 158, 10.0: 158, 20.0: 158, 50.0: 158, 100.0: 159, 200.0: 174,
    }  # fmt: skip


def test_the_luck_of_the_best_of_fifty_is_what_the_arena_itself_says(report):
    """About 11 points, with the errors of young models: all first rows, of up to 24,000 votes, would make it 8.6."""
    luck = report.findings[0].says[-1]
    assert "±9.5 points in the 43 first rows with the fewest votes" in luck
    assert "10.9 points for N = 50" in luck


@pytest.mark.parametrize(
    ("name", "since", "found"),
    [
        ("Claude 3.5 Sonnet (20240620)", "2024-11-15", "2024-11-21"),
        ("GPT-4-1106-preview", "2024-11-05", "2024-11-13"),
        ("Yi-Lightning", "2024-11-22", "2024-11-23"),
        ("Qwen-Max-0919", "2024-11-05", "2024-11-13"),
        ("Athene-70B", "2024-09-19", "2024-09-28"),
        ("Gemini-1.5-Pro-001", "2024-10-16", "2024-10-24"),  # 6,561 votes were taken off in the same interval
        ("Meta-Llama-3.1-405B-Instruct-fp8", "2024-12-23", "2024-12-31"),
        ("o1-preview", "2024-12-23", "2024-12-31"),
        ("Deepseek-v2.5", "2024-12-03", "2024-12-07"),
        ("GPT-4-0613", "2024-09-11", "2024-09-17"),  # stopped while the feed stood still
        ("Grok-2-08-13", "2025-01-24", "2025-01-29"),  # in the last interval
        ("Nemotron-4-340B-Instruct", "2024-07-18", "2024-07-24"),
        ("Claude 3 Opus", "2025-01-16", "2025-01-20"),
    ],
)
def test_stops_are_found_at_the_first_interval_that_shows_them(report, name, since, found):
    assert (line(report, name).state, line(report, name).since, line(report, name).found) == ("inactive", since, found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Bard (Gemini Pro)", "Gemini App (2024-01-24)"),
        ("Gemini-Advanced-0514", "Gemini Advanced App (2024-05-14)"),
        ("Gemini-1.5-Pro-API-0514", "Gemini-1.5-Pro-001"),
        ("Gemini Pro (Dev API)", "Gemini-1.0-Pro-001"),
        ("Command R+", "Command R+ (04-2024)"),
        ("command-r-plus-08-2024", "Command R+ (08-2024)"),
        ("Claude 3.5 Sonnet", "Claude 3.5 Sonnet (20240620)"),
        ("Meta-Llama-3.1-405b-Instruct", "Meta-Llama-3.1-405B-Instruct-fp8"),
        ("Llama-3-70b-Instruct", "Llama-3-70B-Instruct"),
        ("Gemma-2-27b-it", "Gemma-2-27B-it"),  # whose first name came back
    ],
)
def test_renames_are_followed(report, old, new):
    assert (line(report, old).state, line(report, old).renamed_to) == ("renamed", new)


def test_who_left_the_board(report):
    assert [(each["model"], each["last_seen"], each["was_gaining"], each["replaced"]) for each in report.gone] == [
        ("Gemini-1.5-Pro-Exp-0801", "2024-09-09", True, False),
        ("Gemini-1.5-Pro-Preview-0409", "2024-09-09", False, False),
        ("ChatGPT-4o-latest (2024-08-08)", "2024-09-11", True, True),
        ("Gemini App (2024-01-24)", "2024-09-11", False, False),
        ("ChatGPT-4o-latest (2024-09-03)", "2024-11-15", True, True),
    ]


def test_nobody_else_is_accused(report):
    accused = {each.subject.model for each in report.alerts}
    assert len(report.alerts) == len(accused) == 78
    assert {each.kind.value for each in report.alerts} == {"silent_removal"}
    assert not accused & {each.model for each in report.models if each.state in ("active", "renamed")}
    # Off the board for 28 days and back; never gained a vote while listed.
    assert not accused & {"Reka-Core-20240904", "Reka-Flash-20240904"}


def test_pauses_are_told(report):
    assert [(each["model"], each["from"], each["until"]) for each in report.pauses] == [
        ("Mistral-Large-2402", "2024-07-26", "2024-08-01"),
        ("Reka-Core-20240501", "2024-07-26", "2024-08-01"),
        ("Reka-Flash-Preview-20240611", "2024-07-26", "2024-08-01"),
        ("Meta-Llama-3.1-405B-Instruct-bf16", "2024-10-16", "2024-12-20"),
        ("Llama-3.1-Nemotron-70B-Instruct", "2024-11-13", "2024-11-23"),
    ]


def test_the_feed_has_its_remarks(report):
    told = [(each.kind.value, each.date) for each in report.remarks]
    assert ("gap", "2024-06-19") in told
    assert [date for kind, date in told if kind == "frozen"] == ["2024-08-28", "2024-09-06"]
    assert [date for kind, date in told if kind == "naming_switch"] == ["2024-08-07", "2024-11-05"]
    assert {kind for kind, _ in told} == {
        "gap", "frozen", "correction", "naming_switch", "first_rows", "withdrawn", "shrank",
    }  # fmt: skip


def test_a_history_cut_short_tells_no_other_story(report):
    beside = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("ISONOMY_SHARED_DATA") or beside) / FILE
    from services.audit.snapshots import read_snapshots
    from services.audit.table import open_table
    from streams.audit.assemble import audit_snapshots

    rows = read_snapshots(open_table(str(path)), Wanted()).rows
    dates = sorted({row.date for row in rows})
    later = {each.subject.model: each.detected_at for each in report.alerts}
    paused = {each["model"] for each in report.pauses}
    for end in dates[10::9]:
        told = audit_snapshots([row for row in rows if row.date <= end], source="cut")
        found = {each.subject.model for each in told.alerts}
        final = {each.model: each.renamed_to or each.model for each in report.models}
        assert {final[name] for name in found} - paused <= set(later)
        assert {name for name, at in later.items() if at <= end} <= {final[name] for name in found}


def test_a_later_cut_erases_no_departure_but_by_a_return_that_it_names(report):
    beside = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("ISONOMY_SHARED_DATA") or beside) / FILE
    from services.audit.snapshots import Wanted, read_snapshots
    from services.audit.table import open_table

    rows = read_snapshots(open_table(str(path)), Wanted()).rows
    told = {end: gone_and_back(rows, end) for end in sorted({row.date for row in rows})[8::4]}
    assert max(len(gone) for gone, _, _ in told.values()) >= 5
    for early, (gone, _, _) in told.items():
        for late, (still, back, renamed) in told.items():
            if late > early:
                assert {each for each in gone - still - back if each[0] not in renamed} == set(), (early, late)


def gone_and_back(rows, end):
    """Models gone by a date, and those reported as back, as (model, last seen); and former names."""
    from streams.audit.assemble import audit_snapshots

    report = audit_snapshots([row for row in rows if row.date <= end], source="cut")
    gone = {(each["model"], each["last_seen"]) for each in report.gone}
    back = {(each["model"], each["last_seen"]) for each in report.absences if each["listed_again"]}
    return gone, back, {each["model"] for each in report.renames}
