"""What the report says first, what it refuses to say, and that it does not contradict itself."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import polars
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from services.audit.page import page
from services.audit.show import show_report
from services.cli.main import cli
from streams.audit.board.history import Row
from streams.contracts.alert import Status
from streams.contracts.model import Model
from tests.unit.audit.boards import START, Board, audit, draw, until

OFFICIAL = (
    "model_name", "organization", "license", "rating", "rating_lower", "rating_upper", "variance", "vote_count", "rank",
    "category", "leaderboard_publish_date",
)  # fmt: skip


def run(path: Path, *options: str | int) -> Result:
    return CliRunner().invoke(cli, ["audit", str(path), *options])


def told(path: Path, *options: str):
    result = run(path, "--format", "json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def rows_of(board: Board):
    return [(str(datetime.fromtimestamp(row.date, UTC).date()), row) for row in board.rows()]


def write(
    path: Path,
    header: tuple[str, str, str, str, str, str, str, str, str, str, str]
    | tuple[str, str, str, str, str]
    | tuple[str, str, str, str]
    | tuple[str, str, str],
    lines: list[tuple[str, str, str, int]] | list[tuple[str, str, int]],
) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return path


def test_an_agent_board_is_read_and_its_observations_are_no_votes(tmp_path: Path) -> None:
    header = ("model_name", "organization", "license", "score", "score_ci_lower", "score_ci_upper",
              "observation_count", "session_count", "rank", "category", "leaderboard_publish_date")  # fmt: skip
    board = draw(6, models=8)
    lines = [
        (row.model, row.provider, row.license, 0.1, 0.09, 0.11, int(row.votes), 9, 1, "overall", day)
        for day, row in rows_of(board)
    ]
    path = write(tmp_path / "agents.csv", header, lines)
    report = told(path)
    assert report["counts"]["listed"] == 8
    assert (report["counts"]["active"], report["counts"]["inactive"], report["counts"]["stopped"]) == (None,) * 3
    assert report["reading"]["unused"] == ["observation_count", "session_count"]
    assert report["cannot_say"][0].startswith("Votes: no total is known")
    declared = told(path, "--columns", "votes=observation_count")
    assert declared["counts"]["active"] == 8


def test_a_board_without_votes_tells_listings_and_no_zeros(tmp_path: Path) -> None:
    board = draw(7, models=6, days=tuple(range(0, 70, 7)))
    gone = board.names[2][0]
    lines = [
        (day, row.model, row.provider, 1200 - at % 6, at % 6 + 1)
        for at, (day, row) in enumerate(rows_of(board))
        if row.model != gone or day < "2024-07-20"
    ]
    path = write(tmp_path / "s.csv", ("date", "model", "organization", "score", "rank"), lines)
    report = told(path)
    assert report["counts"]["gone"] == 1
    assert (report["counts"]["active"], report["counts"]["stopped"]) == (None, None)
    assert {each["state"] for each in report["models"]} == {"listed", "gone"}
    assert set(report["inequality"].values()) == {None}
    assert {each["running"] for each in report["boards"]} == {None}
    assert report["headline"][0].startswith("5 models listed at the end; within the file 0 joined and 1 left for good.")
    assert "is unknown" in report["headline"][0]
    text = run(path).stdout
    assert "unknown: no total of votes" in text
    assert "0 votes" not in text


def test_an_events_file_is_refused(tmp_path: Path) -> None:
    lines = [("2025-01-06", "a", "listed", 10), ("2025-02-06", "a", "removed", 900)]
    result = run(write(tmp_path / "s.csv", ("date", "model", "event", "votes"), lines))
    assert result.exit_code == 1
    assert "the column 'event' says that each row is an event" in result.stderr


def test_dates_that_name_one_model_each_are_no_snapshots(tmp_path: Path) -> None:
    lines = [(f"2025-01-{at + 1:02}", f"m{at % 7}", 100 + at) for at in range(28)]
    result = run(write(tmp_path / "s.csv", ("date", "model", "votes"), lines))
    assert result.exit_code == 1
    assert "28 of 28 dates name a single model" in result.stderr


def test_when_most_snapshots_are_untrue_nothing_is_claimed() -> None:
    board = draw(8, models=12, multiply={3: until(60)})
    totals = board.totals.copy()
    totals[2:, 8:] = -1
    report = audit(board.changed(totals))
    assert report.headline == [
        "22 of 30 snapshots had to be set aside, because most of their rows or totals are missing: nothing is concluded"
        " from the rest."
    ]
    assert (report.counts.active, report.counts.inactive, report.counts.stopped) == (None, None, None)
    assert {each.verdict for each in (*report.findings, *report.demands)} == {"cannot_say"}
    assert {each.kind.value for each in report.alerts} <= {"feed_stalled"}
    assert report.shares == {"provider": {}, "license": {}}


def test_the_official_shape_is_read_board_first(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    board = draw(9, models=15, multiply={4: until(105)})
    frame = []
    for category, part in (("coding", 0.2), ("overall", 1.0), ("math", 0.1)):
        for day, row in rows_of(board):
            score = 1200.0 + random.normal()
            frame.append((row.model, row.provider, row.license, score, score - 4, score + 4, 2.5,
                          int(row.votes * part), 1, category, day))  # fmt: skip
    polars.DataFrame(frame, schema=list(OFFICIAL), orient="row").write_parquet(tmp_path / "text.parquet")
    write(tmp_path / "text.csv", OFFICIAL, frame)
    one, other = told(tmp_path / "text.parquet"), told(tmp_path / "text.csv")
    assert one["reading"]["read"] == len(frame)
    assert one["reading"]["other_boards"] == 2 * one["reading"]["counted"]
    assert [each["subject"]["model"] for each in one["alerts"]] == [board.names[4][0]]
    for report in (one, other):
        report.pop("source")
    assert one == other
    assert told(tmp_path / "text.parquet", "--board", "math")["arena"] == "math"


def test_duplicates_are_counted_and_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    lines = [(day, row.model, int(row.votes), "x") for day, row in rows_of(draw(10, models=5))]
    path = write(tmp_path / "s.csv", ("date", "model", "votes", "note"), [*lines, *lines[:3]])
    result = run(path, "--format", "json")
    assert json.loads(result.stdout)["reading"]["duplicates"] == 3
    assert f"read {len(lines) + 3} rows; counted {len(lines) + 3}, 3 of them a second row" in result.stderr
    assert "columns not used: note" in result.stderr


def stops(count: int, seed: int = 11) -> Board:
    """A board on which many models stop one after the other."""
    return draw(seed, models=2 * count, multiply={at: until(40 + 5 * at) for at in range(count)}, slots_a_day=20_000.0)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("many") / "s.csv"
    lines = [(day, row.model, int(row.votes), row.provider, row.license) for day, row in rows_of(stops(20))]
    return write(path, ("date", "model", "votes", "organization", "license"), lines)


class Sections(HTMLParser):
    """Identifiers and links within a page, and how often it contains a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag: object, attrs) -> None:
        named = dict(attrs)
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if "href" in named else []


def test_the_first_sentence_says_who_since_when_how_many_and_how_sure(many) -> None:
    report = told(many)
    first, sure = report["headline"][:2]
    ends = sorted(report["alerts"], key=lambda each: each["starts_at"], reverse=True)
    assert first.startswith(f"{len(ends)} models stopped getting votes for good")
    assert "(notices unknown)" in first
    newest = ends[0]
    assert newest["subject"]["model"] in first
    assert f"{newest['evidence']['expected']:,.0f} votes expected" in first
    assert f"{len(ends) - 3} others" in first
    assert "are to be expected by chance" in sure
    assert report["headline"][-1].startswith("The file cannot say: private variants, ")


def test_where_notices_are_unknown_nothing_is_called_silent(many, tmp_path: Path) -> None:
    assert "silent" not in run(many).stdout.lower()
    assert "silent" not in run(many, "--format", "html").stdout.lower()


def test_many_ends_are_grouped_and_folded_in_the_page(many) -> None:
    text = run(many, "--format", "html").stdout
    page = Sections(text)
    assert {*page.links} <= {f"#{name}" for name in page.ids}
    assert {"ends", "findings", "demands", "limits"} <= {*page.ids}
    assert text.count("whether there was a notice is not known") == 0
    assert text.count("Whether there was a notice is not known here.") == 1
    assert "<summary>2024: " in text


def test_the_terminal_shows_the_newest_ends_and_how_to_see_the_rest(many) -> None:
    report = told(many)
    ends = len(report["alerts"])
    shown = run(many).stdout
    assert f"{ends - 12} more (2024: {ends - 12}): --top {ends}, or --format html" in " ".join(shown.split())
    assert len(run(many, "--top", ends).stdout.splitlines()) > len(shown.splitlines())


def test_one_figure_has_one_value_wherever_it_is_told(many) -> None:
    report = told(many)
    counts = report["counts"]
    deprecation = report["findings"][3]["says"]
    assert deprecation[0].startswith(f"{counts['inactive']} of {counts['listed']} listed models are inactive")
    assert f"The votes of {counts['stopped']} models stopped for good" in deprecation[1]
    cutoff = report["cutoff"]["votes_a_day"]
    swept = {each["votes_a_day"]: each["inactive"] for each in report["cutoff"]["inactive_by_cutoff"]}
    assert swept[cutoff] == counts["inactive"]
    assert any(line.startswith(f"{counts['inactive']} of {counts['listed']}") for line in report["headline"])


def test_private_variants_of_a_registry_are_told_by_every_answer() -> None:
    board = draw(12, models=8)
    fields = {"arena": "text", "provider": "firm 1", "license": "proprietary", "status": "active", "weight": 1.0}
    named = [Model(model=names[0], visibility="public", tstamp=1.0, **fields) for names in board.names]
    hidden = [Model(model=f"hidden {at}", visibility="private", tstamp=2.0, **fields) for at in range(5)]
    report = audit(board, registry=[*named, *hidden])
    private, cap = report.findings[0], report.demands[1]
    assert private.verdict == cap.verdict == "shown"
    assert private.says[0] == cap.says[0] == "Private variants at once, at most, as the registry says: firm 1 5."
    assert not any("Private variants" in each for each in report.cannot_say)


def test_the_luck_of_a_choice_has_the_errors_of_models_that_are_young_at_their_first_row() -> None:
    board = draw(12, models=8)
    half = {f"new {at}": width for at, width in enumerate((14.0, 10.0, 6.0, 5.0))}
    joined = [
        Row(
            START + day * 86_400,
            name,
            "firm",
            "proprietary",
            1_000.0 * (at + 1) + day,
            None,
            1000.0,
            1000.0 - w,
            1000.0 + w,
        )
        for at, (name, w) in enumerate(half.items())
        for day in board.days[10:]
    ]
    luck = audit([*board.rows(), *joined]).findings[0].says[-1]
    # The median of 14 and 10: the two with the most votes are not young.
    assert "±12.0 points in the 2 first rows with the fewest votes, so σ = 6.1" in luck
    assert "9.4 points for N = 10" in luck


def test_an_events_file_without_totals_is_told_to_be_one(tmp_path: Path) -> None:
    result = run(write(tmp_path / "s.csv", ("date", "model", "action"), [("2025-01-06", "a", "added")]))
    assert result.exit_code == 1
    assert "the column 'action' says that each row is an event" in result.stderr


def test_many_remarks_of_one_kind_are_one_line_with_their_number_and_examples() -> None:
    board = draw(3, models=40, spread=0.05)
    totals = board.totals.copy()
    for model in range(12):
        totals[model, 8 + model :] -= totals[model, 8 + model] - 30
    report = audit(board.changed(totals))
    assert sum(each.kind.value == "reset" for each in report.remarks) == 12
    console = Console(width=2_000, file=io.StringIO())
    show_report(console, report)
    for said in (console.file.getvalue(), page(report)):
        assert said.count("it began again") == 2
        assert f"Reset: 12 times, {board.date(8)} to {board.date(19)}; all are in the JSON" in said
    assert f"{len(report.remarks)} remarks" in page(report)


def test_of_many_departures_the_rest_is_counted() -> None:
    board = draw(3, models=60, spread=0.05)
    totals = board.totals.copy()
    for model in range(14):
        totals[model, 8 + model :] = -1
    (demand,) = [each for each in audit(board.changed(totals)).demands if each.id == "no_retraction"]
    assert "And 4 others: `gone` in the JSON has all." in demand.says


def test_an_alert_that_is_over_is_called_resolved() -> None:
    report = audit(stops(3).rows())
    over = [msgspec.structs.replace(report.alerts[0], status=Status.RESOLVED), *report.alerts[1:]]
    console = Console(width=2_000, file=io.StringIO())
    show_report(console, msgspec.structs.replace(report, alerts=over))
    assert console.file.getvalue().count("(resolved)") == 1


def test_a_file_of_minutes_is_not_said_to_last_no_days() -> None:
    rows = [Row(START + at * 400, f"m{model}", None, None, 100 * at) for at in range(4) for model in range(5)]
    (said,) = [each for each in audit(rows).headline if "inactive" in each]
    assert "over the last 20 minutes" in said


def test_what_stopped_in_rows_without_order_is_told_in_a_sentence() -> None:
    rows = [replace(row, rank=None, score=None) for row in stops(1).rows()]
    first = audit(rows[::-1]).headline[0]
    assert first.startswith("1 model stopped getting votes for good, or dropped out of the file while gaining (")
