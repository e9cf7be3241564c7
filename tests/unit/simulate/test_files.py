"""The command: files in one order or one for each topic, which `rate` and `audit` read; the truth; mistakes."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from services.cli.rate import fold_source
from services.cli.simulate import command
from services.simulate import Truth, shipped
from services.sources import open_source
from streams.contracts.model import parse_model
from streams.contracts.vote import parse_vote
from tests.unit.simulate.making import HEAD, TEN, event

TEXT = HEAD + TEN + event("remove", 1_000, models="m-03") + event("unregister", 2_000, models="m-04")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return path


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(command, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result


def test_one_file_holds_both_topics_in_order(mine: Path, tmp_path: Path) -> None:
    out, truth = tmp_path / "out.jsonl", tmp_path / "truth.json"
    run(mine, "--battles", 3_000, "--out", out, "--truth", truth)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["topic"] for line in lines[:11]] == ["models"] * 10 + ["votes"]
    assert lines[10 + 2_000] == {"topic": "models", "key": "text/m-04", "value": None}
    votes = [line for line in lines if line["topic"] == "votes"]
    assert len(votes) == 3_000
    assert all(line["value"]["id"] == line["key"] for line in votes)
    parse_vote(json.dumps(votes[0]["value"]).encode(), 2e9)
    parse_model(json.dumps(lines[0]["value"]).encode(), lines[0]["key"].encode(), 2e9)
    told = msgspec.json.decode(truth.read_bytes(), type=Truth)
    assert (told.silently_removed, told.unannounced) == ({"m-03": 1_000}, {"m-04": 2_000})
    assert {each.row for each in told.events} == {0, 1_000, 2_000}


def test_a_directory_is_rated(mine: Path, tmp_path: Path) -> None:
    result = run(mine, "--battles", 3_000, "--out", tmp_path / "made", "--seed", 3)
    assert "1 deletions" in result.stderr
    states, summary, _ = fold_source(open_source(str(tmp_path / "made/votes.jsonl"), now=2e9))
    assert (states["text"].boards["overall"].battles, summary.dropped) == (3_000, 0)
    assert len((tmp_path / "made/models.jsonl").read_text().splitlines()) == 10
    assert msgspec.json.decode((tmp_path / "made/truth.json").read_bytes(), type=Truth).seed == 3


def test_standard_output_carries_records_only(mine: Path) -> None:
    result = run(mine, "--battles", 100, "--out", "-", "--arena", "other", "--format", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 110
    assert lines[0]["key"] == "other/m-01"
    assert json.loads(result.stderr)["rows"] == 100


def test_what_was_done_is_told_for_programs(mine: Path, tmp_path: Path) -> None:
    said = json.loads(run(mine, "--battles", 1_500, "--out", tmp_path / "x.jsonl", "--format", "json").stdout)
    assert (said["battles"], said["notices"], said["healthy"]) == (1_500, 10, 9)
    assert said["deeds"] == {"joined": 10, "silent_removal": 1}


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_list_names_every_scenario(form: str) -> None:
    output = run("--list", "--format", form).stdout
    assert all(name in output for name in shipped())


def test_now_ends_now(mine: Path, tmp_path: Path) -> None:
    import time

    run(mine, "--battles", 1_000, "--out", tmp_path / "x.jsonl", "--now")
    last = json.loads((tmp_path / "x.jsonl").read_text().splitlines()[-1])["value"]["tstamp"]
    assert -60 < last - time.time() <= 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "name a SCENARIO"),
        (["healthy"], 2, "either --out or --kafka"),
        (["healthy", "--out", "x.jsonl", "--kafka"], 2, "either --out or --kafka"),
        (["healthy", "--out", "x.jsonl", "--rate", "5"], 2, "--kafka"),
        (["no-such", "--out", "x.jsonl"], 1, "no-such: neither"),
        (["healthy", "--arena", "No", "--out", "x.jsonl"], 1, "arena: 'No'"),
    ],
)
def test_mistakes_end_with_one_sentence(arguments: list[str], code: int, said: str) -> None:
    assert said in run(*arguments, code=code).stderr


def test_a_clock_that_ends_in_the_future_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "late.toml"
    path.write_text(HEAD + "[clock]\nstart = 4_000_000_000\n" + TEN)
    assert "use --now" in run(path, "--kafka", code=1).stderr


@pytest.mark.parametrize("name", ["x.json", "x.csv", "README.md", "x.jsonl.gz"])
def test_a_name_that_is_neither_jsonl_nor_a_directory_is_refused(mine: Path, tmp_path: Path, name: str) -> None:
    assert f"{name}: give a file that ends in .jsonl" in run(mine, "--out", tmp_path / name, code=1).stderr
    assert sorted(tmp_path.iterdir()) == [mine]


def test_a_file_in_the_place_of_a_directory_stays(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    assert "notes: File exists" in run(mine, "--out", tmp_path / "notes", code=1).stderr
    assert (tmp_path / "notes").read_text() == "mine"


def test_an_existing_file_is_replaced_with_force_only(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    out.write_text("mine")
    refused = run(mine, "--battles", 100, "--out", out, code=1)
    assert refused.stderr == f"Error: {out} exists already: --force replaces it\n"
    assert out.read_text() == "mine"
    run(mine, "--battles", 100, "--out", out, "--force")
    assert len(out.read_text().splitlines()) == 110


@pytest.mark.parametrize("name", ["votes.jsonl", "models.jsonl", "truth.json"])
def test_a_directory_with_a_file_of_that_name_is_left_as_it_is(mine: Path, tmp_path: Path, name: str) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / name).write_text("mine")
    assert f"{name} exists already: --force replaces it" in run(mine, "--out", made, code=1).stderr
    assert [(each.name, each.read_text()) for each in made.iterdir()] == [(name, "mine")]
    run(mine, "--battles", 100, "--out", made, "--force")
    assert sorted(each.name for each in made.iterdir()) == ["models.jsonl", "truth.json", "votes.jsonl"]
    assert "mine" not in (made / name).read_text()


def test_the_truth_replaces_neither_a_file_nor_the_scenario_nor_the_records(mine: Path, tmp_path: Path) -> None:
    out, truth = tmp_path / "x.jsonl", tmp_path / "truth.json"
    truth.write_text("mine")
    assert "exists already: --force" in run(mine, "--out", out, "--truth", truth, code=1).stderr
    assert "exists already: --force" in run(mine, "--kafka", "--now", "--truth", truth, code=1).stderr
    link = tmp_path / "link.json"
    link.symlink_to(mine)
    for path in (mine, link):
        refused = run(mine, "--out", out, "--truth", path, "--force", code=1)
        assert f"{path} is read as SCENARIO: write to another file" in refused.stderr
    assert "the records are written there" in run(mine, "--out", out, "--truth", out, code=1).stderr
    assert (mine.read_text(), truth.read_text(), out.exists()) == (TEXT, "mine", False)
