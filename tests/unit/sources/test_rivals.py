"""Two columns with the same meaning: they agree in every row, or the reading stops because either may count."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from services.sources import SourceError, VoteSource, open_source
from services.sources.summary import Summary

NOW = 1_800_000_000.0
HEAD = "model_a,model_b,winner"
ROWS = [["oak", "fir", "model_a"], ["fir", "yew", "model_b"], ["oak", "yew", "tie"], ["oak", "fir", "oak"]]
MEANT = ["model_a", "model_b", "tie", "model_a"]


def opened(folder: Path, header: str, rows: list[list[Any]], **asked: Any) -> VoteSource:
    with (folder / "votes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return open_source(str(folder / "votes.csv"), now=NOW, **asked)


def said(source: VoteSource) -> list[str]:
    return [vote.winner for chunk in source.chunks() for vote in chunk.votes]


def beside(*columns: list[Any]) -> list[list[Any]]:
    return [[*row, *more] for row, more in zip(ROWS, zip(*columns, strict=True), strict=True)]


SAME = [
    ("preference", [["a", "right", "draw", "model_1"]]),
    ("verdict", [["oak", "yew", "", "oak"]]),
    ("score", [[1, 0, 0.5, 1]]),
    ("Winner", [["model_a", "model_b", "tie", "model_a"]]),
    ("winner_model_a,winner_model_b,winner_tie", [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]),
    ("chosen,rejected", [["oak", "yew", "", "oak"], ["fir", "fir", "", "fir"]]),
    ("is_tie", [[False, False, True, False]]),
    ("loser", [["fir", "fir", "", "fir"]]),
    ("model_1,model_2", [["oak ", "fir", "oak", "oak"], ["fir", "yew", "yew", "fir"]]),
]


@pytest.mark.parametrize(("names", "columns"), SAME)
def test_columns_that_agree_in_every_row_are_named_as_redundant(
    tmp_path: Path, names: str, columns: list[list[Any]]
) -> None:
    source = opened(tmp_path, f"{HEAD},{names}", beside(*columns))
    assert said(source) == MEANT
    assert "says the same as" in source.note
    assert names.partition(",")[0] in source.note


DIFFERENT = [
    ("preference", [["a", "left", "draw", "model_1"]]),
    ("verdict", [["oak", "fir", "", "oak"]]),
    ("score", [[1, 1, 0.5, 1]]),
    ("WINNER", [["model_a", "tie", "tie", "model_a"]]),
    ("chosen,rejected", [["oak", "fir", "", "oak"], ["fir", "yew", "", "fir"]]),
    ("is_tie", [[False, True, True, False]]),
    ("loser", [["oak", "fir", "", "fir"]]),
    ("loser", [["fir", "fir", "oak", "fir"]]),
    ("model_1,model_2", [["oak", "oak", "oak", "oak"], ["fir", "yew", "yew", "fir"]]),
    ("preference", [["4", "7", "1", "4"]]),  # of another meaning
]


@pytest.mark.parametrize(("names", "columns"), DIFFERENT)
def test_columns_that_differ_in_a_row_stop_and_are_named_with_the_line_and_the_way_out(
    tmp_path: Path, names: str, columns: list[list[Any]]
) -> None:
    with pytest.raises(SourceError, match=r"line [234]") as raised:
        opened(tmp_path, f"{HEAD},{names}", beside(*columns))
    assert all(repr(name) in str(raised.value) for name in names.split(",")[:1])
    assert "--columns" in str(raised.value)
    assert "--layout" in str(raised.value)


def test_a_person_chooses_between_columns_that_differ(tmp_path: Path) -> None:
    rows = beside(["b", "a", "tie", "b"])
    taken = opened(tmp_path, f"{HEAD},preference", rows, columns={"winner": "winner"})
    assert said(taken) == MEANT
    other = opened(tmp_path, f"{HEAD},preference", rows, columns={"winner": "preference"})
    assert said(other) == ["model_b", "model_a", "tie", "model_b"]
    assert said(opened(tmp_path, f"{HEAD},preference", rows, layout="contract")) == MEANT


def test_a_column_that_often_means_another_thing_and_holds_no_outcome_is_told(tmp_path: Path) -> None:
    source = opened(tmp_path, f"{HEAD},score,label", beside([3, 8, 5, 9], ["math", "code", "math", "math"]))
    assert said(source) == MEANT
    assert "column 'score' holds no outcomes and is not used" in source.note
    assert "column 'label' holds no outcomes and is not used" in source.note


def test_times_agree_as_moments_or_days(tmp_path: Path) -> None:
    tstamps, stamps = [1723600000 + at for at in range(4)], [f"2024-08-14T01:46:4{at}Z" for at in range(4)]
    source = opened(tmp_path, f"{HEAD},tstamp,timestamp,date", beside(tstamps, stamps, ["2024-08-14"] * 4))
    assert source.note.count("says the same as 'tstamp'") == 2
    stamps[2] = "2024-08-15T01:46:42Z"
    with pytest.raises(
        SourceError, match="'tstamp' and 'timestamp' may both be the tstamp and differ, first at line 4"
    ):
        opened(tmp_path, f"{HEAD},tstamp,timestamp", beside(tstamps, stamps))
    chosen = opened(tmp_path, f"{HEAD},tstamp,timestamp", beside(tstamps, stamps), columns={"tstamp": "timestamp"})
    assert [vote.tstamp for chunk in chosen.chunks() for vote in chunk.votes][2] == 1723686402


def test_numbers_of_votes_that_differ_stop_and_voters_that_differ_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'count' and 'n_votes' may both be the count and differ"):
        opened(tmp_path, f"{HEAD},count,n_votes", beside([1, 2, 3, 4], [1, 2, 3, 5]))
    with pytest.raises(SourceError, match="'anony' and 'is_anonymous' may both be the anony and differ"):
        opened(tmp_path, f"{HEAD},anony,is_anonymous", beside([1, 1, 1, 1], [1, 1, 1, 0]))
    source = opened(tmp_path, f"{HEAD},voter,user_id", beside(["p", "q", "p", "q"], [1, 2, 1, 2]))
    assert "--columns voter=user_id takes it instead" in source.note


def test_counts_per_pair_and_a_pipe_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="they cannot be compared: the counts of a row"):
        opened(tmp_path, "model_a,model_b,wins_a,wins_b,winner", [["oak", "fir", 5, 2, "fir"]])
    row = {"model_a": "oak", "model_b": "fir", "winner": "model_a", "preference": "model_b"}
    with pytest.raises(SourceError, match="standard input is read once"):
        open_source("-", now=NOW, stdin=io.BytesIO(json.dumps(row).encode()))


def test_votes_of_the_contract_with_a_second_outcome_are_compared_too(tmp_path: Path) -> None:
    row = {"id": "v1", "model_a": "oak", "model_b": "fir", "winner": "model_a", "tstamp": 1.0, "verdict": "B"}
    (tmp_path / "v.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(SourceError, match="'winner' and 'verdict' may both be the winner and differ, first at line 1"):
        open_source(str(tmp_path / "v.jsonl"), now=NOW)


def test_rows_that_are_no_votes_are_not_compared(tmp_path: Path) -> None:
    rows = [[*row, other, anony] for row, other, anony in zip(ROWS, ["a", "b", "tie", "b"], [1, 1, 1, 0], strict=True)]
    summary = Summary(opened(tmp_path, f"{HEAD},preference,anony", rows))
    assert any("'preference' says the same" in note for note in summary.notes)


def test_flags_beside_a_winner_are_chosen_by_a_layout(tmp_path: Path) -> None:
    header = f"{HEAD},winner_model_a,winner_model_b,winner_tie"
    rows = beside([0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0])
    with pytest.raises(SourceError, match="Choose: --columns winner=winner, a --layout"):
        opened(tmp_path, header, rows)
    assert said(opened(tmp_path, header, rows, columns={"winner": "winner"})) == MEANT
    assert said(opened(tmp_path, header, rows, layout="arena-55k"))[0] == "model_b"
