"""Votes from Parquet, with the types that other programs give their columns."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars
import pytest

from services.audit.snapshots import Wanted, read_snapshots
from services.audit.table import open_table
from services.sources import SourceError, VoteSource, open_source
from streams.contracts.reasons import Reason
from streams.contracts.vote import Vote
from tests.support.official_history import write_history

NOW = 1_750_000_000.0


def written(tmp_path: Path, columns: dict[str, Any]) -> VoteSource:
    polars.DataFrame(columns).write_parquet(tmp_path / "votes.parquet")
    return open_source(str(tmp_path / "votes.parquet"), now=NOW)


def votes_of(source: VoteSource) -> list[Vote]:
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


def test_binary_text_is_text_and_other_bytes_are_refused_with_the_type(tmp_path: Path) -> None:
    rest = {"model_b": ["b", "b"], "winner": ["tie", "tie"]}
    assert [vote.model_a for vote in votes_of(written(tmp_path, {"model_a": [b"x", "é".encode()], **rest}))] == [
        "x",
        "é",
    ]
    with pytest.raises(SourceError, match="column 'model_a' is of type Binary and no UTF-8 text"):
        written(tmp_path, {"model_a": [b"x", b"\xe9"], **rest})


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([date(2024, 8, 14)], "Date"),
        ([Decimal("1.5")], r"Decimal\(.*\)"),
        ([["x"]], r"List\(String\)"),
        ([{"name": "x"}], r"Struct\(.*\)"),
        ([True], "Boolean"),
    ],
)
def test_types_that_hold_no_names_are_refused(tmp_path: Path, cells: list[Any], kind: str) -> None:
    with pytest.raises(SourceError, match=rf"column 'model_a' \(model_a\) is of type {kind}; it must be text"):
        written(tmp_path, {"model_a": cells, "model_b": ["b"], "winner": ["tie"]})
    polars.DataFrame({"model": cells, "date": ["2024-01-01"], "votes": [1]}).write_parquet(tmp_path / "h.parquet")
    with pytest.raises(SourceError, match=rf"column 'model' \(model\) is of type {kind}"):
        read_snapshots(open_table(str(tmp_path / "h.parquet")), Wanted())


def test_numbers_that_the_metadata_name_are_names(tmp_path: Path) -> None:
    frame = polars.DataFrame({"model_a": ["a"] * 3, "model_b": ["b"] * 3, "winner": [1, 0, -1]})
    features = {
        "winner": {"names": ["model_a", "model_b", "tie"], "_type": "ClassLabel"},
        "model_a": {"dtype": "string"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    frame.write_parquet(tmp_path / "v.parquet", metadata=metadata)
    source = open_source(str(tmp_path / "v.parquet"), now=NOW)
    assert [vote.winner for vote in votes_of(source)] == ["model_b", "model_a"]
    frame.with_columns(winner=polars.Series([0, 1, 7])).write_parquet(tmp_path / "v.parquet", metadata=metadata)
    with pytest.raises(SourceError, match="it cannot be read to its end"):
        votes_of(open_source(str(tmp_path / "v.parquet"), now=NOW))


def test_fields_of_nested_columns_are_columns_with_dots(tmp_path: Path) -> None:
    rows = [{"about": {"heads": {"h1": at, "h2": 0}, "lang": "de"}, "model": f"m{at}"} for at in range(3)]
    polars.DataFrame(rows).write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, [*rows, {"model": "m3"}])))
    for name, more in (("t.parquet", []), ("t.jsonl", [None])):
        table = open_table(str(tmp_path / name))
        assert {"about", "about.heads", "about.heads.h1", "about.lang"} < {*table.columns}
        blocks = list(table.blocks(["about.heads.h1", "about.lang"]))
        assert [cell for each in blocks for cell in each.cells["about.heads.h1"]] == [0, 1, 2, *more]
        assert [cell for each in blocks for cell in each.cells["about.lang"]] == ["de"] * 3 + more


@pytest.mark.parametrize("name", ["h.parquet", "h.csv"])
def test_one_board_of_the_official_history_is_read_alone(tmp_path: Path, name: str) -> None:
    write_history(tmp_path / name, rows=20_000)
    table = open_table(str(tmp_path / name))
    boards = table.distinct(["category"])
    whole = list(table.rows)
    assert sum(boards.values()) == len(whole) == table.count() == 20_000
    math = [(place, row[0]) for place, row in whole if row[9] == "math"]
    assert len(math) == boards[("math",)] > 100
    blocks = list(table.blocks(["model_name"], {"category": ("math",)}))
    read = [(b.where(at), cell) for b in blocks for at, cell in zip(b.rows, b.cells["model_name"], strict=True)]
    assert read == math
    assert sum(block.height for block in blocks) == 20_000
