"""A board in the columns of the public data set, read back by a program that knows nothing else, and by the audit."""

import csv
import io
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from services.cli.audit import command as audit
from services.cli.errors import UserError
from services.cli.export import _chosen, _write
from services.export.columns import OFFICIAL
from services.export.history import past_rows
from services.export.official import OfficialRow, columns_of, day_of, rows_of
from services.export.output import whole_file
from streams.contracts.history_wire import VERSION, RatingsTier, counts, floats
from streams.contracts.view import Board, Position, RatedModel, Solver

JANUARY = 1_767_225_600  # 2026-01-01
DAY = 86_400


def board(*lines: RatedModel, as_of: float | None = JANUARY + 40 * DAY + 5.0, name: str = "overall") -> Board:
    return Board("text", name, 10, 10, as_of, Position(1, {}), Solver(1, 3, 0.0, 0), list(lines))


def line(
    model: str, rank: int | None = 1, votes: int = 100, battles: int | None = None, **fields: object
) -> RatedModel:
    rated = RatedModel(
        model, rank, 1000.0, 990.0, 1010.0, None, 1000.0, votes, votes if battles is None else battles, rank is None
    )
    return msgspec.structs.replace(rated, **fields)


def test_the_types_are_those_of_the_data_set() -> None:
    assert tuple(OFFICIAL) == OfficialRow._fields
    table = pl.DataFrame(
        columns_of(rows_of(board(line("ash", provider="Ash", license="open_weight")))), schema=OFFICIAL
    )
    (row,) = table.to_dicts()
    assert row.pop("variance") == pytest.approx((10 / 1.959964) ** 2, rel=1e-5)
    assert row == {
        "model_name": "ash",
        "organization": "Ash",
        "license": "open_weight",
        "rating": 1000.0,
        "rating_lower": 990.0,
        "rating_upper": 1010.0,
        "vote_count": 100,
        "rank": 1,
        "category": "overall",
        "leaderboard_publish_date": "2026-02-10",
    }


def test_what_is_not_known_is_null_and_never_0() -> None:
    new, open_ = rows_of(board(line("new", rank=None), line("open", lower=None)))
    assert (new.rank, new.variance, new.organization, new.license) == (None,) * 4
    assert (open_.rating_lower, open_.rating_upper, open_.variance) == (None, 1010.0, None)
    (undated,) = rows_of(board(line("ash"), as_of=None))
    assert undated.leaderboard_publish_date is None


def tier(models: list[str], samples: list[tuple[int, list[float], list[float], list[int]]]) -> RatingsTier:
    """A tier of days; each sample is (end, ratings, half widths, battles)."""
    columns = [[np.array(sample[at], np.float64) for sample in samples] for at in (1, 2, 3)]
    return RatingsTier(
        VERSION, "text", "overall", "day", DAY, models,
        [sample[0] for sample in samples], [0] * len(samples), [0] * len(samples), [len(s[1]) for s in samples],
        floats(columns[0]), floats(columns[1]), counts([each.astype(np.int64) for each in columns[2]]),
    )  # fmt: skip


def test_past_days_are_told_as_they_stood_at_their_end() -> None:
    nan = float("nan")
    days = tier(
        ["ash", "birch", "new"],
        [
            (JANUARY + DAY, [1040.0, 1000.0], [5.0, 5.0], [60, 60]),
            (JANUARY + 2 * DAY, [1040.0, 1037.0, 900.0], [5.0, 5.0, nan], [80, 80, 2]),
        ],
    )
    now = board(line("ash", provider="Ash"), line("birch", votes=90, battles=100), line("new", rank=None))
    rows = past_rows(days, now, "2026-01-01")
    assert [(row.leaderboard_publish_date, row.model_name, row.rank) for row in rows] == [
        ("2026-01-01", "ash", 1),
        ("2026-01-01", "birch", 2),
        ("2026-01-02", "ash", 1),
        ("2026-01-02", "birch", 1),
        ("2026-01-02", "new", None),
    ]
    # birch was in battles that nobody voted on: how many of those 60 were votes is not known.
    assert [row.vote_count for row in rows] == [60, None, 80, None, 2]
    assert (rows[0].organization, rows[0].rating_lower, rows[0].rating_upper) == ("Ash", 1035.0, 1045.0)
    assert (rows[4].rating, rows[4].rating_lower, rows[4].variance) == (900.0, None, None)
    assert [row.model_name for row in past_rows(days, now, "2026-01-02")] == ["ash", "birch", "new"]


def test_a_day_is_that_of_utc_and_what_no_calendar_has_is_none() -> None:
    assert [day_of(each) for each in (JANUARY - 0.5, JANUARY, 1e20)] == ["2025-12-31", "2026-01-01", None]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_the_audit_reads_what_is_exported(tmp_path: Path, form: str) -> None:
    models = ["ash", "birch", "cedar"]
    days = tier(
        models,
        [
            (
                JANUARY + (n + 1) * DAY,
                [1010.0, 1000.0, 990.0],
                [5.0] * 3,
                [100 * (n + 1), 90 * (n + 1), 80 * min(n + 1, 20)],
            )
            for n in range(39)
        ],
    )
    lines = [
        line(model, votes=votes, provider=model.title())
        for model, votes in zip(models, (4000, 3600, 1600), strict=True)
    ]
    now = board(*lines)
    path = tmp_path / f"text.{form}"
    _write([*past_rows(days, now, "2026-01-01"), *rows_of(now)], form, path, force=False)
    done = CliRunner().invoke(audit, [str(path), "--format", "json"])
    assert done.exit_code == 0, done.output
    report = msgspec.json.decode(done.stdout)
    assert {each["model"]: each["provider"] for each in report["models"]} == {
        "ash": "Ash", "birch": "Birch", "cedar": "Cedar",
    }  # fmt: skip


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "text.csv"

    def fail() -> None:
        with whole_file(path, force=False) as made:
            made.write_text("half")
            (made.parent / "part").write_text("beside")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with whole_file(path, force=False) as made:
        made.write_text("one")
    for _ in range(2):
        with pytest.raises(FileExistsError), whole_file(path, force=False):
            raise AssertionError("it was begun")
    assert path.read_text() == "one"
    with whole_file(path, force=True) as made:
        made.write_text("two")
    assert [each.name for each in tmp_path.iterdir()] == ["text.csv"]
    assert path.read_text() == "two"


def test_what_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "text.csv"

    def race() -> None:
        with whole_file(path, force=False) as made:
            made.write_text("mine")
            path.write_text("another's")

    with pytest.raises(FileExistsError):
        race()
    assert path.read_text() == "another's"


@pytest.mark.parametrize("wanted", ["language:f\u00fcr", "language:fu\u0308r", " language:f\u00fcr "])
def test_a_board_is_chosen_in_any_form_of_its_name(wanted: str) -> None:
    known = ["overall", "language:f\u00fcr", "category:a  b"]
    assert _chosen(known, (wanted,), "text") == ["language:f\u00fcr"]
    assert _chosen(known, ("category:a  b",), "text") == ["category:a  b"]  # of an old ledger
    assert _chosen(known, (), "text") == known
    with pytest.raises(UserError, match="no board 'language:F\u00fcr' in arena text; there are: overall"):
        _chosen(known, ("language:Fu\u0308r",), "text")


def test_names_leave_by_standard_output_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = ['a"b', "a,b", "a\r\nb", "a\nb", "=1+1", "+1", "-1", "@x", "'x"]
    _write(rows_of(board(*map(line, hostile))), "csv", None, force=False)
    said = capsys.readouterr().out
    read = list(csv.DictReader(io.StringIO(said, newline="")))
    assert [each["model_name"].removeprefix("'") for each in read[:7]] == hostile[:7]
    assert [each["model_name"] for each in read[4:]] == ["'=1+1", "'+1", "'-1", "'@x", "''x"]
    assert {each["leaderboard_publish_date"] for each in read} == {"2026-02-10"}
