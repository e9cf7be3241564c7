"""Real files of votes, where the machine has them; they are not part of the repository."""

import os
from collections import Counter
from pathlib import Path

import pytest

from services.sources import SourceError, VoteSource, open_source

NOW = 1_750_000_000.0


def shared(name: str) -> VoteSource:
    beside = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("ISONOMY_SHARED_DATA") or beside) / name
    if not path.is_file():
        pytest.skip(f"{name} is neither in ISONOMY_SHARED_DATA nor in ../shared/data")
    return open_source(str(path), now=NOW)


def test_the_33k_arena_votes_have_neither_ids_nor_times() -> None:
    source = shared("arena_33k_votes_in_order.csv")
    votes = [vote for chunk in source.chunks() for vote in chunk.votes]
    assert len(votes) == source.total == 25_938
    assert len({vote.model_a for vote in votes} | {vote.model_b for vote in votes}) == 20
    assert (votes[0].model_a, votes[0].model_b, votes[0].winner) == ("chatglm-6b", "koala-13b", "model_b")
    assert len({vote.id for vote in votes}) == len(votes)
    assert votes[-1].tstamp == NOW
    assert "no id column" in source.note
    assert "no time column" in source.note


def test_the_llmfao_votes_are_of_124_workers_on_names_not_numbers() -> None:
    source = shared("llmfao_crowd_votes.csv")
    votes = [vote for chunk in source.chunks() for vote in chunk.votes]
    assert len(votes) == source.total == 8_931
    assert len({vote.voter for vote in votes}) == 124
    assert {*Counter(vote.winner for vote in votes)} == {"model_a", "model_b", "tie"}
    assert (votes[0].model_a, votes[0].model_b) == ("Airoboros L2 70B", "Weaver 12k")
    assert "'id' does not name single votes" in source.note
    assert sum(len(batch.rows["text"]) for batch in source.rows()) == 8_931


def test_a_file_that_is_no_table_of_votes_says_so() -> None:
    with pytest.raises(SourceError, match=r"no column for the two models .* found: 'snapshot_date'"):
        shared("lmarena_snapshots_2024-06_2025-01.csv")
