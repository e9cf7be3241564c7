"""`isonomy rate` stops at what it cannot read, and accounts for every row."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from services.cli.main import cli

HEAD = "model_a,model_b,winner,tstamp\n"


def rate(folder: Path, rows: str, *options: str, head: str = HEAD) -> Result:
    (folder / "votes.csv").write_text(head + rows, "utf-8")
    return CliRunner().invoke(cli, ["rate", str(folder / "votes.csv"), *options])


def test_a_word_that_is_not_known_stops_and_names_the_way_out(tmp_path: Path) -> None:
    result = rate(tmp_path, "oak,fir,a,1\noak,fir,fooled,2\n")
    assert result.exit_code == 1
    assert "winner 'fooled' in 1 row. Nothing was rated" in result.stderr
    assert result.stdout == ""
    assert rate(tmp_path, "oak,fir,a,1\noak,fir,fooled,2\n", "--words", "fooled=tie").exit_code == 0


def test_dropping_is_said_on_the_board_and_by_the_exit_code(tmp_path: Path) -> None:
    rows = "oak,fir,a,1\noak,fir,fooled,2\noak,fir,b,3\n"
    result = rate(tmp_path, rows, "--drop-unreadable", "--format", "json")
    assert result.exit_code == 3
    said = json.loads(result.stdout)
    assert (said["boards"]["overall"]["votes"], said["boards"]["overall"]["dropped"]) == (2, 1)
    assert said["reading"]["values"] == {"winner": {"fooled": 1}}
    table = rate(tmp_path, rows, "--drop-unreadable")
    assert "without 1 rows that cannot be read" in table.stdout


def test_ratings_need_no_times_and_elo_follows_them_where_they_are(tmp_path: Path) -> None:
    forward = "oak,fir,a,1\nyew,fir,a,2\noak,yew,b,3\n"
    backward = "".join(reversed(forward.splitlines(keepends=True)))

    def elo(rows: str) -> dict[str, float]:
        board = json.loads(rate(tmp_path, rows, "--format", "json").stdout)["boards"]["overall"]
        return {line["model"]: line["elo"] for line in board["models"]}

    assert elo(forward) == elo(backward)
    untimed = rate(tmp_path, forward + "oak,fir,a,soon\n")
    assert untimed.exit_code == 0
    assert "1 of 4 times cannot be read ('soon' in 1 row): ratings need none" in untimed.stderr
    assert "Elo follows the order of the file" in untimed.stderr
    assert "read 4 rows: 4 votes counted" in untimed.stderr


def test_a_board_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    result = rate(tmp_path, "oak,fir,a,1\nfir,oak,a,2\n", "--board", "nosuch")
    assert result.exit_code == 1
    assert "there is no board 'nosuch'; the boards are: overall" in result.stderr


def test_layouts_are_listed_and_exit_codes_explained() -> None:
    assert "comparia" in CliRunner().invoke(cli, ["rate", "--layouts"]).stdout
    assert "--drop-unreadable dropped" in CliRunner().invoke(cli, ["rate", "--help"]).stdout


def test_anchors_and_boards_are_named_as_votes_are_counted(tmp_path: Path) -> None:
    rows = "caf\u00e9 9b,fir,a,1,f\u00fcr\ncaf\u00e9 9b,fir,b,2,f\u00fcr\n" * 9
    head = "model_a,model_b,winner,tstamp,language\n"
    asked = ("--anchor", "cafe\u0301  9b=1200", "--board", "language:fu\u0308r ", "--format", "json")
    result = rate(tmp_path, rows, *asked, head=head)
    assert result.exit_code == 0, result.stderr
    board = json.loads(result.stdout)["boards"]["language:f\u00fcr"]
    assert board["gauge"]["applied"]
    assert {line["model"]: line["rating"] for line in board["models"]}["caf\u00e9 9b"] == 1200
    twice = rate(tmp_path, rows, "--anchor", "fir=1000", "--anchor", "fir =1200", head=head)
    assert twice.exit_code != 0
    assert "names a model twice" in twice.stderr
    for rating in ("nan", "inf", "1e7"):
        refused = rate(tmp_path, rows, "--anchor", f"fir={rating}", head=head)
        assert "from -1,000,000 to 1,000,000" in refused.stderr


def test_of_many_refused_rows_a_few_of_each_reason_come_first_then_the_error_then_what_to_do(tmp_path: Path) -> None:
    long = "x" * 5_000
    rows = "oak,fir,a,1\n" + "oak,fir,odd,2\n" * 40 + "nan,fir,a,2\n" * 30 + f"oak,fir,{long},3\n"
    told = rate(tmp_path, rows).stderr.splitlines()
    shown = [line for line in told if line.startswith("refused ")]
    assert [line.partition(": ")[0] for line in shown] == [
        *("refused line 3", "refused line 4", "refused line 5", "refused 38 more rows"),
        *("refused line 43", "refused line 44", "refused line 45", "refused 27 more rows"),
    ]
    assert shown[3] == "refused 38 more rows: unknown_winner"
    error = " ".join(told[told.index(shown[-1]) + 1 :])
    assert error.index("71 of 72 rows cannot be read") < error.index("Nothing was rated") < error.index("--words")
    assert "xxx…" in error
    assert len(error) < 1_500
