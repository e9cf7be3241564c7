"""Files of snapshots: names of columns, kinds of files, boards, untidy cells, and mistakes in one sentence."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import polars
import pytest

from services.audit.columns import is_snapshots
from services.audit.run import AuditRequest, read_registry, run_audit
from services.audit.snapshots import Wanted, read_snapshots
from services.audit.table import open_table
from services.export.official import OfficialRow, csv_of
from services.sources import SourceError
from streams.audit.options import Options

LINES = [
    {"date": "2024-06-19", "model": "a", "organization": "X", "license": "MIT", "votes": 100},
    {"date": "2024-06-19", "model": "b", "organization": "Y", "license": "Proprietary", "votes": 200},
    {"date": "2024-06-26", "model": "a", "organization": "X", "license": "MIT", "votes": 150},
    {"date": "2024-06-26", "model": "b", "organization": "Y", "license": "Proprietary", "votes": 250},
]


def as_csv(lines, delimiter=","):
    return "\n".join([delimiter.join(lines[0]), *(delimiter.join(map(str, line.values())) for line in lines)]) + "\n"


def write(path, lines):
    if path.suffix == ".parquet":
        polars.DataFrame(lines).write_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(lines))
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, lines)))
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(as_csv(lines).encode()))
    else:
        path.write_text(as_csv(lines, "\t" if path.suffix == ".tsv" else ","))
    return str(path)


def read(path, board=None, columns=None):
    return read_snapshots(open_table(path), Wanted(columns, board))


def ask(path, **changes):
    wanted = {name: changes.pop(name) for name in [*changes] if name in Wanted.__dataclass_fields__}
    asked = {"kind": "auto", "registry": None, "arena": None, "options": Options()} | changes
    return run_audit(AuditRequest(str(path), wanted=Wanted(**wanted), **asked))


@pytest.mark.parametrize("name", ["s.csv", "s.tsv", "s.jsonl", "s.json", "s.parquet", "s.csv.gz"])
def test_every_kind_of_file_reads_alike(tmp_path, name):
    snapshots = read(write(tmp_path / name, LINES))
    assert [(row.date, row.model, row.provider, row.license, row.votes) for row in snapshots.rows] == [
        (1718755200.0, "a", "X", "MIT", 100),
        (1718755200.0, "b", "Y", "Proprietary", 200),
        (1719360000.0, "a", "X", "MIT", 150),
        (1719360000.0, "b", "Y", "Proprietary", 250),
    ]


@pytest.mark.parametrize("date", ["snapshot_date", "last_updated", "publish_date", "Date"])
@pytest.mark.parametrize("model", ["model_name", "key"])
@pytest.mark.parametrize("votes", ["vote_count", "num_battles", "votes_count"])
def test_names_of_columns_are_known(tmp_path, date, model, votes):
    names = {"date": date, "model": model, "votes": votes, "organization": "org", "license": "licence"}
    lines = [{names[field]: cell for field, cell in line.items()} for line in LINES]
    snapshots = read(write(tmp_path / "s.csv", lines))
    assert [(row.model, row.provider, row.license, row.votes) for row in snapshots.rows[:1]] == [("a", "X", "MIT", 100)]


def test_other_names_of_columns_can_be_given(tmp_path):
    lines = [{"when": each["date"], "who": each["model"], "n": each["votes"]} for each in LINES]
    path = write(tmp_path / "s.csv", lines)
    assert len(read(path, columns={"date": "when", "model": "who", "votes": "n"}).rows) == 4
    report, _ = ask(path, columns={"date": "when", "model": "who", "votes": "n"})
    assert report.kind == "snapshots"


def test_scores_and_intervals_are_read(tmp_path):
    lines = [each | {"arena_score": 1287, "ci95": "+3/-4", "rank": 1} for each in LINES]
    row = read(write(tmp_path / "s.csv", lines)).rows[0]
    assert (row.score, row.lower, row.upper, row.rank) == (1287, 1283, 1290, 1)
    lines = [each | {"rating": 1287.5, "rating_q025": 1280, "rating_q975": 1291} for each in LINES]
    row = read(write(tmp_path / "t.csv", lines)).rows[0]
    assert (row.score, row.lower, row.upper) == (1287.5, 1280, 1291)


def test_the_text_board_is_taken_unless_another_is_named(tmp_path):
    lines = [each | {"board": board} for board in ("vision", "text") for each in LINES]
    path = write(tmp_path / "s.csv", lines)
    assert read(path).board == "text"
    assert read(path, "Vision").board == "vision"
    with pytest.raises(SourceError, match=r"there is no board 'code'; the boards are: text, vision"):
        read(path, "code")


def test_the_one_board_of_a_file_without_names_is_not_chosen_by_name(tmp_path):
    path = write(tmp_path / "s.csv", LINES)
    with pytest.raises(SourceError, match="the file has one board, without a name: leave out --board"):
        read(path, "chat")


def test_boards_with_categories_are_told_apart(tmp_path):
    lines = [each | {"board": "text", "category": name} for name in ("math", "overall") for each in LINES]
    path = write(tmp_path / "s.csv", lines)
    assert read(path).board == "text/overall"
    assert read(path, "math").board == "text/math"
    assert len(read(path).rows) == 4


def test_several_boards_without_a_usual_one_must_be_chosen(tmp_path):
    lines = [each | {"board": board} for board in ("math", "code") for each in LINES]
    with pytest.raises(SourceError, match=r"several boards, choose one with --board: 'code', 'math'"):
        read(write(tmp_path / "s.csv", lines))


def test_untidy_cells(tmp_path):
    lines = [
        {"date": "2024/06/19", "model": " a ", "votes": '"1,000"'},
        {"date": "20240626", "model": "a", "votes": "1200.0"},
        {"date": "2024-07-03", "model": "a", "votes": "-"},
        {"date": "2024-07-10T00:00:00Z", "model": "a", "votes": "1300"},
        {"date": "soon", "model": "a", "votes": "1300"},
        {"date": "2024-07-17", "model": "", "votes": "1300"},
    ]
    path = write(tmp_path / "s.csv", lines)
    with pytest.raises(
        SourceError, match=r"date: 1 of 6 cells are no date: 'soon' \(1, first at line 6\); model: 1 of 6"
    ):
        read(path)
    snapshots = read_snapshots(open_table(path), Wanted(drop=True))
    assert [row.votes for row in snapshots.rows] == [1000, 1200, None, 1300]
    assert {row.model for row in snapshots.rows} == {"a"}
    told = snapshots.reading
    assert [(each.field, each.value, each.count, each.first) for each in told.left_out] == [
        ("date", "soon", 1, "line 6"),
        ("model", "", 1, "line 7"),
    ]
    assert (told.read, told.counted, told.duplicates, told.without_total) == (6, 4, 0, 1)


def test_snapshots_and_votes_are_told_apart():
    assert is_snapshots(["date", "model", "votes"])
    assert not is_snapshots(["id", "model_a", "model_b", "winner", "tstamp"])
    assert not is_snapshots(["timestamp", "model", "model_a", "model_b", "votes"])
    assert is_snapshots(["date", "model", "rank"])
    assert not is_snapshots(["date", "model"])


def test_pipes_of_snapshots(tmp_path, monkeypatch):
    lines = "\n".join(map(json.dumps, LINES)).encode()

    class Pipe:
        buffer = io.BytesIO(lines)

    monkeypatch.setattr("sys.stdin", Pipe)
    report, _ = ask("-", kind="snapshots")
    assert (report.source, report.counts.models) == ("stdin", 2)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("s.csv", "", "it is empty"),
        ("s.csv", "date,model\n2024-01-01,a\n", "neither snapshots .no column for votes .* nor votes "),
        ("s.csv", "date,model,votes\n", "no row that can be used"),
        ("s.csv", "date,model,votes\nsoon,a,3\n", "1 of 1 cells are no date: 'soon' .1, first at line 2"),
        ("s.jsonl", "", "it is empty"),
        ("s.jsonl", "nonsense\n", "no JSON object"),
        ("s.json", "[1, 2", "not a JSON array"),
        ("s.parquet", "nonsense", "not a Parquet file"),
        ("s.xlsx", "", "not a kind of file that is read here"),
        (
            "s.csv",
            "\n<!DOCTYPE html>\n<html></html>\n",
            r"s\.csv: it is a web page .HTML., not CSV: .* Download the file",
        ),
        ("s.json", "<html><body>429</body></html>", r"s\.json: it is a web page .HTML., not JSON"),
        ("s.csv", "model,votes\na,3\n", r"s\.csv: boards without dates: .* write the day into each file's name"),
        (
            "s.json",
            '[{"date": "2024-01-01", "rows": [{"model": "a", "votes": 3}]}]',
            r"s\.json: 'rows' holds a list of rows",
        ),
        ("s.json", '{"2024-01-01": [{"model": "a"}], "2024-01-02": [{"model": "a"}]}', "rows of all as one list"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(SourceError, match=said):
        ask(path)


def test_boards_of_a_directory_are_named_that_have_no_date(tmp_path):
    for name in ("2025-01-06.csv", "latest.csv", "2025-01-08.csv"):
        (tmp_path / name).write_text("model,votes\na,3\nb,4\n")
    for kind in ("auto", "snapshots"):
        with pytest.raises(SourceError, match=r"no date in the name of [^,]*latest\.csv\. An audit"):
            ask(tmp_path, kind=kind)


def test_a_page_among_the_files_of_a_directory_is_named(tmp_path):
    for name in ("2025-01-06.csv", "2025-01-08.csv"):
        (tmp_path / name).write_text("model,votes\na,3\nb,4\n")
    (tmp_path / "2025-01-07.csv").write_text("<!doctype html><title>Too many requests</title>")
    with pytest.raises(SourceError, match=r"2025-01-07\.csv: it is a web page"):
        ask(tmp_path)


def test_a_missing_file_and_a_directory(tmp_path):
    with pytest.raises(SourceError, match="there is no such file"):
        ask(tmp_path / "none.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(SourceError, match="a directory without a file that is read here"):
        ask(tmp_path / "d.csv")


def test_a_broken_registry_names_its_line(tmp_path):
    path = write(tmp_path / "s.csv", LINES)
    registry = tmp_path / "r.jsonl"
    registry.write_text('{"model": "a"}\n')
    with pytest.raises(SourceError, match=r"r\.jsonl, line 1: no model record: .*arena"):
        ask(path, registry=registry)
    registry.write_text("\n")
    with pytest.raises(SourceError, match="there is no model record in it"):
        ask(path, registry=registry)
    with pytest.raises(SourceError, match="there is no such file"):
        ask(path, registry=tmp_path / "none.jsonl")


def test_votes_of_a_period_are_not_taken_for_totals(tmp_path):
    random = np.random.default_rng(3)
    daily = random.integers(400, 900, (12, 8))
    lines = [
        {"date": f"2025-01-{day + 1:02}", "model": f"m{model}", "votes": int(votes), "score": 1000 + model}
        for day, row in enumerate(daily)
        for model, votes in enumerate(row)
    ]
    path = write(tmp_path / "s.csv", lines)
    with pytest.raises(SourceError, match=r"column 'votes' holds no totals: on 1\d of 11 dates .*--columns votes="):
        read(path)
    assert {row.votes for row in read(path, columns={"votes": ""}).rows} == {None}
    for line, total in zip(lines, np.cumsum(daily, axis=0).ravel().tolist(), strict=True):
        line["votes"] = total
    assert len(read(write(tmp_path / "t.csv", lines)).rows) == 96


def test_a_notice_under_a_misspelt_name_is_not_passed_over(tmp_path):
    record = {"arena": "text", "model": "a", "provider": "X", "license": "open_weight", "visibility": "public",
              "status": "deprecated", "weight": 1, "tstamp": 1, "anounced_at": 1, "url": "x"}  # fmt: skip
    path = tmp_path / "models.jsonl"
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(SourceError, match=r"models\.jsonl, line 1: 'anounced_at' is not read; 'announced_at' is"):
        read_registry(path)
    record["announced_at"] = record.pop("anounced_at")
    path.write_text(json.dumps(record) + "\n")
    assert [each.announced_at for each in read_registry(path)] == [1]


def test_names_that_a_spreadsheet_would_compute_come_back_as_they_were_exported(tmp_path):
    names = ["=sum", "@cf/x", "-5", "'tis", "plain"]
    rows = [
        OfficialRow(name, "+Org", "'MIT", 1000.0, None, None, None, 100 * day, None, "@night", f"2025-01-0{day}")
        for day in (1, 8)
        for name in names
    ]
    path = tmp_path / "board.csv"
    path.write_text(csv_of(rows), "utf-8")
    read = read_snapshots(open_table(str(path)), Wanted())
    assert (read.board, {row.model for row in read.rows}) == ("@night", {*names})
    assert {(row.provider, row.license) for row in read.rows} == {("+Org", "'MIT")}
    # Elsewhere a name is as it stands, and an apostrophe before anything else belongs to it.
    lines = [line | {"model": "'=a"} for line in LINES[::2]] + LINES[1::2]
    assert {row.model for row in read_lines(tmp_path, lines)} == {"'=a", "b"}


def read_lines(folder, lines):
    path = folder / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_snapshots(open_table(str(path)), Wanted()).rows


def test_a_registry_names_models_as_votes_are_counted(tmp_path):
    record = {"arena": "text", "model": "cafe\u0301  9b", "provider": "E\u0301cole ", "license": "open_weight",
              "visibility": "public", "status": "active", "weight": 1, "tstamp": 1}  # fmt: skip
    path = tmp_path / "models.jsonl"
    path.write_text(json.dumps(record) + "\n")
    assert [(each.model, each.provider) for each in read_registry(path)] == [("caf\u00e9 9b", "\u00c9cole")]
