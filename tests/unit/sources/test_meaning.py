"""What a whole column means: numbers that are outcomes, numbers that are times, and names that are none of models."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from services.sources import SourceError, VoteSource, open_source
from services.sources.summary import Summary

NOW = 1_800_000_000.0
HEAD = "model_a,model_b,winner"


def opened(folder: Path, header: str, rows: list[list[Any]], **asked: Any) -> VoteSource:
    with (folder / "votes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return open_source(str(folder / "votes.csv"), now=NOW, **asked)


def account(source: VoteSource) -> Summary:
    summary = Summary(source)
    for batch in source.rows():
        summary.take(batch)
    return summary


def times(source: VoteSource) -> list[float]:
    return [vote.tstamp for chunk in source.chunks() for vote in chunk.votes]


@pytest.mark.parametrize("column", ["winner", "outcome", "result", "verdict"])
@pytest.mark.parametrize("numbers", [[0, 1], [1, 2], [-1, 0, 1]])
def test_numbers_of_an_outcome_that_nothing_declares_are_asked_about(
    tmp_path: Path, column: str, numbers: list[int]
) -> None:
    rows = [["oak", "fir", each] for each in numbers]
    summary = account(opened(tmp_path, f"model_a,model_b,{column}", rows))
    assert (summary.counted, summary.dropped) == (0, len(numbers))
    assert "nothing says what the numbers mean" in summary.unreadable()


@pytest.mark.parametrize(
    ("column", "numbers", "asked"),
    [
        ("score", [1, 0], {}),
        ("points", [1, 0], {}),
        ("result", [1, 0, 0.5], {}),
        ("winner", [1, 0, 0.5], {}),
        ("result", [1, 0], {"layout": "score", "columns": {"winner": "result"}}),
    ],
)
def test_scores_are_read_by_the_convention_and_a_note_says_so(
    tmp_path: Path, column: str, numbers: list[float], asked: dict[str, Any]
) -> None:
    source = opened(tmp_path, f"model_a,model_b,{column}", [["oak", "fir", each] for each in numbers], **asked)
    said = [vote.winner for chunk in source.chunks() for vote in chunk.votes]
    assert said == ["model_a", "model_b", "tie"][: len(numbers)]
    assert f"numbers in '{column}' are read as what the first model scored: 1 won" in source.note


def test_names_of_classes_are_told(tmp_path: Path) -> None:
    names = "\n".join(f"          '{at}': {name}" for at, name in enumerate(("model_b", "model_a")))
    (tmp_path / "README.md").write_text(f"features:\n  - name: winner\n    dtype:\n      class_label:\n{names}\n")
    source = opened(tmp_path, HEAD, [["oak", "fir", 0]])
    assert "(0=model_b, 1=model_a)" in source.note


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ([20240814, 20240815], [1723593600, 1723680000]),
        ([20240814014640, 20240815000000], [1723600000, 1723680000]),
        ([202408140146, 202408150000], [1723599960, 1723680000]),
        ([45518.5, 45519], [1723636800, 1723680000]),
        ([1723600000, 1723600000123, 1723600000123456], [1723600000, 1723600000.123, 1723600000.123456]),
        ([0, 20240814, 40_000_000], [0, 20240814, 40_000_000]),  # a clock of its own, one second of which looks so
    ],
)
def test_a_column_of_numbers_is_read_as_what_all_of_it_is(
    tmp_path: Path, written: list[float], read: list[float]
) -> None:
    source = opened(tmp_path, f"{HEAD},tstamp", [["oak", "fir", "a", each] for each in written])
    assert times(source) == pytest.approx(read, abs=1e-3)
    assert ("tstamp" in source.note) == (written[0] != 0)


@pytest.mark.parametrize("written", [[20240814, 1723600000], [45518.5, 1723600000], [20240814, 20240230]])
def test_times_in_two_ways_stop_and_times_can_be_left_out(tmp_path: Path, written: list[float]) -> None:
    rows = [["oak", "fir", "a", each] for each in written]
    with pytest.raises(SourceError, match="times of column 'tstamp' are written in two ways"):
        opened(tmp_path, f"{HEAD},tstamp", rows)
    assert account(opened(tmp_path, f"{HEAD},tstamp", rows, columns={"tstamp": ""})).counted == 2


def test_votes_of_the_contract_with_dates_for_seconds_are_read_rightly(tmp_path: Path) -> None:
    rows = [
        {"id": f"v{at}", "model_a": "oak", "model_b": "fir", "winner": "tie", "tstamp": 20240814 + at}
        for at in range(3)
    ]
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert times(open_source(str(tmp_path / "v.jsonl"), now=NOW)) == [1723593600, 1723680000, 1723766400]


def test_times_of_1970_are_named(tmp_path: Path) -> None:
    summary = account(opened(tmp_path, f"{HEAD},tstamp", [["oak", "fir", "a", 2024], ["oak", "fir", "a", 2025]]))
    summary.close(NOW)
    assert "the newest time is of 1970-01-01" in summary.notes[-1]


TEXT = "The capital of the country number {} is a town that lies at a river and has a long history of its own."


def test_answers_in_place_of_models_stop(tmp_path: Path) -> None:
    rows = [[TEXT.format(at), TEXT.format(at + 1000)] for at in range(20)]
    for few in (rows, rows[:1]):
        with pytest.raises(SourceError, match="contain answers or ids, not models"):
            opened(tmp_path, "chosen,rejected", few)
    ranked = [[TEXT.format(4 * at + a), TEXT.format(4 * at + b)] for at in range(9) for a in range(4) for b in range(a)]
    with pytest.raises(SourceError, match="36 different ones in 108 places"):
        opened(tmp_path, "chosen,rejected", ranked)
    short = [[f"answer {at}", f"answer {at + 100}"] for at in range(60)]
    with pytest.raises(SourceError, match="contain answers or ids, not models"):
        opened(tmp_path, "chosen,rejected", short)


def test_small_and_large_arenas_of_models_are_none_of_answers(tmp_path: Path) -> None:
    names = [f"acme/Model {at} Instruct (preview, thinking, 16k)" for at in range(300)]
    small = [[names[0], names[1]], [names[2], names[3]]]
    assert account(opened(tmp_path, "chosen,rejected", small)).counted == 2
    large = [[names[at], names[(at + by) % 300]] for at in range(300) for by in (1, 2)]
    assert account(opened(tmp_path, "chosen,rejected", large)).counted == 600
    prompts = [f"one model with the system prompt that has the number {at}" for at in range(6)]
    systems = [[prompts[a], prompts[b]] for a in range(6) for b in range(a)]
    assert account(opened(tmp_path, "chosen,rejected", systems)).counted == 15
