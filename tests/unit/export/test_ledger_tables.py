"""Ledger records as tables: what was sent comes out again, once, in order, and absent stays absent."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from services.export.columns import LEDGER, VOTES
from services.export.ledger import Exported
from streams.contracts.model import Model
from streams.contracts.vote import Vote
from streams.ledger.codec import Block, Notice, decode, encode_block
from streams.ledger.rows import rows_of
from tests.support.hostile_names import HOSTILE

STYLE = {f"{what}_{side}": 3 for what in ("tokens", "headers", "lists", "bolds") for side in "ab"}


def block(*votes: dict[str, Any], first: int = 0, arena: str = "text") -> Block:
    n = len(votes)
    made = [
        msgspec.convert(
            {"id": f"v{first + k}", "model_a": "ash", "model_b": "birch", "winner": "tie", "tstamp": 5.0} | v, Vote
        )
        for k, v in enumerate(votes)
    ]
    offsets = np.arange(first, first + n, dtype=np.int64)
    rows = rows_of(made, np.zeros(n, np.int32), offsets, 1_000 * offsets + 7)
    (record,) = encode_block(Block(arena, rows, {0: first + n - 1}))
    found = decode(record)
    assert isinstance(found, Block)
    return found


def notice(offset: int, *, removed: bool = False) -> Notice:
    declared = {"arena": "text", "model": "ash", "provider": "Ash", "license": "open_weight", "visibility": "public"}
    model = msgspec.convert({**declared, "status": "active", "weight": 2.0, "tstamp": 4.0}, Model)
    return Notice("text", "ash", None if removed else model, 0, offset, 3_000)


def test_a_vote_comes_out_as_it_was_sent_and_what_it_did_not_say_is_null() -> None:
    full = {
        "winner": "both_bad", "language": "German", "categories": ["coding", "hard"], "voter": "w1",
        "prompt_hash": "p1", "battle": "b1", "p_pair": 0.25, "drawn_at": 4.5, "style": STYLE,
    }  # fmt: skip
    table = Exported(notices=False).take(block(full, {"model_b": "cedar", "winner": "none"}), 0, 0)
    assert table is not None
    assert dict(table.schema) == VOTES
    first, second = table.to_dicts()
    assert first.pop("recorded_at").timestamp() == 0.007
    assert first.pop("categories") == ["coding", "hard"]
    assert first == {
        "arena": "text", "model_a": "ash", "model_b": "birch", "winner": "both_bad", "tstamp": 5.0,
        "language": "German", "voter": "w1", "prompt_hash": "p1", "battle": "b1", "p_pair": 0.25, "drawn_at": 4.5,
        "style": STYLE, "votes_partition": 0, "votes_offset": 0,
    }  # fmt: skip
    assert (second["model_b"], second["winner"], second["votes_offset"]) == ("cedar", "none", 1)
    for name in ("language", "categories", "voter", "prompt_hash", "battle", "p_pair", "drawn_at", "style"):
        assert second[name] is None, name


def test_without_any_optional_field_the_columns_are_there_with_their_types() -> None:
    table = Exported(notices=False).take(block({}), 0, 0)
    assert table is not None
    assert dict(table.schema) == VOTES
    assert table["style"].null_count() == 1


def test_what_a_crash_repeated_is_written_once_and_counted() -> None:
    exported = Exported(notices=True)
    tables = [
        exported.take(record, 0, offset)
        for offset, record in enumerate(
            [block({}, {}), block({}, {}, {}), notice(0), notice(0), block({}, arena="code"), block({}, {})]
        )
    ]
    whole = pl.concat([table for table in tables if table is not None])
    assert dict(whole.schema) == LEDGER
    assert whole.select("arena", "kind", "ledger_offset", "votes_offset").rows() == [
        ("text", "vote", 0, 0),
        ("text", "vote", 0, 1),
        ("text", "vote", 1, 2),
        ("text", "model", 2, None),
        ("code", "vote", 4, 0),
    ]
    assert (exported.votes, exported.notices, exported.repeated) == (4, 1, 2 + 1 + 2)
    assert exported.arenas == ["code", "text"]


def test_a_change_of_the_registry_stands_at_its_place() -> None:
    exported = Exported(notices=True)
    declared, removed = exported.take(notice(0), 3, 7), exported.take(notice(1, removed=True), 3, 8)
    assert declared is not None
    assert removed is not None
    row = declared.to_dicts()[0]
    assert (row["kind"], row["model"], row["provider"], row["weight"], row["ledger_offset"]) == (
        "model", "ash", "Ash", 2.0, 7,
    )  # fmt: skip
    row = removed.to_dicts()[0]
    assert (row["kind"], row["model"], row["weight"], row["tstamp"]) == ("model_removed", "ash", None, None)


def test_names_are_in_parquet_as_they_are(tmp_path: Path) -> None:
    names = [*HOSTILE, "=1+1", "+1", "-1", "@x", "'x", 'a"b', "a,b", "a;b", "a\nb", "\t=1"]
    table = Exported(notices=False).take(block(*({"model_a": name, "language": name[:64]} for name in names)), 0, 0)
    assert table is not None
    table.write_parquet(tmp_path / "votes.parquet")
    read = pl.read_parquet(tmp_path / "votes.parquet")
    assert read["model_a"].to_list() == names
    assert read["language"].to_list() == [name[:64] for name in names]
