"""A table of counts is not rated as if each row were a vote."""

import csv
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.sources import SourceError, VoteSource, open_source
from services.sources.summary import Summary

PAIR = ["model_a", "model_b", "winner"]
MODELS = ["oak", "fir", "yew", "elm", "ash"]


def drawn(votes: int, models: list[str] = MODELS, seed: int = 1) -> list[tuple[str, str, str]]:
    random = Random(seed)
    return [(*random.sample(models, 2), random.choice(["model_a", "model_b", "tie"])) for _ in range(votes)]


def counted(votes: list[tuple[str, str, str]]) -> list[list[Any]]:
    return [[*said, number] for said, number in Counter(votes).items()]


def opened(folder: Path, header: list[str], rows: list[Any], **asked: Any) -> VoteSource:
    with (folder / "votes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return open_source(str(folder / "votes.csv"), now=1_750_000_000.0, **asked)


def count_of(source: VoteSource) -> int:
    summary = Summary(source)
    for batch in source.rows():
        summary.take(batch)
    return summary.counted


@pytest.mark.parametrize("column", ["n", "0", "size", "f0_", "count(*)", "Anzahl", "Count of winner"])
def test_a_column_of_numbers_beside_combinations_that_stand_once_stops(tmp_path: Path, column: str) -> None:
    rows = counted(drawn(1_200))
    with pytest.raises(SourceError, match=r"no combination of models and outcome comes twice.*--columns 'count="):
        opened(tmp_path, [*PAIR, column], rows)
    assert count_of(opened(tmp_path, [*PAIR, column], rows, columns={"count": column})) == 1_200
    assert count_of(opened(tmp_path, [*PAIR, column], rows, columns={"count": ""})) == len(rows)


def test_numbers_with_marks_between_thousands_are_seen(tmp_path: Path) -> None:
    rows = [[*row[:3], f"1,{row[3]:03}"] for row in counted(drawn(1_200))]
    with pytest.raises(SourceError, match="column 'Anzahl' holds whole numbers"):
        opened(tmp_path, [*PAIR, "Anzahl"], rows)


def test_a_count_by_name_stops_where_days_or_languages_repeat_the_combinations(tmp_path: Path) -> None:
    rows = [[day, *row] for day in ("2025-01-01", "2025-01-02") for row in counted(drawn(600, seed=2))]
    with pytest.raises(SourceError, match=r"column 'freq' holds whole numbers .* it is called like a count"):
        opened(tmp_path, ["date", *PAIR, "freq"], rows)


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(lambda at: at + 1, id="numbers of the rows"),
        pytest.param(lambda at: at % 2, id="yes and no"),
        pytest.param(lambda at: 1, id="ones"),
        pytest.param(lambda at: 1_700_000_000 + at * at, id="times"),
        pytest.param(lambda at: at + 0.5, id="fractions"),
        pytest.param(lambda at: "" if at == 3 else at % 7, id="a gap"),
    ],
)
def test_columns_that_count_nothing_stop_nothing(tmp_path: Path, cells: Any) -> None:
    rows = [[*row[:3], cells(at)] for at, row in enumerate(counted(drawn(1_200)))]
    assert count_of(opened(tmp_path, [*PAIR, "n"], rows)) == len(rows)


def test_single_votes_may_have_a_column_of_numbers(tmp_path: Path) -> None:
    """Among votes some repeat; of few votes between many models none need to."""
    many = [[*said, at % 5] for at, said in enumerate(drawn(300))]
    assert count_of(opened(tmp_path, [*PAIR, "turn"], many)) == 300
    few = [[*said, at % 5] for at, said in enumerate(dict.fromkeys(drawn(40, [f"m{at}" for at in range(40)])))]
    assert count_of(opened(tmp_path, [*PAIR, "turn"], few)) == len(few)
