"""Votes from Parquet, with the types that other programs give their columns."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars

from services.sources import Source, open_source
from streams.contracts.reasons import Reason
from streams.contracts.vote import Vote

NOW = 1_750_000_000.0


def written(tmp_path: Path, columns: dict[str, Any]) -> Source:
    polars.DataFrame(columns).write_parquet(tmp_path / "votes.parquet")
    return open_source(str(tmp_path / "votes.parquet"), now=NOW)


def votes_of(source: Source) -> list[Vote]:
    return [vote for chunk in source.chunks() for vote in chunk.votes]


def test_numbers_dates_and_categories_of_a_typed_table_are_read(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        {
            "question_id": [11, 12],
            "model_a": polars.Series(["x", "x"], dtype=polars.Categorical),
            "model_b": [97, 98],
            "winner": ["left", "bothbad"],
            "judge": [58.0, float("nan")],
            "timestamp": [datetime(2024, 8, 14, tzinfo=UTC), datetime(2024, 8, 15, tzinfo=UTC)],
            "conversation": [["long"], ["talk"]],
        },
    )
    assert votes_of(source) == [
        Vote("11", "x", "97", "model_a", 1723593600.0, voter="58"),
        Vote("12", "x", "98", "both_bad", 1723680000.0),
    ]
    assert (source.total, source.note) == (2, "")


def test_refused_rows_are_named_by_their_number(tmp_path: Path) -> None:
    source = written(tmp_path, {"model_a": ["a", None, "a"], "model_b": ["b", "b", "a"], "winner": ["tie"] * 3})
    (chunk,) = source.chunks()
    assert [(item.where, item.reason) for item in chunk.rejected] == [
        ("row 2", Reason.MISSING_FIELD),
    ]
    assert chunk.account.left_out == {"both sides are the same model": 1}
    assert chunk.rejected[0].original == b'{"model_a":null,"model_b":"b","winner":"tie"}'


def test_ids_that_repeat_are_not_ids_and_empty_ones_are_numbered(tmp_path: Path) -> None:
    columns = {"model_a": ["a"] * 3, "model_b": ["b"] * 3, "winner": ["tie"] * 3}
    repeated = votes_of(written(tmp_path, {"id": ["1", "1", "2"], **columns}))
    gaps = votes_of(written(tmp_path, {"id": ["1", "", None], **columns}))
    assert [vote.id[-8:] for vote in repeated] == ["-0000001", "-0000002", "-0000003"]
    assert [vote.id[-8:] for vote in gaps] == ["1", "-0000002", "-0000003"]
