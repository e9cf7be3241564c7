"""A vote written as JSONL, JSON, CSV, TSV or Parquet reads back as the same vote."""

import csv
import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources import SourceError, open_source
from streams.contracts.names import is_lost, normalised, unprintable
from streams.contracts.vote import STYLE_FIELDS, Style, Vote, parse_vote

NOW = 1_750_000_000.0
SAYS = {"anony", "count", "weight", "is_valid", "dedup_tag"}
FIELDS = [field.name for field in msgspec.structs.fields(Vote) if field.name not in SAYS]

# Empty text means absent in a table; JSON keeps the difference, no reader of votes does.
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
# In its normal form, in which it is read; letters in front of it must not grow together with it.
names = words.map(lambda text: normalised("".join(each for each in text if not unprintable(each))) or "n")
styles = st.builds(Style, **{name: st.integers(0, 2**31 - 1) for name in STYLE_FIELDS})
votes = st.builds(
    Vote,
    id=words,
    model_a=names.map("a/".__add__).filter(lambda name: not is_lost(name)),
    model_b=names.map("b/".__add__).filter(lambda name: not is_lost(name)),
    winner=st.sampled_from(["model_a", "model_b", "tie", "both_bad", "none"]),
    # Times below 1e11: what a table holds beyond is taken for milliseconds; above 1973: below, numbers may be days.
    tstamp=st.floats(1e8, NOW),
    arena=st.sampled_from(["text", "vision-2"]),
    voter=st.none() | words,
    language=st.none() | names,
    categories=st.none() | st.lists(names, min_size=1, max_size=8).map(tuple),
    prompt_hash=st.none() | words,
    battle=st.none() | words,
    p_pair=st.none() | st.floats(0, 1, exclude_min=True),
    drawn_at=st.none() | st.floats(0, 1e8),
    style=st.none() | styles,
)
several = st.lists(votes, min_size=1, max_size=6, unique_by=lambda vote: vote.id)


def write_jsonl(path: Path, rows: list[Vote]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(vote) + b"\n" for vote in rows))


def write_packed(path: Path, rows: list[Vote]) -> None:
    path.write_bytes(gzip.compress(b"\r\n".join(map(msgspec.json.encode, rows)), 1))


def write_array(path: Path, rows: list[Vote]) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=2))


def write_table(path: Path, rows: list[Vote]) -> None:
    def cell(value: Any) -> Any:
        return msgspec.json.encode(value).decode() if isinstance(value, (tuple, Style)) else value

    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(FIELDS)
        writer.writerows([cell(getattr(vote, name)) for name in FIELDS] for vote in rows)


def write_parquet(path: Path, rows: list[Vote]) -> None:
    style = polars.Struct(dict.fromkeys(STYLE_FIELDS, polars.Int64))
    types: dict[str, Any] = {"categories": polars.List(polars.String), "style": style}
    types |= dict.fromkeys(("tstamp", "p_pair", "drawn_at"), polars.Float64)
    columns = {name: [getattr(vote, name) for vote in rows] for name in FIELDS}
    columns["style"] = [None if vote.style is None else msgspec.to_builtins(vote.style) for vote in rows]
    schema = {name: types.get(name, polars.String) for name in FIELDS}
    polars.DataFrame(columns, schema=schema).write_parquet(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("votes.jsonl", write_jsonl),
        ("votes.ndjson.gz", write_packed),
        ("votes.json", write_array),
        ("votes.json", write_jsonl),
        ("votes.csv", write_table),
        ("votes.tsv", write_table),
        ("votes.parquet", write_parquet),
    ],
)
@settings(max_examples=40, deadline=None)
@given(rows=several)
def test_a_vote_reads_back_as_it_was_written(
    name: str, write: Callable[[Path, list[Vote]], None], rows: list[Vote]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        write(path, rows)
        source = open_source(str(path), now=NOW)
        chunks = list(source.chunks())
        assert [item for chunk in chunks for item in chunk.rejected] == []
        assert [vote for chunk in chunks for vote in chunk.votes] == rows
        assert source.note == ""
        values = [value for records in source.records() for value in records.values]
        assert [parse_vote(value, NOW) for value in values] == rows


lines = st.lists(
    st.binary(max_size=60).map(lambda line: line.replace(b"\n", b""))
    | votes.map(msgspec.json.encode)
    | st.dictionaries(
        st.sampled_from([*FIELDS, "timestamp", "judge", "winner_tie"]),
        st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3),
    ).map(lambda fields: msgspec.json.encode(fields, enc_hook=str)),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(lines, st.booleans())
def test_no_line_stops_the_reading(items: list[bytes], by_contract: bool) -> None:
    good = b'{"id":"good","model_a":"x","model_b":"y","winner":"%b","tstamp":1}'
    first = good % (b"tie" if by_contract else b"left")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "votes.jsonl"
        path.write_bytes(b"\n".join([first, *items]))
        try:
            chunks = list(open_source(str(path), now=NOW).chunks())
        except SourceError as error:  # of the whole, not of a line
            of_whole = (
                "'tstamp' and 'timestamp' may both be the tstamp",
                "times of column 'tstamp' are written in two ways",
            )
            if not any(each in str(error) for each in of_whole):
                raise
            return
    read = sum(len(chunk.votes) + len(chunk.rejected) + chunk.account.left_out.total() for chunk in chunks)
    assert read == sum(chunk.account.rows for chunk in chunks) == 1 + sum(bool(item.strip()) for item in items)
    for chunk in chunks:
        list(map(msgspec.json.encode, chunk.votes))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.text("xy \tnan1é\r\udcff", max_size=3), min_size=3, max_size=4), min_size=1, max_size=5))
def test_quotes_around_cells_change_nothing(rows: list[list[str]]) -> None:
    read = []
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "votes.csv"
        for quote in ("", '"'):
            lines = [",".join(quote + cell.replace("\r", "") + quote for cell in row) for row in rows]
            text = "\r\n".join(["id,model_a,model_b,winner", *(line + f",{quote}tie{quote}" for line in lines)])
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            chunks = list(open_source(str(path), now=NOW).chunks())
            read.append([(chunk.votes, chunk.rejected) for chunk in chunks])
    assert read[0] == read[1]


cells = st.sampled_from(
    ["x", "y", "", "tie", "a", "1", "nan", '"', "'", "\n", "\r\n", ",", "é", "\udcff", "[", "1e400"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(cells.map(str), max_size=7), min_size=1, max_size=12), st.booleans())
def test_no_row_stops_the_reading(rows: list[list[str]], quoted: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "votes.csv"
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write("model_a,model_b,winner,tstamp,p_pair,categories\nx,y,tie,1,,\n")
            if quoted:
                csv.writer(file).writerows(rows)
            else:
                file.writelines(",".join(row).replace('"', "") + "\n" for row in rows)
        try:
            source = open_source(str(path), now=NOW)
        except SourceError as error:
            assert "may be a model's name or a side" in str(error)  # noqa: PT017 -- one of two allowed ends
            return
        chunks = list(source.chunks())
    read = sum(len(chunk.votes) + len(chunk.rejected) + chunk.account.left_out.total() for chunk in chunks)
    assert read == source.total
    for chunk in chunks:
        list(map(msgspec.json.encode, chunk.votes))
