"""`isonomy audit`: its three formats, and mistakes of a person."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.dom import minidom

import click
import pytest
from click.testing import CliRunner, Result

from services.cli.main import cli
from tests.unit.audit.boards import Board, draw, until


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Board]:
    """A file with a stop, a rename and a bracketed name that a terminal could take for markup."""
    board = draw(1, multiply={3: until(105)}, spread=0.05)
    path = tmp_path_factory.mktemp("snapshots") / "board.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["snapshot_date", "model", "organization", "license", "votes", "arena_score", "ci95"])
        for model, names in enumerate(board.names):
            for at, name in enumerate(names):
                shown = {3: f"{name} [bold]<i>\x1b[31m", 5: f"{name} (new)" if at > 20 else name}.get(model, name)
                total = board.totals[model, at]
                firm, terms = board.providers[model], board.licenses[model]
                writer.writerow([board.date(at), shown, firm, terms, total, 1200 + model, "+5/-5"])
    return path, board


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["audit", *map(str, arguments)])


def test_json_has_the_shape_of_the_contract(snapshots: tuple[Path, Board]) -> None:
    path, board = snapshots
    told = json.loads(run(path, "--format", "json").stdout)
    assert {
        "source", "period", "counts", "models", "shares", "inequality", "churn", "alerts", "cannot_say",
    } <= set(told)  # fmt: skip
    assert {
        "models", "active", "deprecated", "retired", "inactive", "inactive_without_notice",
    } <= set(told["counts"])  # fmt: skip
    for line in told["models"]:
        assert {"model", "provider", "license", "state", "last_seen"} <= set(line)
        assert line["state"] in ("active", "inactive", "gone", "renamed")
    (renamed,) = [line for line in told["models"] if line["state"] == "renamed"]
    assert renamed["renamed_to"] == f"{renamed['model']} (new)"
    (alert,) = told["alerts"]
    assert {
        "id", "fingerprint", "arena", "kind", "severity", "status", "subject", "starts_at", "detected_at", "summary",
        "evidence", "runbook_url", "version",
    } <= set(alert)  # fmt: skip
    assert alert["subject"] == {"model": f"{board.names[3][0]} [bold]<i>\x1b[31m"}
    assert set(told["shares"]) == {"provider", "license"}


def test_json_is_the_same_every_time(snapshots: tuple[Path, Board]) -> None:
    path, _ = snapshots
    assert run(path, "--format", "json").stdout == run(path, "--format", "json").stdout


class Page(HTMLParser):
    """Notes what a page refers to, and whether its elements close."""

    VOID = ("meta", "br", "line", "rect", "polyline")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[str | None] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.refers += [value for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone(snapshots: tuple[Path, Board], tmp_path: Path) -> None:
    path, board = snapshots
    assert run(path, "--format", "html", "--output", tmp_path / "page.html").exit_code == 0
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.open == []
    assert all(each.startswith("#") for each in page.refers)
    assert "http" not in text
    assert "<i>" not in text
    assert "\x1b" not in text
    assert "script" not in page.tags
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert board.names[3][0] in text
    drawn = text.split("<svg")[1:]
    assert len(drawn) >= 5
    for each in drawn:
        plot = minidom.parseString("<svg" + each.split("</svg>")[0] + "</svg>").documentElement
        assert plot.getAttribute("role") == "img"
        assert plot.getElementsByTagName("title")[0].firstChild.data
        assert plot.getElementsByTagName("desc")[0].firstChild.data
    assert page.tags.count("details") >= len(drawn)


def test_the_terminal_shows_what_matters_first(snapshots: tuple[Path, Board]) -> None:
    path, board = snapshots
    shown = run(path).stdout
    assert shown.index("1 model stopped getting votes") < shown.index("Alerts") < shown.index("Four findings")
    assert shown.index("Five demands") < shown.index("What this cannot say")
    assert board.names[3][0] in shown
    assert "[bold]<i>" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_narrow_terminal_is_kept(
    snapshots: tuple[Path, Board], width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    from services.audit.run import AuditRequest, run_audit
    from services.audit.show import show_report
    from services.audit.snapshots import Wanted
    from streams.audit.options import Options

    path, _ = snapshots
    report, _ = run_audit(AuditRequest(str(path), "auto", Wanted(), None, None, Options()))
    show_report(Console(width=width, force_terminal=False), report)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width


def test_top_limits_the_tables(snapshots: tuple[Path, Board]) -> None:
    path, _ = snapshots
    assert len(run(path, "--top", 2).stdout) < len(run(path).stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv"], "there is no such file"),
        (["x.csv", "--arena", "No Arena"], "arena 'No Arena'"),
        (["x.csv", "--columns", "model"], "is not FIELD=COLUMN"),
    ],
)
def test_mistakes_end_with_a_sentence(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_place_that_cannot_be_written(snapshots: tuple[Path, Board], tmp_path: Path) -> None:
    result = run(snapshots[0], "--output", tmp_path / "none" / "page.html")
    assert result.exit_code == 1
    assert "No such file or directory" in result.output


def test_an_existing_file_is_replaced_with_force_only(snapshots: tuple[Path, Board], tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    output.write_text("mine")
    refused = run(snapshots[0], "--format", "json", "--output", output)
    assert (refused.exit_code, refused.stderr) == (1, f"Error: {output} exists already: --force replaces it\n")
    assert output.read_text() == "mine"
    assert run(snapshots[0], "--format", "json", "--output", output, "--force").exit_code == 0
    assert json.loads(output.read_text())["alerts"]
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_a_refusal_comes_before_the_reading(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("nothing of use\n")
    (tmp_path / "report.html").write_text("mine")
    assert "exists already" in run(tmp_path / "bad.csv", "--output", tmp_path / "report.html").stderr


def test_a_device_is_not_replaced(snapshots: tuple[Path, Board]) -> None:
    refused = run(snapshots[0], "--output", "/dev/null", "--force")
    assert (refused.exit_code, Path("/dev/null").is_char_device()) == (1, True)
    assert "/dev/null is not a regular file" in refused.stderr


BOARD = "date,model,votes\n2024-06-19,a,3\n2024-06-26,a,5\n"


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """A file for each option that names one, two files of one source, and links to one of them."""
    names = ("days/2024-06-19.csv", "days/2024-06-26.csv", "models.jsonl", "providers.toml", "layout.toml")
    paths = {Path(name).stem: tmp_path / name for name in names}
    (tmp_path / "days").mkdir()
    for path in paths.values():
        path.write_text(BOARD)
    paths["symbolic"], paths["hard"] = tmp_path / "symbolic.csv", tmp_path / "hard.csv"
    paths["symbolic"].symlink_to(paths["2024-06-26"])
    paths["hard"].hardlink_to(paths["2024-06-26"])
    return paths


@pytest.mark.parametrize("source", ["days/2024-06-26.csv", "days", "days/*.csv", "days/../days/2024-06-26.csv"])
@pytest.mark.parametrize("output", ["2024-06-26", "symbolic", "hard"])
def test_the_source_is_never_replaced(inputs: dict[str, Path], tmp_path: Path, source: str, output: str) -> None:
    refused = run(tmp_path / source, "--output", inputs[output], "--force")
    assert refused.exit_code == 1
    assert refused.stderr == f"Error: {inputs[output]} is read as SOURCE: write to another file\n"
    assert inputs[output].read_text() == BOARD


@pytest.mark.parametrize("name", ["models", "providers", "layout"])
def test_a_file_of_an_option_is_never_replaced(inputs: dict[str, Path], name: str) -> None:
    option = {"models": "--registry", "providers": "--providers", "layout": "--layout"}[name]
    refused = run(inputs["2024-06-26"], option, inputs[name], "--output", inputs[name], "--force")
    assert refused.exit_code == 1
    assert refused.stderr == f"Error: {inputs[name]} is read as {option}: write to another file\n"
    assert inputs[name].read_text() == BOARD


def test_a_file_on_standard_input_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text('{"model_a": "a", "model_b": "b", "winner": "tie", "tstamp": 1724000000}\n')
    with path.open() as stdin:
        arguments = ["audit", "-", "--output", str(path), "--force"]
        command = [sys.executable, "-m", "services.cli.main", *arguments]
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"Error: {path} is read as SOURCE: write to another file\n")
    assert "1724000000" in path.read_text()


def test_refused_rows_are_told_beside_the_report(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,model,votes\n2024-06-19,a,3\nsoon,a,4\n2024-06-26,a,5\n")
    stopped = run(path, "--format", "json")
    assert (stopped.exit_code, stopped.stdout) == (1, "")
    assert "date: 1 of 3 cells are no date: 'soon' (1, first at line 3)" in stopped.stderr
    result = run(path, "--format", "json", "--drop-unreadable")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["counts"]["models"] == 1
    assert "read 3 rows; counted 2, 0 of them a second row of a model on a date" in result.stderr
    assert "left out: date 'soon', 1 times, first at line 3" in result.stderr


def test_votes_without_their_times_are_not_suggested_where_times_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner,tstamp\noak,fir,a,1724000000\noak,fir,b,soon\n")
    stopped = run(path)
    assert stopped.exit_code == 1
    assert "tstamp 'soon' in 1 row. Nothing was judged" in stopped.stderr
    assert "What helps: --drop-unreadable goes on without these rows" in stopped.stderr


def test_help_names_every_option() -> None:
    text = run("--help").stdout
    command = cli.get_command(click.Context(cli), "audit")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.name == "help"
            assert parameter.opts[0] in text
