"""Votes from CSV and TSV, as spreadsheets and pandas write them."""

from pathlib import Path
from typing import Any

import pytest

from services.sources import SourceError, VoteSource, open_source
from streams.contracts.reasons import Reason
from streams.contracts.vote import Style, Vote

NOW = 1_750_000_000.0


def written(tmp_path: Path, content: str | bytes, name: str = "votes.csv", **options: Any) -> VoteSource:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(str(tmp_path / name), now=NOW, **options)


def votes_of(source: VoteSource) -> list[Vote]:
    return [vote for chunk in source.chunks() for vote in chunk.votes]


def refused_of(source: VoteSource) -> list[tuple[str, Reason, bytes]]:
    return [(item.where, item.reason, item.original) for chunk in source.chunks() for item in chunk.rejected]


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    (vote,) = votes_of(written(tmp_path, "model_a,model_b,winner,user\n007,1e3,tie,nan\n"))
    assert (vote.model_a, vote.model_b, vote.voter) == ("007", "1e3", "nan")


def test_marks_line_ends_quotes_and_blank_lines_are_no_data(tmp_path: Path) -> None:
    content = '\ufeffmodel_a,model_b,winner,judge\r\n"x, ""y""",b,tie,"p\nq"\r\n\r\na,b,left,p\r\n'
    first, second = votes_of(written(tmp_path, content))
    assert (first.model_a, first.voter, second.winner) == ('x, "y"', "p\nq", "model_a")


def test_empty_cells_are_absent_and_a_missing_one_that_is_needed_is_a_reason(tmp_path: Path) -> None:
    rows = "v1,a,b,tie,5,,NaN\nv2,,b,tie,5,u,0.5\n,a,b,tie,5,u,\nv4,a,b,,nan,,\nv5,a,b,tie,5,,2\n"
    content = "id,model_a,model_b,winner,tstamp,judge,p_pair\n" + rows
    source = written(tmp_path, content)
    assert votes_of(source) == [Vote("v1", "a", "b", "tie", 5.0), Vote("v5", "a", "b", "tie", 5.0)]
    assert [(where, reason) for where, reason, _ in refused_of(source)] == [
        ("line 3", Reason.MISSING_FIELD),
        ("line 4", Reason.MISSING_FIELD),
        ("line 5", Reason.MISSING_FIELD),
    ]
    (chunk,) = source.chunks()
    assert chunk.account.unread == {"p_pair": 1}


def test_refused_rows_are_named_by_their_line_with_their_cells(tmp_path: Path) -> None:
    content = b'model_a,model_b,winner\n"a\r\n\r",b,draws\n\na,b\na,b,tie,4\n\xff,b,tie\na,a,tie\na,b,tie\n'
    source = written(tmp_path, content)
    assert refused_of(source) == [
        ("line 4", Reason.UNKNOWN_WINNER, b"a\r\n\r,b,draws"),
        ("line 6", Reason.MISSING_FIELD, b"a,b"),
        ("line 7", Reason.INVALID_FIELD, b"a,b,tie,4"),
        ("line 8", Reason.INVALID_UTF8, b"\xff,b,tie"),
    ]
    assert [chunk.account.left_out for chunk in source.chunks()] == [{"both sides are the same model": 1}]
    (vote,) = votes_of(source)
    assert vote.id.endswith("-0000006")
    assert vote.tstamp == NOW
    assert source.total == 6


def test_a_table_of_the_contracts_shape_keeps_its_ids_and_drops_duplicates(tmp_path: Path) -> None:
    source = written(tmp_path, "id,model_a,model_b,winner,tstamp\nv1,a,b,tie,1\nv1,a,b,tie,1\n")
    (batch,) = source.rows()
    assert (len(batch.rows["text"]), batch.duplicates) == (1, 1)


def test_style_may_be_eight_columns(tmp_path: Path) -> None:
    names = "tokens_a,tokens_b,headers_a,headers_b,lists_a,lists_b,bolds_a,bolds_b"
    source = written(
        tmp_path, f"model_a,model_b,winner,{names}\na,b,tie,1,2,3,4,5,6,7,8.0\na,b,tie,,,,,,,,\na,b,tie,1,,,,,,,\n"
    )
    assert [vote.style for vote in votes_of(source)] == [Style(1, 2, 3, 4, 5, 6, 7, 8), None, None]
    assert [chunk.account.unread for chunk in source.chunks()] == [{"style": 1}]


def test_a_winner_in_three_columns_is_read(tmp_path: Path) -> None:
    content = "id,model_a,model_b,winner_model_a,winner_model_b,winner_tie\n5,a,b,1,0,0\n6,a,b,0,0,1\n7,a,b,0,0,0\n"
    source = written(tmp_path, content)
    assert [(vote.id, vote.winner) for vote in votes_of(source)] == [("5", "model_a"), ("6", "tie")]
    assert [(where, reason) for where, reason, _ in refused_of(source)] == [("line 4", Reason.MISSING_FIELD)]


def test_a_cell_may_be_longer_than_the_modules_default(tmp_path: Path) -> None:
    source = written(tmp_path, f"model_a\tmodel_b\twinner\tconversation\na\tb\ttie\t{'x' * 300_000}\n", "votes.tsv")
    assert len(votes_of(source)) == 1


def test_two_columns_of_one_name_stop_where_they_are_needed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"2 columns are named 'model_a' \(columns 1 and 4\); rename"):
        written(tmp_path, "model_a,model_b,winner,model_a\nx,y,tie,z\n")
    (vote,) = votes_of(written(tmp_path, ",model_a,model_b,winner,,note,note\n0,x,y,tie,,1,2\n"))
    assert vote.model_a == "x"
