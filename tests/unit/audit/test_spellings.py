"""One board in every spelling of its numbers and dates: the same findings, or a refusal that names the cells."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli.main import cli
from tests.unit.audit.boards import DAY, START, Board, draw, until

BOARD = draw(3, models=10, multiply={4: until(105)}, carried=8_000)
"""One model's votes stop; totals from hundreds to tens of thousands."""


def write(
    path: Path, votes: Callable[..., str] = "{}".format, date: str = "%Y-%m-%d", board: Board = BOARD, **more: Any
) -> Path:
    """The board as CSV with quoted cells; `date` is a pattern or a function of the moment."""
    lines = [["date", "model", "votes", "organization", "license", *more]]
    for row in board.rows():
        moment = datetime.fromtimestamp(row.date, UTC)
        day = date(moment) if callable(date) else moment.strftime(date)
        extra = [str(cell(row) if callable(cell) else cell) for cell in more.values()]
        lines.append([day, row.model, votes(int(row.votes)), row.provider, row.license, *extra])
    path.write_text("".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines), encoding="utf-8")
    return path


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["audit", str(path), "--format", "json", *options])


def told(path, *options: str):
    result = run(path, *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def findings(report):
    alerts = [(each["subject"], each["starts_at"], each["evidence"]["expected"]) for each in report["alerts"]]
    return report["counts"], report["shares"], alerts


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory):
    report = told(write(tmp_path_factory.mktemp("plain") / "s.csv"))
    assert [each["subject"]["model"] for each in report["alerts"]] == [BOARD.names[4][0]]
    return report


def grouped(mark: str):
    return lambda total: f"{total:,}".replace(",", mark)


def test_a_name_that_is_written_in_two_ways_is_one_model(tmp_path: Path, plain) -> None:
    name = BOARD.names[4][0]
    path = write(tmp_path / "s.csv")
    days = path.read_text("utf-8").splitlines(keepends=True)
    # The composed letter on some days, the letter and its accent on the others; a blank without a break; a lost mark.
    forms = ["caf\u00e9 zoo", "cafe\u0301 zoo", "caf\u00e9\u00a0zoo", "\ufeffcaf\u00e9 z\u200boo"]
    written = [line.replace(f'"{name}"', f'"{forms[at // 10 % 4]}"') for at, line in enumerate(days)]
    assert len({form for form in forms for line in written if f'"{form}"' in line}) == 4
    path.write_text("".join(written), "utf-8")
    report = told(path)
    assert report["counts"] == plain["counts"]
    assert [each["subject"]["model"] for each in report["alerts"]] == ["caf\u00e9 zoo"]
    assert [each["evidence"]["expected"] for each in report["alerts"]] == [
        each["evidence"]["expected"] for each in plain["alerts"]
    ]


@pytest.mark.parametrize("mark", [",", ".", " ", "\u00a0", "\u202f", "\u2009", "'", "’", "_"])
def test_thousands_are_grouped_by_any_mark(tmp_path: Path, plain, mark: str) -> None:
    assert findings(told(write(tmp_path / "s.csv", grouped(mark)))) == findings(plain)


@pytest.mark.parametrize(("mark", "score"), [(".", "1398,25"), (",", "1398.25"), (" ", "1398,25")])
def test_scores_follow_the_convention_of_totals(tmp_path: Path, plain, mark: str, score: str) -> None:
    report = told(write(tmp_path / "s.csv", grouped(mark), score=score, ci="±6"))
    assert findings(report) == findings(plain)
    assert report["churn"]["by"] == "score"


def test_totals_that_contradict_the_decimal_mark_of_scores_stop(tmp_path: Path) -> None:
    result = run(write(tmp_path / "s.csv", grouped("."), score="1398.25"))
    assert result.exit_code == 1
    assert "votes: " in result.stderr
    assert "are not a whole number of votes" in result.stderr
    assert "--number-format" in result.stderr


def test_round_thousands_with_a_dot_ask_for_the_convention(tmp_path: Path, plain) -> None:
    path = write(tmp_path / "s.csv", lambda total: f"{max(1, total // 1000)}.000")
    result = run(path)
    assert result.exit_code == 1
    assert "may group thousands or begin a fraction" in result.stderr
    report = told(path, "--number-format", "1.234,5")
    assert report["reading"]["number_format"] == "1.234,5"
    assert report["counts"]["models"] == plain["counts"]["models"]


@pytest.mark.parametrize(
    ("votes", "step"),
    [
        (lambda total: f"{total / 1000:.1f}K", 100.0),
        (lambda total: f"{total / 1000:.2f}k", 10.0),
        (lambda total: f"{total // 100 * 100:,}+", 100.0),
    ],
)
def test_rounded_totals_are_read_and_their_precision_is_said(tmp_path: Path, votes, step: float) -> None:
    report = told(write(tmp_path / "s.csv", votes))
    assert report["reading"]["precision"] == step
    assert [each["subject"]["model"] for each in report["alerts"]] == [BOARD.names[4][0]]
    assert any("rounded" in line for line in report["cannot_say"])


def test_rounding_stops_nobody(tmp_path: Path) -> None:
    """Gains far below the unit of the totals: most intervals show nothing, and nothing is concluded from them."""
    board = draw(5, models=20, days=tuple(range(120)), slots_a_day=600.0, carried=40_000)
    report = told(write(tmp_path / "s.csv", lambda total: f"{total / 1000:.1f}K", board=board))
    assert report["alerts"] == []


@pytest.mark.parametrize(
    "date",
    [
        "%b %d, %Y",
        "%d %B %Y",
        "%Y-%m-%d 00:00:00 UTC",
        "%d.%m.%Y",
        "%m/%d/%Y",
        "%d/%m/%Y",
        "%m/%d/%Y 12:00 AM",
        "%Y%m%d",
        format_datetime,
        lambda moment: format_datetime(moment, usegmt=True),
        lambda moment: str(int(moment.timestamp())),
    ],
)
def test_dates_are_read_in_any_spelling(tmp_path: Path, plain, date: str | Callable[..., str]) -> None:
    report = told(write(tmp_path / "s.csv", date=date))
    assert report["period"] == plain["period"]
    assert findings(report) == findings(plain)


def test_days_up_to_the_twelfth_ask_for_the_order(tmp_path: Path) -> None:
    board = draw(4, models=5, days=(0, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21))
    moved = [datetime(2025, 1 + at // 2, 1 + at, tzinfo=UTC) for at in range(12)]
    place = {START + day * DAY: moved[at] for at, day in enumerate(board.days)}
    path = write(tmp_path / "s.csv", date=lambda moment: place[moment.timestamp()].strftime("%m/%d/%Y"), board=board)
    result = run(path)
    assert result.exit_code == 1
    assert "give --date-format dmy or mdy" in result.stderr
    assert told(path, "--date-format", "mdy")["period"]["end"] == "2025-06-12"
    assert told(path, "--date-format", "%m/%d/%Y")["period"]["end"] == "2025-06-12"


def test_two_orders_of_day_and_month_contradict_each_other(tmp_path: Path) -> None:
    dates = iter(["13/01/2025", "01/14/2025"] * 200)
    result = run(write(tmp_path / "s.csv", date=lambda moment: next(dates)))
    assert result.exit_code == 1
    assert "two orders ('13/01/2025', '01/14/2025')" in result.stderr


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("year", ["2052", "2011"])
def test_a_year_that_is_mistyped_stops_and_moves_no_end(tmp_path: Path, whole: bool, year: str) -> None:
    path = write(tmp_path / "board.csv")
    lines = path.read_text().splitlines()
    dates = sorted({line.split(",")[0].strip('"') for line in lines[1:]})
    there = [at for at, line in enumerate(lines) if dates[5] in line]
    for at in there if whole else there[:1]:
        lines[at] = lines[at].replace(dates[5], year + dates[5][4:])
    path.write_text("\n".join(lines) + "\n")
    stopped = run(path)
    assert stopped.exit_code == 1
    assert f"{year}{dates[5][4:]}" in stopped.stderr
    assert "years away from all other dates" in stopped.stderr
    assert f"line {there[0] + 1}" in stopped.stderr
    dropped = run(path, "--drop-unreadable", "--format", "json")
    assert dropped.exit_code == 3
    report = json.loads(dropped.stdout)
    assert (report["period"]["start"], report["period"]["end"]) == (dates[0], dates[-1])
    assert sum(each["count"] for each in report["reading"]["left_out"]) == (len(there) if whole else 1)


@pytest.mark.parametrize("unknown", ["N/A", "-", "—", "", "nan", "unknown"])
def test_when_no_total_is_known_nobody_is_acquitted(tmp_path: Path, unknown: str) -> None:
    report = told(write(tmp_path / "s.csv", lambda total: unknown, rank=1))
    for name in ("active", "inactive", "stopped"):
        assert report["counts"][name] is None
    assert report["shares"] == {"provider": {}, "license": {}}
    assert report["cutoff"] == {"votes_a_day": None, "inactive_by_cutoff": []}
    assert "unknown" in report["headline"][0]
    assert {line["state"] for line in report["models"]} == {"listed"}


def test_cells_that_are_neither_numbers_nor_unknown_stop_with_their_counts(tmp_path: Path) -> None:
    odd = iter(["many", "lots", "many"])
    path = write(tmp_path / "s.csv", lambda total: next(odd, str(total)))
    result = run(path)
    assert result.exit_code == 1
    assert f"3 of {len(BOARD.rows())} cells are not a whole number of votes" in result.stderr
    assert "'many' (2, first at line 2), 'lots' (1, first at line 3)" in result.stderr
    assert "--drop-unreadable" in result.stderr
    result = run(path, "--drop-unreadable")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert [(each["value"], each["count"]) for each in report["reading"]["left_out"]] == [("many", 2), ("lots", 1)]
    assert report["counts"]["listed"] == 10
    assert "left out: votes 'many', 2 times" in result.stderr


def test_a_lesser_half_is_not_judged(tmp_path: Path) -> None:
    numbers = iter(range(10_000))
    path = write(tmp_path / "s.csv", lambda total: str(total) if next(numbers) % 3 == 0 else "some")
    result = run(path, "--drop-unreadable")
    assert result.exit_code == 1
    assert "most rows cannot be read" in result.stderr


def test_fractions_of_votes_are_no_votes(tmp_path: Path) -> None:
    result = run(write(tmp_path / "s.csv", lambda total: f"{total / 1000:.2f}"))
    assert result.exit_code == 1
    assert "are not a whole number of votes" in result.stderr


def test_a_column_that_is_not_needed_is_not_used_when_half_of_it_is_words(tmp_path: Path, plain) -> None:
    report = told(write(tmp_path / "s.csv", score=lambda row: "good" if row.votes % 2 else "1200"))
    assert report["reading"]["ignored"] == ["score ('good' is no number)"]
    assert report["churn"] == {}
    assert findings(report) == findings(plain)


def test_a_number_that_is_not_quoted_makes_a_row_too_long(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,model,votes\n2025-01-06,a,5,971\n2025-01-13,a,6,104\n")
    result = run(path)
    assert result.exit_code == 1
    assert "line 2 cannot be read: 4 cells, the header has 3" in result.stderr
