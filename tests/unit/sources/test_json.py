"""Votes from JSON lines, arrays and pipes."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.sources import SourceError, VoteSource, open_source
from streams.contracts.reasons import Reason
from streams.contracts.vote import Vote

NOW = 1_750_000_000.0


def lines(*records: dict[str, Any] | bytes) -> bytes:
    return b"".join(
        (record if isinstance(record, bytes) else msgspec.json.encode(record)) + b"\n" for record in records
    )


def written(tmp_path: Path, content: bytes, name: str = "votes.jsonl", **options: Any) -> VoteSource:
    (tmp_path / name).write_bytes(content)
    return open_source(str(tmp_path / name), now=NOW, **options)


def votes_of(source: VoteSource) -> list[Vote]:
    return [vote for chunk in source.chunks() for vote in chunk.votes]


def refused_of(source: VoteSource) -> list[tuple[str, Reason]]:
    return [(item.where, item.reason) for chunk in source.chunks() for item in chunk.rejected]


def vote(name: str, **other: Any) -> dict[str, Any]:
    return {"id": name, "model_a": "x", "model_b": "y", "winner": "tie", "tstamp": 1.0, **other}


def test_votes_of_the_contract_are_read_as_the_stream_reads_them_and_others_are_translated(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        lines(
            vote("v1", extra={"kept": False}),
            b"",
            vote("v2", winner="lefty"),
            b"{",
            b"\xff",
            vote("v1"),
            vote("v3", tstamp=NOW + 301),
            vote("v4", model_b="x"),
            vote("v5", tstamp="2024-01-01"),
            vote(""),
            vote("v6", extra="x" * 70_000, winner="Left"),
            b"[1]",
            vote("v7"),
            *(vote(f"v{i}") for i in range(8, 20)),
        ),
    )
    read = votes_of(source)
    assert [each.id for each in read] == ["v1", "v1", "v5", "v6", *(f"v{i}" for i in range(7, 20))]
    assert [read[2].tstamp, read[3].winner] == [1704067200.0, "model_a"]
    assert refused_of(source) == [
        ("line 3", Reason.UNKNOWN_WINNER),
        ("line 4", Reason.INVALID_JSON),
        ("line 5", Reason.INVALID_UTF8),
        ("line 7", Reason.FUTURE_TSTAMP),
        ("line 10", Reason.MISSING_FIELD),
        ("line 12", Reason.NOT_AN_OBJECT),
    ]
    assert source.total == 25
    assert source.note == ""


def test_the_first_occurrence_of_an_id_wins_in_columns_and_all_are_records(tmp_path: Path) -> None:
    source = written(tmp_path, lines(vote("v1"), vote("v2"), vote("v1", winner="model_a"), vote("v3", arena="vision")))
    (batch,) = source.rows()
    assert {arena: rows.offset.tolist() for arena, rows in batch.rows.items()} == {"text": [0, 1], "vision": [3]}
    assert batch.rows["text"].winner.tolist() == [2, 2]
    assert batch.duplicates == 1
    assert [key for records in source.records() for key in records.keys] == [b"v1", b"v2", b"v1", b"v3"]


def test_duplicates_are_dropped_across_batches(tmp_path: Path) -> None:
    ids = [f"v{i % 30_000}" for i in range(50_000)]
    batches = list(written(tmp_path, lines(*map(vote, ids))).rows())
    assert len(batches) > 1
    assert sum(len(batch.rows.get("text", ())) for batch in batches) == 30_000
    assert sum(batch.duplicates for batch in batches) == 20_000


def test_a_public_data_set_is_translated_and_its_conversations_are_skipped(tmp_path: Path) -> None:
    shared = {"model_a": "x", "model_b": "y", "judge": "arena_user_1", "language": "English"}
    talk = [{"role": "user", "content": "é" * 50_000}]
    source = written(
        tmp_path,
        lines(
            {"question_id": "q1", "winner": "tie (bothbad)", "tstamp": 1682351591.13, "conversation_a": talk, **shared},
            {"question_id": "q2", "winner": "Model_A", "tstamp": 1682351592, "conversation_a": talk, **shared},
            {"question_id": "q3", "winner": "neither", "tstamp": 1682351593, **shared},
            {"question_id": "", "winner": "tie", "tstamp": 1682351594, **shared},
            {"winner": "tie", **shared},
            b'{"question_id": "q6", "winner": "tie',
        ),
    )
    first, second, numbered = votes_of(source)
    assert first == Vote("q1", "x", "y", "both_bad", 1682351591.13, voter="arena_user_1", language="English")
    assert (second.id, second.winner) == ("q2", "model_a")
    assert numbered.id.endswith("-0000004")
    assert sorted(refused_of(source)) == [
        ("line 3", Reason.UNKNOWN_WINNER),
        ("line 5", Reason.MISSING_FIELD),
        ("line 6", Reason.INVALID_JSON),
    ]
    assert source.note == ""


def test_an_id_that_names_several_votes_is_not_an_id(tmp_path: Path) -> None:
    source = written(tmp_path, lines(*({"question_id": i // 2, **A_TO_Y} for i in range(4))), "my votes.jsonl")
    ids = [each.id for each in votes_of(source)]
    assert len({*ids}) == 4
    assert all(each.startswith("my votes-") for each in ids)
    assert "'question_id' does not name single votes" in source.note
    assert sum(batch.duplicates for batch in source.rows()) == 0


def test_numbers_that_differ_are_ids(tmp_path: Path) -> None:
    source = written(tmp_path, lines(*({"question_id": i, **A_TO_Y} for i in range(3))))
    assert [each.id for each in votes_of(source)] == ["0", "1", "2"]


A_TO_Y = {"model_1": "a", "model_2": "y", "winner": "model_1", "timestamp": "2024-08-14T00:00:00"}


def test_made_up_ids_stay_when_rows_are_appended_and_differ_between_files(tmp_path: Path) -> None:
    rows = [{"model_a": f"m{i}", "model_b": "y", "winner": "tie"} for i in range(40)]
    (tmp_path / "other").mkdir()
    before = [each.id for each in votes_of(written(tmp_path, lines(*rows[:20])))]
    after = [each.id for each in votes_of(written(tmp_path, lines(*rows)))]
    elsewhere = [each.id for each in votes_of(written(tmp_path / "other", lines(*rows[1:])))]
    assert after[:20] == before
    assert not {*after} & {*elsewhere}
    assert max(map(len, after)) <= 64


def test_a_long_file_name_leaves_ids_within_64_characters(tmp_path: Path) -> None:
    source = written(tmp_path, lines(A_TO_Y), "n" * 120 + ".jsonl")
    assert len(votes_of(source)[0].id) <= 64


def test_without_times_a_clock_ends_at_now(tmp_path: Path) -> None:
    row = {"model_a": "x", "model_b": "y", "winner": "tie"}
    source = written(tmp_path, lines(row, row, row))
    assert [each.tstamp for each in votes_of(source)] == [NOW - 2, NOW - 1, NOW]
    assert "times are synthetic, one second apart" in source.note


def test_columns_can_be_named(tmp_path: Path) -> None:
    row = {"red": "x", "blue": "y", "said": "right", "judge": ["no", "text"]}
    columns = {"model_a": "red", "model_b": "blue", "winner": "said", "voter": ""}
    (read,) = votes_of(written(tmp_path, lines(row), columns=columns))
    assert (read.model_a, read.model_b, read.winner, read.voter) == ("x", "y", "model_b", None)


def test_an_arena_that_is_named_counts_for_every_vote(tmp_path: Path) -> None:
    strict = votes_of(written(tmp_path, lines(vote("v1"), vote("v2", arena="vision")), arena="mine"))
    loose = votes_of(written(tmp_path, lines(A_TO_Y, {**A_TO_Y, "arena": "vision"}), arena="mine"))
    assert [each.arena for each in strict + loose] == ["mine"] * 4


def test_the_arenas_of_a_file_stay_and_text_is_the_default(tmp_path: Path) -> None:
    loose = votes_of(written(tmp_path, lines({**A_TO_Y, "arena": None}, {**A_TO_Y, "arena": "vision"})))
    assert [each.arena for each in loose] == ["text", "vision"]


def test_an_array_counts_its_items(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf\n" + msgspec.json.format(msgspec.json.encode([vote("v1"), 7, vote("v2")]))
    source = written(tmp_path, content, "votes.json")
    assert [each.id for each in votes_of(source)] == ["v1", "v2"]
    assert refused_of(source) == [("item 2", Reason.NOT_AN_OBJECT)]
    assert source.total == 3


def test_a_line_longer_than_a_read_is_one_line(tmp_path: Path) -> None:
    long = {**A_TO_Y, "conversation_a": "x" * 1_000_000}
    source = written(tmp_path, lines(long, A_TO_Y, long))
    assert len(votes_of(source)) == source.total == 3


class Pipe(io.RawIOBase):
    """A pipe whose writer waits for each piece to be used."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read1(self, size: int) -> bytes:
        return next(self._pieces, b"")


def test_a_pipe_gives_what_has_come_without_waiting_for_more() -> None:
    used: list[str] = []

    def pieces() -> Iterator[bytes]:
        for i in range(3):
            assert len(used) >= i - 1  # one piece is read ahead, to see the shape
            yield lines(vote(f"v{i}"))

    source = open_source("-", now=NOW, stdin=Pipe(pieces()))  # type: ignore[arg-type]  # read1 is all that is used
    for chunk in source.chunks():
        used += [each.id for each in chunk.votes]
    assert used == ["v0", "v1", "v2"]
    assert source.total is None


def test_a_pipe_of_another_shape_is_numbered_and_now() -> None:
    rows = lines({"question_id": "q1", "model_a": "x", "model_b": "y", "winner": "tie"}, {"model_a": "x"})
    source = open_source("-", now=NOW, stdin=io.BytesIO(rows))
    (read,) = votes_of(source)
    assert read.tstamp == NOW
    assert read.id.startswith("stdin-")
    assert "all now" in source.note


@pytest.mark.parametrize(
    "item",
    [
        b'{"model_a": "x", "model_b": "y", "winner": "a", "winner": "b"}',
        b'{"model_a": "x", "model_b": "y", "winner" : "a", "winner" : "b"}',
        b'{"model_a": "x", "model_b": "y", "winner": "a", "winn\\u0065r": "a"}',
        b'{"model_a": "x", "model_a": "x", "model_b": "y", "winner": "model_a"}',
    ],
)
def test_a_key_that_stands_twice_is_refused_and_a_value_of_that_name_is_not(tmp_path: Path, item: bytes) -> None:
    good = b'{"model_a": "x", "model_b": "y", "winner": "model_a", "said": "winner: \\"winner\\":"}\n'
    source = written(tmp_path, good + item + b"\n" + good)
    assert refused_of(source) == [("line 2", Reason.INVALID_JSON)]
    assert len(votes_of(source)) == 2
    array = written(tmp_path, b"[" + good + b"," + item + b"]", "votes.json")
    assert refused_of(array) == [("item 2", Reason.INVALID_JSON)]


def test_a_vote_of_the_contract_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    doubled = msgspec.json.encode(vote("v2"))[:-1] + b',"winner":"model_a"}'
    source = written(tmp_path, lines(vote("v1"), doubled, vote("v3")))
    assert refused_of(source) == [("line 2", Reason.INVALID_JSON)]
    assert [each.id for each in votes_of(source)] == ["v1", "v3"]


def test_a_document_with_a_key_twice_stops(tmp_path: Path) -> None:
    row = b'{"model_a": "x", "model_b": "y", "winner": "a"}'
    for content in (
        b'{"battles": [' + row + b'], "battles": [' + row + b"," + row + b"]}",
        b'{"model_a": {"0": "x"}, "model_b": {"0": "y"}, "winner": {"0": "a", "0": "b"}}',
    ):
        with pytest.raises(SourceError, match="twice"):
            written(tmp_path, content, "votes.json")
    nested = b'{"battles": [' + row + b'], "battle": 1}'
    assert len(votes_of(written(tmp_path, nested, "votes.json"))) == 1


@pytest.mark.parametrize("key", ["winner\r", "\twinner", "\x1fwinner", "winner\n "])
def test_a_key_with_a_control_letter_around_it_is_read_as_the_name_that_it_is(tmp_path: Path, key: str) -> None:
    record = {name if name != "winner" else key: value for name, value in vote("a").items()}
    assert votes_of(written(tmp_path, lines(record))) == votes_of(written(tmp_path, lines(vote("a")), "plain.jsonl"))
    assert len(votes_of(written(tmp_path, lines(record, vote("b")), columns={"winner": key}))) == 1


def test_a_column_may_have_a_quote_and_a_backslash_in_its_name(tmp_path: Path) -> None:
    record = {'who "won"\\': "model_a", "nested": {"a\\b": "x"}, "model_b": "y", "id": "a", "tstamp": 1.0}
    source = written(tmp_path, lines(record), columns={"winner": 'who "won"\\', "model_a": "nested.a\\b"})
    assert [(each.model_a, each.winner) for each in votes_of(source)] == [("x", "model_a")]
