"""A file may say which draw a vote is about and when it was made."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from services.cli.rate import sorted_rows
from services.sources import VoteSource, open_source
from streams.contracts.vote import Vote
from streams.ledger.rows import Rows, rows_of

NOW = 1_750_000_000.0
HEAD = "id,model_a,model_b,winner,tstamp,battle,drawn_at\n"


def written(folder: Path, content: str, name: str = "votes.csv", **asked: object) -> VoteSource:
    path = folder / name
    path.write_text(content)
    return open_source(str(path), now=NOW, **asked)  # type: ignore[arg-type]


def votes_of(source: VoteSource) -> list[Vote]:
    return [vote for chunk in source.chunks() for vote in chunk.votes]


@pytest.mark.parametrize(
    ("tstamp", "drawn_at"),
    [
        ("2024-08-14T00:01:00Z", "2024-08-14 00:00:00 UTC"),
        ("1723593660000", "1723593600000"),
        ("1723593660", "2024-08-14T00:00:00Z"),
        ("20240814000100", "20240814000000"),
        ("08/14/2024 00:01", "08/14/2024 00:00"),
    ],
)
def test_a_draw_is_timed_as_votes_are(tmp_path: Path, tstamp: str, drawn_at: str) -> None:
    source = written(tmp_path, f"{HEAD}v1,x,y,tie,{tstamp},b1,{drawn_at}\nv2,x,z,tie,{tstamp},,\n")
    first, second = votes_of(source)
    assert (first.battle, first.tstamp, first.drawn_at) == ("b1", 1_723_593_660.0, 1_723_593_600.0)
    assert (second.battle, second.drawn_at) == (None, None)


def test_numbered_draws_are_names(tmp_path: Path) -> None:
    assert [vote.battle for vote in votes_of(written(tmp_path, f"{HEAD}v1,x,y,tie,1723593660,7,\n"))] == ["7"]


@pytest.mark.parametrize("name", ["votes.csv", "votes.jsonl"])
def test_a_draw_after_its_vote_is_left_out_and_counted_and_the_vote_counts(tmp_path: Path, name: str) -> None:
    rows = [("v1", 1_723_593_665.5), ("v2", 1_723_593_659.0)]
    content = HEAD + "".join(f"{own},x,y,tie,1723593660,b1,{drawn}\n" for own, drawn in rows)
    if name == "votes.jsonl":
        names = HEAD.strip().split(",")
        lines = [
            dict(zip(names, (own, "x", "y", "tie", 1_723_593_660, "b1", drawn), strict=True)) for own, drawn in rows
        ]
        content = "\n".join(map(json.dumps, lines))
    source = written(tmp_path, content, name)
    assert [(vote.battle, vote.drawn_at) for vote in votes_of(source)] == [("b1", None), ("b1", 1_723_593_659.0)]
    chunks = list(source.chunks())
    assert [item for chunk in chunks for item in chunk.rejected] == []
    assert sum((chunk.account.unread for chunk in chunks), Counter()) == {"drawn_at": 1}


def test_beside_synthetic_times_a_draw_has_none(tmp_path: Path) -> None:
    source = written(tmp_path, f"{HEAD}v1,x,y,tie,1723593660,b1,1723593600\n", columns={"tstamp": ""})
    (vote,) = votes_of(source)
    assert (vote.battle, vote.drawn_at) == ("b1", None)
    assert "times are synthetic, one second apart, so drawn_at is not used" in source.note


def test_rows_with_and_without_draws_are_joined_in_order_of_time() -> None:
    def rows(*votes: Vote) -> Rows:
        n = len(votes)
        return rows_of(votes, np.zeros(n, np.int32), np.arange(n), np.zeros(n, np.int64))

    def vote(own: str, tstamp: float, battle: str | None = None, drawn_at: float | None = None) -> Vote:
        return Vote(own, own, "z", "tie", tstamp, battle=battle, drawn_at=drawn_at)

    joined = sorted_rows([rows(vote("c", 3)), rows(vote("b", 2, "q", 1.5)), rows(vote("a", 1, "p"), vote("d", 4, "q"))])
    assert joined.battle is not None
    assert [joined.battles[code] for code in joined.battle] == ["p", "q", "", "q"]
    np.testing.assert_array_equal(joined.drawn_at, [np.nan, 1.5, np.nan, np.nan])


def test_votes_of_one_moment_on_two_draws_are_no_repetitions(tmp_path: Path) -> None:
    rows = [f"x{number % 20},y,tie,{1_723_593_660 + number}" for number in range(100)]
    head = "model_a,model_b,winner,tstamp,battle\n"
    twice = "".join(f"{row},b{number}\n" * 2 for number, row in enumerate(rows))
    assert "100 rows repeat another" in written(tmp_path, head + twice).note
    drawn_again = "".join(f"{row},b{number}\n{row},c{number}\n" for number, row in enumerate(rows))
    assert "repeat another" not in written(tmp_path, head + drawn_again).note
