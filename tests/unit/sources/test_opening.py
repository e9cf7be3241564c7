"""A file that cannot be opened gives an error of one sentence."""

import gzip
import io
from pathlib import Path

import pytest

from services.sources import SourceError, open_source

NOW = 1_750_000_000.0
BAD = [
    pytest.param(
        "votes.txt", b"x", r"not a kind of file .*\.jsonl.*\.parquet.*nor a data set \(chatbot-arena", id="kind"
    ),
    pytest.param("votes", b"x", r"not a kind of file", id="no suffix"),
    pytest.param("votes.parquet.gz", gzip.compress(b"x"), r"not a Parquet file", id="packed parquet"),
    pytest.param("votes.csv", b"", r"votes\.csv: it is empty", id="empty csv"),
    pytest.param("votes.csv", b"model_a,model_b,winner\r\n", r"it has columns but no rows", id="header only"),
    pytest.param(
        "votes.csv", b"a,b\n1,2\n", r"votes\.csv: no column for the two models.*found: 'a', 'b'", id="columns"
    ),
    pytest.param(
        "votes.csv", "model_a,model_b,winner\n".encode("utf-16-le"), r"UTF-16 without a byte order mark", id="utf-16"
    ),
    pytest.param("votes.jsonl", b"", r"it is empty", id="empty jsonl"),
    pytest.param("votes.jsonl", b"\n \n", r"it is empty", id="blank jsonl"),
    pytest.param("votes.jsonl", b"[]\nno\n", r"not a JSON array", id="no objects"),
    pytest.param("votes.jsonl", b"no\n7\n", r"no JSON object among the first 2 lines", id="no JSON"),
    pytest.param("votes.jsonl", b'{"a": 1}\n', r"votes\.jsonl: no column for .*found: 'a'", id="keys"),
    pytest.param("votes.json", b"[]", r"it is empty", id="empty array"),
    pytest.param("votes.json", b'[{"a": 1}', r"not a JSON array", id="broken array"),
    pytest.param("votes.json", b"[1, 2]", r"no JSON object among the first 2 items", id="array of numbers"),
    pytest.param("votes.json", b'{"models":\n["a"]}', r"no column for .*found: 'models'", id="one long object"),
    pytest.param("votes.parquet", b"", r"not a Parquet file", id="empty parquet"),
    pytest.param("votes.parquet", b"model_a,model_b\n", r"not a Parquet file", id="csv as parquet"),
    pytest.param("votes.csv.gz", b"model_a,model_b\n", r"not a whole gzip file", id="not packed"),
    pytest.param("votes.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 999)[:-9], r"not a whole gzip file", id="cut gzip"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_a_file_that_cannot_be_read_is_explained(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        open_source(str(tmp_path / name), now=NOW)


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").mkdir()
    with pytest.raises(SourceError, match="a directory without a file that is read here"):
        open_source(str(tmp_path / "votes.csv"), now=NOW)
    with pytest.raises(SourceError, match="there is no such file"):
        open_source(str(tmp_path / "other.csv"), now=NOW)


def test_an_empty_pipe_and_a_wrong_arena_are_explained() -> None:
    with pytest.raises(SourceError, match="standard input: it is empty"):
        open_source("-", now=NOW, stdin=io.BytesIO())
    with pytest.raises(SourceError, match="arena 'Text'"):
        open_source("-", arena="Text", now=NOW, stdin=io.BytesIO())


def test_a_data_set_has_no_columns_to_name() -> None:
    with pytest.raises(SourceError, match="has no columns"):
        open_source("chatbot-arena-2024-08", columns={"model_a": "left"}, now=NOW)
