"""Rows that contradict themselves, missing names, and rows that stand for too many votes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from services.sources import SourceError, VoteSource, open_source
from services.sources.summary import Summary

NOW = 1_800_000_000.0


def opened(folder: Path, header: str, *rows: list[Any], **asked: Any) -> VoteSource:
    with (folder / "votes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return open_source(str(folder / "votes.csv"), now=NOW, **asked)


def account(source: VoteSource) -> Summary:
    summary = Summary(source)
    for batch in source.rows():
        summary.take(batch)
    return summary


COMPARIA = "model_a_name,model_b_name,chosen_model_name,both_equal"


def test_a_chosen_name_beside_both_equal_is_refused_and_never_chosen_between(tmp_path: Path) -> None:
    summary = account(
        opened(
            tmp_path,
            COMPARIA,
            ["oak", "fir", "fir", "true"],
            ["oak", "fir", "fir", "false"],
            ["oak", "fir", "", "true"],
            ["oak", "fir", "tie", "true"],
        )
    )
    assert (summary.counted, summary.refused) == (3, {"invalid_field": 1})
    assert summary.values == {"outcome": {"both_equal true beside the winner 'fir'": 1}}
    assert "the row contradicts itself" in summary.lines()[-2]


@pytest.mark.parametrize("row", [[1, 1, 0], [1, 0, 1], [1, 1, 1]])
def test_flags_of_several_outcomes_are_refused(tmp_path: Path, row: list[int]) -> None:
    header = "model_a,model_b,winner_model_a,winner_model_b,winner_tie"
    summary = account(opened(tmp_path, header, ["oak", "fir", *row], ["oak", "fir", 0, 1, 0]))
    assert (summary.counted, summary.refused) == (1, {"invalid_field": 1})


def test_two_flags_of_one_outcome_must_agree(tmp_path: Path) -> None:
    summary = account(opened(tmp_path, "winner,loser,tie,is_tie", ["oak", "fir", 1, 1], ["oak", "fir", 1, 0]))
    assert (summary.counted, summary.refused) == (1, {"invalid_field": 1})


@pytest.mark.parametrize("name", ["nan", "None", "NULL", "N/A", "\\N", "<NA>", "openai/undefined", "null:free"])
def test_a_name_that_software_lost_is_refused_with_its_count(tmp_path: Path, name: str) -> None:
    rows = ["oak", "fir", "a"], [name, "fir", "a"], ["oak", name, "b"], [name, name, "tie"]
    summary = account(opened(tmp_path, "model_a,model_b,winner", *rows))
    assert (summary.counted, summary.refused) == (1, {"invalid_model": 3})
    assert sum(summary.values["model_a"].values()) + sum(summary.values["model_b"].values()) == 3
    own = [
        {"id": f"v{at}", "model_a": a, "model_b": b, "winner": "tie", "tstamp": 1.0}
        for at, (a, b, _) in enumerate([*rows[:3], ["oak", "fir", ""], ["yew", "fir", ""]])
    ]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(each) + "\n" for each in own))
    summary = account(open_source(str(tmp_path / "own.jsonl"), now=NOW))
    assert (summary.counted, summary.refused) == (3, {"invalid_model": 2})


@pytest.mark.parametrize("name", ["nano-7b", "none-such", "nullius", "navigator"])
def test_names_that_only_begin_like_that_are_models(tmp_path: Path, name: str) -> None:
    assert account(opened(tmp_path, "model_a,model_b,winner", [name, "fir", "a"])).counted == 1


def test_lost_names_stop_tables_of_counts(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="line 2: the model 'nan'"):
        opened(tmp_path, "model_a,model_b,wins_a,wins_b", ["nan", "fir", 5, 2])
    with pytest.raises(SourceError, match="the model 'None'"):
        opened(tmp_path, ",oak,None", ["oak", 0, 1], ["None", 2, 0])


def test_rows_that_stand_for_too_many_votes_together_stop(tmp_path: Path) -> None:
    rows = [["oak", "fir", "a", 1_000_000] for _ in range(6)]
    for column in ("count", "weight"):
        with pytest.raises(SourceError, match="'" + column + "' the rows stand for 6,000,000 votes and more than 5,0"):
            opened(tmp_path, f"model_a,model_b,winner,{column}", *rows)
    opened(tmp_path, "model_a,model_b,winner,count", *rows, columns={"count": ""})


@pytest.mark.parametrize(
    ("chosen", "equal", "prefers", "counted"),
    [("oak", 0, (1, 0), 1), ("", 1, (0, 0), 1), ("", 0, (1, 1), 0), ("oak", 0, (0, 1), 0), ("", 1, (1, 0), 0)],
)
def test_flags_of_preference_agree_with_the_chosen_name_and_with_each_other(
    tmp_path: Path, chosen: str, equal: int, prefers: tuple[int, int], counted: int
) -> None:
    summary = account(opened(tmp_path, f"{COMPARIA},prefers_a,prefers_b", ["oak", "fir", chosen, equal, *prefers]))
    assert (summary.counted, summary.dropped) == (counted, 1 - counted)
    assert set(summary.refused) <= {"invalid_field"}
