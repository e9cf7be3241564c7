"""Files as they are: several as one, packed, in other encodings, with other separators, and JSON of any form."""

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars
import pytest
import zstandard

from services.audit.table import open_table
from services.sources import SourceError, VoteSource, open_source

NOW = 1_750_000_000.0
ROWS = [{"model_a": f"m{i % 3}", "model_b": "other", "winner": "tie", "note": f"n{i}"} for i in range(6)]
CSV = "".join(",".join(row) + "\n" for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)])
PAIRS = [(row["model_a"], row["model_b"]) for row in ROWS]


def pairs(source: VoteSource) -> list[tuple[str, str]]:
    chunks = list(source.chunks())
    assert [item for chunk in chunks for item in chunk.rejected] == []
    return [(vote.model_a, vote.model_b) for chunk in chunks for vote in chunk.votes]


def opened(path: Path | str, **options: Any) -> VoteSource:
    return open_source(str(path), now=NOW, **options)


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- several files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    for at in range(3):
        polars.DataFrame(ROWS[2 * at : 2 * at + 2]).write_parquet(tmp_path / f"set/train-0000{at}-of-00003.parquet")
    return tmp_path / "set"


def test_a_directory_and_a_glob_are_their_files_in_the_order_of_their_names(shards: Path) -> None:
    written(shards / "README.md", "what it is")
    written(shards / "dataset_info.json", "{}")
    written(shards / ".cache", "x")
    whole, some = opened(shards), opened(f"{shards}/train-0000[12]*.parquet")
    assert pairs(whole) == PAIRS
    assert whole.total == 6
    assert "not read: .cache, README.md, dataset_info.json" in whole.note
    assert pairs(some) == PAIRS[2:]
    assert "not all shards: train-00000-of-00003 not read" in some.note
    ids = [vote.id for chunk in whole.chunks() for vote in chunk.votes]
    assert len({*ids}) == 6
    assert ids[-1].startswith("set-")


def test_numbers_in_names_are_ordered_as_numbers_and_a_place_names_its_file(tmp_path: Path) -> None:
    for number in (10, 9):
        written(tmp_path / f"d/part-{number}.csv", f"model_a,model_b,winner\nm{number},x,tie\ny,x,lefty\n")
    chunks = list(opened(tmp_path / "d").chunks())
    assert [vote.model_a for chunk in chunks for vote in chunk.votes] == ["m9", "m10"]
    assert [item.where for chunk in chunks for item in chunk.rejected] == ["part-9.csv, line 3", "part-10.csv, line 3"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.csv", "b.parquet"], r"files of several kinds \(1 \.csv, 1 \.parquet\); name those of one kind by a glob"),
        (["a-00000-of-00002.csv"], r"shards are missing: a-00001-of-00002"),
        (["a.csv", "a.csv.gz"], r"a is there twice, compressed and not"),
        (["a.csv", "b.xlsx"], r"what is b\.xlsx\? Name the files"),
        (["a.csv", "c/a.csv"], r"there are directories in it \(c\)"),
        (["b.xlsx"], r"a directory without a file that is read here"),
    ],
)
def test_a_directory_that_could_mean_several_things_is_refused(tmp_path: Path, names: list[str], said: str) -> None:
    (tmp_path / "d/c").mkdir(parents=True) if any("/" in name for name in names) else None
    for name in names:
        written(tmp_path / "d" / name, CSV)
    with pytest.raises(SourceError, match=said):
        opened(tmp_path / "d")


def test_a_shard_without_a_needed_column_stops(tmp_path: Path) -> None:
    written(tmp_path / "d/1.csv", CSV)
    written(tmp_path / "d/2.csv", "model_a,model_b\nx,y\n")
    with pytest.raises(SourceError, match=r"2\.csv: it has no column 'winner', which other files here have"):
        opened(tmp_path / "d")


@pytest.mark.parametrize("name", ["t_20250106.csv", "t-2025-01-06.csv", "2025_01_06.csv", "a/2025.01.06/t.csv"])
def test_the_date_in_a_name_is_a_column_of_a_history(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    table = open_table(str(written(tmp_path / name, "model,votes\nx,7\n")))
    assert table.columns == ["model", "votes", "file_date"]
    assert list(table.rows) == [("line 2", ("x", "7", "2025-01-06"))]


def test_files_of_a_day_each_are_one_history_and_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    for day, more in (("20250106", ""), ("20250113", ",maker")):
        written(tmp_path / f"d/t_{day}.csv", f"model,votes{more}\nx,{day}{more}\ny,1{more}\n")
    table = open_table(str(tmp_path / "d"))
    (block,) = table.blocks(["votes", "maker"], {"file_date": ["2025-01-13"], "model": ["x"]})
    assert dict(block.cells) == {"votes": ["20250113"], "maker": ["maker"], "file_date": ["2025-01-13"], "model": ["x"]}
    assert table.distinct(["file_date"]) == {("2025-01-06",): 2, ("2025-01-13",): 2}
    written(tmp_path / "d/v_20250113.csv", "model,votes\nx,9\n")
    with pytest.raises(SourceError, match=r"t_20250113\.csv and v_20250113\.csv are of one date, 2025-01-13"):
        list(open_table(str(tmp_path / "d")).blocks(["file_date"]))


# --- packed ----------------------------------------------------------------------------------------------------------

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: zstandard.compress(content[:50]) + zstandard.compress(content[50:]),
}


@pytest.mark.parametrize("end", PACK)
def test_a_packed_file_is_read_whole_or_not_at_all(tmp_path: Path, end: str) -> None:
    packed = PACK[end](CSV.encode())
    assert pairs(opened(written(tmp_path / f"votes.csv{end}", packed))) == PAIRS
    assert pairs(opened(written(tmp_path / "votes.csv", packed))) == PAIRS, "what it is counts, not its name"
    for cut in (1, 9, len(packed) // 3):
        with pytest.raises(SourceError, match="not a whole"):
            list(opened(written(tmp_path / f"votes.csv{end}", packed[:-cut])).chunks())
    with pytest.raises(SourceError, match=r"not a whole .* \(its first bytes are not those of one\)"):
        opened(written(tmp_path / f"votes.csv{end}", CSV))


def zipped(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_archive_is_its_files_of_one_kind(tmp_path: Path) -> None:
    head, *lines = CSV.splitlines(keepends=True)
    parts: dict[str, str | bytes] = {f"d/{at}.csv": head + line for at, line in enumerate(lines)}
    source = opened(zipped(tmp_path / "votes.zip", {**parts, "d/README.md": "x", "__MACOSX/d/._0.csv": "x"}))
    assert pairs(source) == PAIRS
    assert "not read: d/README.md, __MACOSX/d/._0.csv" in source.note
    path = zipped(tmp_path / "votes.csv.zip", {"votes.csv": CSV * 500})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match="not a whole zip file"):
        opened(path)
    with pytest.raises(SourceError, match="files of several kinds"):
        opened(zipped(tmp_path / "two.zip", {"a.csv": CSV, "b.tsv": CSV}))
    with pytest.raises(SourceError, match="there is none in it of a kind that is read here"):
        opened(zipped(tmp_path / "none.zip", {"a.txt": CSV}))


def test_a_packed_table_of_parquet_is_read(tmp_path: Path) -> None:
    polars.DataFrame(ROWS).write_parquet(tmp_path / "v.parquet")
    content = (tmp_path / "v.parquet").read_bytes()
    assert pairs(opened(zipped(tmp_path / "v.zip", {"v.parquet": content}))) == PAIRS
    for cut in (5, len(content) // 2):
        with pytest.raises(SourceError, match="not a Parquet file"):
            opened(written(tmp_path / "cut.parquet", content[:-cut]))


# --- encodings and separators ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["votes.csv", "votes.jsonl"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    text = CSV if name.endswith("csv") else "\n".join(map(json.dumps, ROWS))
    content = text.replace("other", "öther").encode(encoding)
    assert pairs(opened(written(tmp_path / name, content))) == [(a, "öther") for a, _ in PAIRS]
    if encoding != "utf-8-sig":
        with pytest.raises(SourceError, match=r"it begins as UTF-\d\d and is not to its end"):
            opened(written(tmp_path / name, content[:-1]))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_two_bytes_a_letter_without_a_mark_are_named(tmp_path: Path, encoding: str) -> None:
    said = (
        encoding[:6].upper() + " without a byte order mark; convert it: iconv -f " + encoding.upper().replace("-", "")
    )
    with pytest.raises(SourceError) as error:
        opened(written(tmp_path / "votes.csv", CSV.encode(encoding)))
    assert said.replace("iconv -f UTF", "iconv -f UTF-") in str(error.value)


@pytest.mark.parametrize("name", ["votes.csv", "votes.jsonl"])
def test_letters_of_an_older_encoding_are_named_and_one_damaged_cell_is_a_refused_row(
    tmp_path: Path, name: str
) -> None:
    text = CSV if name.endswith("csv") else "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n"
    old = text.replace("m2", "café").encode("cp1252")
    with pytest.raises(SourceError, match=r"not UTF-8: read as Windows-1252 it says 'café'.*iconv -f WINDOWS-1252"):
        list(opened(written(tmp_path / name, old)).chunks())
    damaged = text.replace("m1", "né").encode() + old.splitlines(keepends=True)[-1]
    chunks = list(opened(written(tmp_path / name, damaged)).chunks())
    assert [item.reason for chunk in chunks for item in chunk.rejected] == ["invalid_utf8"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["votes.csv", "votes.tsv"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_is_seen_and_any_end_of_line_is_one(tmp_path: Path, separator: str, name: str, end: str) -> None:
    text = "\n\n" + CSV.replace(",", separator).replace("n3", '"n, 3"' if separator != "," else "n3")
    assert pairs(opened(written(tmp_path / name, "\ufeff" + text.replace("\n", end)))) == PAIRS
    said = f"sep={separator}\n" + CSV.replace(",", separator)
    assert pairs(opened(written(tmp_path / name, said))) == PAIRS


def test_a_separator_at_the_end_of_rows_is_no_cell(tmp_path: Path) -> None:
    head, rest = CSV.split("\n", 1)
    assert pairs(opened(written(tmp_path / "votes.csv", head + "\n" + rest.replace("\n", ",\n")))) == PAIRS


# --- JSON ------------------------------------------------------------------------------------------------------------

LISTS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
BY_ROW = {str(at): row for at, row in enumerate(ROWS)}
SPLIT = {"columns": list(LISTS), "index": list(range(6)), "data": [list(row.values()) for row in ROWS]}
FORMS = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "array": json.dumps(ROWS, indent=1),
    "array, an item a line": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]",
    "under a key": json.dumps({"version": 2, "battles": ROWS}),
    "under a key, an item a line": '{"battles": [\n' + ",\n".join(map(json.dumps, ROWS)) + "\n]}",
    "pretty": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "joined": "".join(map(json.dumps, ROWS)),
    "pandas": json.dumps({name: {str(at): cell for at, cell in enumerate(cells)} for name, cells in LISTS.items()}),
    "pandas by row": json.dumps(BY_ROW),
    "pandas split": json.dumps(SPLIT),
    "pandas table": json.dumps({"schema": {"fields": [{"name": "model_a"}]}, "data": ROWS}),
    "lists": json.dumps(LISTS, indent=2),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["votes.json", "votes.jsonl"])
def test_json_is_read_in_every_form_that_it_comes_in(tmp_path: Path, form: str, name: str) -> None:
    assert pairs(opened(written(tmp_path / name, FORMS[form]))) == PAIRS


def test_one_object_is_one_vote_with_its_conversation(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "why"}]
    for indent in (None, 2):
        text = json.dumps({**ROWS[0], "conversation_a": talk, "conversation_b": talk}, indent=indent)
        assert pairs(opened(written(tmp_path / "votes.json", text))) == PAIRS[:1]


@pytest.mark.parametrize(
    "beside",
    [
        {"total": 5_000},
        {"totalCount": 30},
        {"num_rows_total": 100},
        {"next": "https://a.example/?page=2"},
        {"hasMore": True},
    ],
)
def test_a_page_of_several_is_refused(tmp_path: Path, beside: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=f"has {len(ROWS)} items, .* this is one page of several"):
        opened(written(tmp_path / "votes.json", json.dumps({**beside, "votes": ROWS})))


@pytest.mark.parametrize(
    "beside", [{"total": len(ROWS)}, {"count": 1}, {"next": None}, {"has_more": False}, {"total": "?"}]
)
def test_a_list_that_says_that_it_is_whole_is_read(tmp_path: Path, beside: dict[str, Any]) -> None:
    assert pairs(opened(written(tmp_path / "votes.json", json.dumps({**beside, "votes": ROWS})))) == PAIRS


def test_the_key_that_is_read_is_said_and_two_are_refused(tmp_path: Path) -> None:
    source = opened(written(tmp_path / "votes.json", json.dumps({"made": "today", "battles": ROWS})))
    assert "the list 'battles' is read, not made" in source.note
    with pytest.raises(SourceError, match=r"one object with several lists \(old, new\)"):
        opened(written(tmp_path / "votes.json", json.dumps({"old": ROWS, "new": ROWS})))
    with pytest.raises(SourceError, match="neither its keys nor theirs are numbers of rows"):
        opened(written(tmp_path / "votes.json", json.dumps({"a": {"x": 1}, "b": {"x": 2}})))


def test_a_document_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    for form in ("array", "under a key", "pandas", "lists"):
        with pytest.raises(SourceError, match="not a JSON"):
            opened(written(tmp_path / "votes.json", FORMS[form][:-5]))


@pytest.mark.parametrize("name", ["votes.json", "votes.jsonl"])
@pytest.mark.parametrize("contract", [True, False])
def test_numbers_that_json_has_not_are_missing_ones(tmp_path: Path, name: str, contract: bool) -> None:
    more = {"toxic": float("nan"), "score": float("-inf"), "language": float("nan"), "said": 'NaN "NaN'}
    own = {"id": "v", "tstamp": 5} if contract else {}
    rows = [{**row, **more, **own, "id": f"v{at}"} for at, row in enumerate(ROWS)]
    text = json.dumps(rows) if name == "votes.json" else "\n".join(map(json.dumps, rows))
    source = opened(written(tmp_path / name, text))
    assert pairs(source) == PAIRS
    assert {vote.language for chunk in source.chunks() for vote in chunk.votes} == {None}
