"""What a running stack exports is read by programs that know nothing of it, and by the project's own commands."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import polars as pl
import pytest

from streams.contracts.topics import LEDGER
from streams.contracts.vote import WINNER_NAMES, WINNERS
from tests.support.eventually import eventually
from tests.support.pipeline import Pipeline, make_votes
from tests.support.stack import TestRedis

pytestmark = pytest.mark.integration
OFFICIAL = [
    "model_name", "organization", "license", "rating", "rating_lower", "rating_upper", "variance", "vote_count", "rank",
    "category", "leaderboard_publish_date",
]  # fmt: skip


def test_boards_and_votes_of_a_live_arena_leave_it_whole(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.create_topics()
    worker = pipeline.worker().start().wait_ready()
    votes = make_votes(400, seed=11)
    pipeline.produce(votes)
    pipeline.wait_counted(400)
    boards, table = tmp_path / "text.parquet", tmp_path / "votes.parquet"

    said = pipeline.isonomy("export", "board", "text", "--since", "2020-01-01", "-o", str(boards)).stderr
    assert "boards of arena text" in said
    found = pl.read_parquet(boards)
    assert found.columns == OFFICIAL
    assert {str(kind) for kind in found.select("vote_count", "rank").dtypes} == {"Int64"}
    published = pipeline.board()
    overall = found.filter(
        (pl.col("category") == "overall")
        & (pl.col("leaderboard_publish_date") == found["leaderboard_publish_date"].max())
    )
    assert dict(overall.select("model_name", "rating").rows()) == {line.model: line.rating for line in published.models}
    assert overall.filter(pl.col("rank").is_null()).height == published.solver.provisional
    assert any(category.startswith("language:") for category in found["category"].unique())
    read = json.loads(pipeline.isonomy("audit", str(boards), "--format", "json").stdout)
    assert {each["model"] for each in read["models"]} <= {line.model for line in published.models}

    text = pipeline.isonomy("export", "board", "text", "--board", "overall").stdout
    lines = list(csv.DictReader(io.StringIO(text)))
    assert list(lines[0]) == OFFICIAL
    assert {line["category"] for line in lines} == {"overall"}

    assert "400 votes of 1 arena" in pipeline.isonomy("export", "votes", "-o", str(table)).stderr
    written = pl.read_parquet(table)
    winners = {word: WINNER_NAMES[code] for word, code in WINNERS.items()}
    sent = {(vote["model_a"], vote["model_b"], winners[vote["winner"]], vote["tstamp"]) for vote in votes}
    assert set(written.select("model_a", "model_b", "winner", "tstamp").rows()) == sent
    assert written.height == 400
    again = json.loads(pipeline.isonomy("rate", str(table), "--format", "json").stdout)["boards"]["overall"]
    assert {line["model"]: line["votes"] for line in again["models"]} == {
        line.model: line.votes for line in published.models
    }
    assert worker.stop() == 0


def test_what_an_export_cannot_do_is_one_sentence_and_leaves_nothing(
    pipeline: Pipeline, tmp_path: Path, redis_server: TestRedis
) -> None:
    pipeline.create_topics()
    there = tmp_path / "there.parquet"
    there.write_text("mine")
    for arguments, why in (
        (("board", "nowhere"), "there is no arena 'nowhere'; there are: none yet"),
        (("board", "text", "-o", str(tmp_path / "text.xlsx")), "or a name that ends in .parquet or .csv"),
        (("board", "text", "--since", "yesterday"), "give a day as YYYY-MM-DD"),
        (("votes", "-o", str(there)), "exists already: --force replaces it"),
        (("votes", "-o", str(tmp_path / "votes.csv")), "use a name that ends in .parquet"),
        (("votes", "--arena", "nowhere", "-o", str(tmp_path / "n.parquet")), "has no records of arena 'nowhere'"),
        (("ledger", "-o", str(tmp_path / "no" / "such.parquet")), "No such file or directory"),
    ):
        refused = pipeline.isonomy("export", *arguments, check=False)
        assert refused.returncode == 1, arguments
        assert why in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr
    assert [each.name for each in tmp_path.iterdir() if each.suffix != ".log"] == ["there.parquet"]
    assert there.read_text() == "mine"


def test_a_record_that_cannot_be_read_stops_the_export(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.create_topics()
    pipeline.produce_raw(
        LEDGER.name, [(b"text", msgspec.msgpack.encode({"v": 1, "kind": "tomorrow", "arena": "text"}))]
    )
    eventually(lambda: len(pipeline.topic(LEDGER.name)) == 1)
    refused = pipeline.isonomy("export", "ledger", "-o", str(tmp_path / "all.parquet"), check=False)
    assert refused.returncode == 1
    assert "ledger record of kind 'tomorrow'" in refused.stderr
    assert not (tmp_path / "all.parquet").exists()
