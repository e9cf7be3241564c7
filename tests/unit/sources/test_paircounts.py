"""Pair counts unfolded into votes."""

from collections import Counter

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

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
