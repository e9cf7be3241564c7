"""Files that were read wrongly once, each a kind of its own."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.sources import SourceError, VoteSource, open_source
from services.sources.summary import Summary

NOW = 1_800_000_000.0
BATTLES = [("ash", "elm"), ("elm", "fir"), ("ash", "fir")] * 4


def written(path: Path, header: str, rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def opened(path: Path, header: str, rows: Sequence[Sequence[Any]]) -> VoteSource:
    return open_source(str(written(path, header, rows)), now=NOW)


def account(source: VoteSource) -> Summary:
    summary = Summary(source)
    for batch in source.rows():
        summary.take(batch)
    return summary


def test_columns_that_nothing_is_taken_of_are_named(tmp_path: Path) -> None:
    rows = [[a, b, "model_a", at % 2, "x"] for at, (a, b) in enumerate(BATTLES)]
    summary = account(opened(tmp_path / "v.csv", "model_a,model_b,winner,turn,note", rows))
    assert summary.lines()[-2] == "columns not used: 'turn', 'note'"
    assert summary.as_json()["columns_not_used"] == ["turn", "note"]


@pytest.mark.parametrize("name", ["num_ties", "tie_count", "n_draws"])
def test_ties_of_pair_counts_are_found_under_usual_names(tmp_path: Path, name: str) -> None:
    source = opened(tmp_path / "v.csv", f"model_a,model_b,wins_a,wins_b,{name}", [["ash", "elm", 3, 2, 4]])
    assert account(source).counted == 9


def test_a_column_of_numbers_beside_pair_counts_stops_unless_it_is_their_sum(tmp_path: Path) -> None:
    header = "model_a,model_b,wins_a,wins_b,ties"
    with pytest.raises(SourceError, match="column 'undecided' holds whole numbers, and it is not known"):
        opened(tmp_path / "v.csv", f"{header},undecided", [["ash", "elm", 3, 2, 4, 1]])
    assert account(opened(tmp_path / "v.csv", f"{header},played", [["ash", "elm", 3, 2, 4, 9]])).counted == 9


def test_items_with_several_voters_are_no_ids_of_votes(tmp_path: Path) -> None:
    rows = [
        [item, *BATTLES[item % 3], ("model_a", "model_b", "tie")[(item + voter) % 3], 1.7e9 + 60 * item + voter]
        for item in range(40)
        for voter in range(3)
    ]
    summary = account(opened(tmp_path / "v.csv", "id,model_a,model_b,winner,tstamp", rows))
    assert (summary.counted, summary.duplicates) == (120, 0)
    assert "does not name single votes: 40 of 40 ids come with several pairs of models or outcomes" in summary.notes[0]


def test_battles_without_a_vote_are_told_apart(tmp_path: Path) -> None:
    rows = [[a, b, "none" if at < 3 else "tie"] for at, (a, b) in enumerate(BATTLES)]
    summary = account(opened(tmp_path / "v.csv", "model_a,model_b,winner", rows))
    assert summary.line() == "read 12 rows: 9 votes counted, 3 battles without a vote (none)"


def test_what_python_writes_for_nothing_is_no_word(tmp_path: Path) -> None:
    rows = [[a, b, "None" if at < 3 else "model_a"] for at, (a, b) in enumerate(BATTLES)]
    summary = account(opened(tmp_path / "v.csv", "model_a,model_b,winner", rows))
    assert summary.dropped == 3
    assert "winner 'None' in 3 rows" in summary.unreadable()


def test_a_model_called_tie_stops_where_tie_is_a_word_too(tmp_path: Path) -> None:
    rows = [["tie", "elm", "tie"], ["ash", "elm", "tie"], ["ash", "elm", "ash"], ["tie", "ash", "ash"]]
    with pytest.raises(SourceError, match="may be a model's name or a side"):
        opened(tmp_path / "v.csv", "model_a,model_b,winner", rows)


def test_a_flag_that_says_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    summary = account(opened(tmp_path / "v.csv", "winner,loser,draw", [["ash", "elm", "maybe"], ["elm", "ash", 0]]))
    assert (summary.counted, summary.dropped) == (1, 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["ash", 0, 3, 2, 5], ["elm", 1, 0, 2, 3], ["fir", 2, 1, 0, 3], ["total", 3, 4, 4, 11]], "looks like a sum"),
        ([["ash", 0, 3, ""], ["elm", 1, 0, 2], ["fir", 2, 1, 0]], "'ash' against 'fir' is empty"),
        ([["ash", 0, 3, 4], ["elm", 3, 0, 2], ["fir", 4, 2, 0]], "holds numbers of battles and no wins"),
    ],
)
def test_square_tables_that_are_none_of_wins_stop(tmp_path: Path, rows: list[list[Any]], said: str) -> None:
    header = ",".join(["", *(row[0] for row in rows)])
    with pytest.raises(SourceError, match=said):
        opened(tmp_path / "v.csv", header, rows)


def test_a_file_that_is_there_twice_stops(tmp_path: Path) -> None:
    for name in ("b.csv", "b (1).csv"):
        written(tmp_path / name, "model_a,model_b,winner", [["ash", "elm", "tie"]])
    with pytest.raises(SourceError, match="are the same file"):
        open_source(str(tmp_path), now=NOW)
