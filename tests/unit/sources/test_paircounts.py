"""Pair counts unfolded into votes."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sources import SourceError, VoteSource, open_source
from services.sources.paircounts import PairCounts

NAMES = ["plain", 'quo"ted', "100%s", "naïve", "back\\slash"]
PAIRS = np.array([[0, 1], [0, 2], [1, 2], [3, 0], [4, 2]])
COUNTS = st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=5, max_size=5)


def unfold(counts: list[list[int]], name: str = "small") -> PairCounts:
    return PairCounts(name, NAMES, PAIRS, np.array(counts), now=1e9)


@given(COUNTS)
def test_unfolding_keeps_every_count(counts: list[list[int]]) -> None:
    said: Counter[tuple[int, int, int]] = Counter()
    for batch in unfold(counts).rows():
        rows = batch.rows["text"]
        for a, b, winner in zip(rows.model_a.tolist(), rows.model_b.tolist(), rows.winner.tolist(), strict=True):
            pair = next(i for i, both in enumerate(PAIRS.tolist()) if {a, b} == {*both})
            swapped = PAIRS[pair, 0] != a
            said[pair, *((1 - winner, 0) if swapped and winner < 2 else (winner, 0))] += 1
    assert {(key[0], key[1]): n for key, n in said.items()} == {
        (pair, winner): n for pair, of_pair in enumerate(counts) for winner, n in enumerate(of_pair) if n
    }


@given(COUNTS, st.sampled_from(["small", "100%", 'a"b']))
def test_records_are_the_bytes_that_msgspec_writes(counts: list[list[int]], name: str) -> None:
    source = unfold(counts, name)
    values = [value for records in source.records() for value in records.values]
    keys = [key for records in source.records() for key in records.keys]
    votes = [vote for chunk in source.chunks() for vote in chunk.votes]
    assert values == [msgspec.json.encode(vote) for vote in votes]
    assert keys == [vote.id.encode() for vote in votes]
    assert len({*keys}) == len(keys)


def test_the_same_counts_unfold_the_same_everywhere() -> None:
    counts = [[3, 2, 1, 0], [1, 0, 0, 1], [0, 1, 2, 0], [1, 1, 1, 1], [2, 0, 0, 0]]
    first = next(iter(unfold(counts).chunks())).votes[:4]
    assert [(vote.model_a, vote.model_b, vote.winner) for vote in first] == [
        ("100%s", "plain", "both_bad"),
        ("100%s", "back\\slash", "model_b"),
        ('quo"ted', "plain", "tie"),
        ("naïve", "plain", "model_b"),
    ]


def opened(folder: Path, header: str, *rows: list[Any], **asked: Any) -> VoteSource:
    with (folder / "counts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return open_source(str(folder / "counts.csv"), now=1e9, **asked)


PER_PAIR = "model_a,model_b,wins_a,wins_b"


def test_counts_that_are_too_many_together_stop(tmp_path: Path) -> None:
    rows = [[f"m{at}", "fir", 9_000_000, 0] for at in range(6)]
    with pytest.raises(SourceError, match="54,000,000 votes together, and at most 50,000,000"):
        opened(tmp_path, PER_PAIR, *rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [["oak", "", 0.7, 0.6], ["fir", 0.3, "", 0.5], ["yew", 0.4, 0.5, ""]],
            "'oak' against 'fir' is 0.7, not a number",
        ),
        ([["oak", "", "70%", "60%"], ["fir", "30%", "", "5%"], ["yew", "40%", "9%", ""]], "win rates. are no counts"),
        ([["oak", "", 70, 60], ["fir", 30, "", 55], ["yew", 40, 45, ""]], "each pair of this square table adds up to"),
        ([["oak", 50, 7, 6], ["fir", 3, 50, 5], ["yew", 4, 5, 50]], "line 2: 'oak' against itself is 50"),
        ([["oak", "", 7, 6], ["fir", 3, "", 5]], "a row for every column; there is none for 'yew'"),
        ([["oak", "", 7, 6], ["fir", 3, "", 5], ["elm", 4, 5, ""]], "no column is called 'elm'"),
    ],
)
def test_squares_that_are_none_of_counts_stop_and_name_row_and_column(
    tmp_path: Path, rows: list[list[Any]], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        opened(tmp_path, ",oak,fir,yew", *rows)


def test_a_square_of_a_hundred_battles_a_pair_is_read_when_a_person_says_so(tmp_path: Path) -> None:
    rows = [["oak", "", 70, 60], ["fir", 30, "", 55], ["yew", 40, 45, ""]]
    assert opened(tmp_path, ",oak,fir,yew", *rows, layout="matrix").total == 300


def test_percentages_per_pair_stop_or_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"wins_a '0.7' is not a whole number of votes; shares and percentages"):
        opened(tmp_path, PER_PAIR, ["oak", "fir", 0.7, 0.3])
    source = opened(tmp_path, PER_PAIR, ["oak", "fir", 70, 30], ["oak", "yew", 55, 45])
    assert "add up to 100: if they are percentages" in source.note
