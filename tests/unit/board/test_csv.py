"""The leaderboard as CSV: the columns of the public data set, and nothing that a spreadsheet would compute."""

import csv
import io
from typing import Any

import msgspec
import pytest

from services.export.official import OfficialRow, csv_of
from tests.support.eventually import eventually_async
from tests.support.hostile_names import HOSTILE
from tests.support.views import board

from .conftest import TestBoard

CSV = "/v1/arenas/text/leaderboard?format=csv"
FORMULAS = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "'quoted")


async def read(running: TestBoard, query: str = "") -> list[dict[str, str]]:
    answer = await running.get(CSV + query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def publish(running: TestBoard, view: dict[str, Any]) -> None:
    running.source.boards["text"]["overall"] = msgspec.json.encode(view)
    running.source.say({"arena": "text", "boards": ["overall"], "ledger": 2})
    await eventually_async(lambda: running.views.arenas["text"].boards["overall"].head.position.ledger == 2)


def changed(*models: str, **fields: Any) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.json.decode(board(*models, ledger=2))
    view["models"][-1] |= fields
    return view


async def test_a_board_is_downloaded_under_the_names_that_every_reader_knows(running: TestBoard) -> None:
    answer = await running.get(CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="text-overall-1970-01-01.csv"'
    lines = await read(running)
    assert tuple(lines[0]) == OfficialRow._fields
    assert [line["model_name"] for line in lines] == ["ash", "birch", "cedar"]
    first = lines[0]
    assert (first["rating"], first["rating_lower"], first["rating_upper"]) == ("1000.0", "990.0", "1010.0")
    assert float(first["variance"]) == pytest.approx((10 / 1.959964) ** 2, rel=1e-5)
    assert (first["vote_count"], first["rank"], first["category"]) == ("10", "1", "overall")
    assert (first["organization"], first["leaderboard_publish_date"]) == ("", "1970-01-01")
    german = await running.get(f"{CSV}&board=language%3AGerman")
    assert 'filename="text-language_German-1970-01-01.csv"' in german.headers["content-disposition"]
    assert german.text.splitlines()[1].startswith('"birch",')


async def test_who_has_the_csv_already_is_told_so_and_the_json_is_another_thing(running: TestBoard) -> None:
    tag = (await running.get(CSV)).headers["etag"]
    assert (await running.get(CSV, if_none_match=tag)).status_code == 304
    assert (await running.get("/v1/arenas/text/leaderboard", if_none_match=tag)).status_code == 200


async def test_what_is_not_known_is_empty(running: TestBoard) -> None:
    await publish(running, changed(rank=3, provisional=True, reason="won_all"))
    last = (await read(running))[-1]
    assert (last["rank"], last["variance"]) == ("", "")
    assert last["rating"] == "980.0"


async def test_a_board_without_a_vote_has_no_day(running: TestBoard) -> None:
    await publish(running, {**changed(), "as_of": None})
    answer = await running.get(CSV)
    assert answer.headers["content-disposition"] == 'attachment; filename="text-overall-undated.csv"'
    assert {line["leaderboard_publish_date"] for line in await read(running)} == {""}


async def test_another_rating_takes_none_of_the_bounds_of_this_one(running: TestBoard) -> None:
    lines = await read(running, "&rating=davidson")
    assert [line["model_name"] for line in lines] == ["cedar", "birch", "ash"]
    assert lines[-1]["rating"] == ""
    assert {line[name] for line in lines for name in ("rank", "rating_lower", "rating_upper", "variance")} == {""}


async def test_names_that_a_spreadsheet_would_compute_are_made_harmless_in_csv_alone(running: TestBoard) -> None:
    await publish(running, msgspec.json.decode(board(*FORMULAS, ledger=2)))
    names = [line["model_name"] for line in await read(running)]
    assert names == [f"'{each}" for each in FORMULAS]
    shown = (await running.get("/v1/arenas/text/leaderboard")).json()["models"]
    assert [line["model"] for line in shown] == list(FORMULAS)


@pytest.mark.parametrize("name", [*HOSTILE, 'a"b', "a,b", "a\nb", "a;=1", "plain", "-", "'"])
def test_every_name_comes_back_once_one_apostrophe_is_taken_away(name: str) -> None:
    text = csv_of([OfficialRow(name, name, None, -1.5, None, None, None, 3, None, "overall", None)])
    header, line = csv.reader(io.StringIO(text, newline=""))
    assert len(header) == len(line) == 11
    assert line[0].removeprefix("'") == name
    assert not line[0].startswith(("=", "+", "-", "@"))
    assert (line[3], line[8], line[10]) == ("-1.5", "", "")
