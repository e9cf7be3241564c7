"""The feed of alerts is Atom as RFC 4287 has it, whatever the names are."""

import re
from datetime import datetime
from xml.etree import ElementTree as ET

import msgspec

from services.board.atom import feed
from streams.contracts.alert import Alert, Status, Subject
from tests.support.hostile_names import HOSTILE
from tests.support.views import alert, encode

from .conftest import TestBoard

ATOM = "{http://www.w3.org/2005/Atom}"
ONCE_IN_FEED = {"id", "title", "updated", "subtitle"}
ONCE_IN_ENTRY = {"id", "title", "updated", "published", "summary", "content"}
IRI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s<>\"{}|\\^`]+\Z")


def parse(*alerts: Alert, base: str = "https://board.example") -> ET.Element:
    """Parse the feed, and hold it against what RFC 4287 demands (4.1.1, 4.1.2, 3.3, 4.2.7)."""
    root = ET.fromstring(feed("text", alerts, base, "Judged: share drift."))
    assert root.tag == f"{ATOM}feed"
    check(root, ONCE_IN_FEED)
    assert root.find(f"{ATOM}author/{ATOM}name") is not None  # so that entries need none
    assert [link.get("rel") for link in root.iterfind(f"{ATOM}link")].count("self") == 1
    entries = root.findall(f"{ATOM}entry")
    for entry in entries:
        check(entry, ONCE_IN_ENTRY)
        assert len(entry.findall(f"{ATOM}link[@rel='alternate']")) == 1
        assert all(category.get("term") for category in entry.iterfind(f"{ATOM}category"))
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == len(entries)
    return root


def check(element: ET.Element, once: set[str]) -> None:
    for name in once:
        assert len(element.findall(ATOM + name)) == 1, name
    assert IRI.match(element.findtext(f"{ATOM}id") or "")
    for name in ("updated", "published"):
        for each in element.iterfind(ATOM + name):
            assert each.text is not None
            assert each.text.endswith("Z")
            datetime.fromisoformat(each.text)
    for link in element.iterfind(f"{ATOM}link"):
        assert IRI.match(link.get("href", ""))


def entries(root: ET.Element, name: str) -> list[str | None]:
    return [entry.findtext(ATOM + name) for entry in root.iterfind(f"{ATOM}entry")]


def test_an_empty_feed_is_valid() -> None:
    assert entries(parse(), "id") == []


def test_there_is_an_entry_for_each_alert_and_status_latest_first() -> None:
    root = parse(alert(1), alert(1, status=Status.RESOLVED), alert(2))
    assert entries(root, "updated") == ["1970-01-01T00:05:01Z", "1970-01-01T00:03:22Z", "1970-01-01T00:03:21Z"]
    assert root.findtext(f"{ATOM}updated") == "1970-01-01T00:05:01Z"
    link = root.find(f"{ATOM}entry/{ATOM}link")
    assert link is not None
    assert link.get("href") == "https://board.example/#/text/alerts/f1-1"


def test_ids_stay_when_the_board_moves() -> None:
    here, there = parse(alert(1)), parse(alert(1), base="http://elsewhere.example:8081/")
    assert entries(here, "id") == entries(there, "id")
    assert here.findtext(f"{ATOM}id") == there.findtext(f"{ATOM}id")


def test_names_and_numbers_survive_whatever_they_hold() -> None:
    name = "<script>alert('&')</script>\x00\x0b\ud7ff\uffff ]]> 模型"
    evil = alert(1, subject=Subject(model=name), summary=name, evidence={"models": [name, "b"], "x": 1.5}, id="a b/<c>")
    root = parse(evil)
    kept = name.replace("\x00", "\\x00").replace("\x0b", "\\x0b").replace("\uffff", "\ufffd")
    assert entries(root, "summary") == [kept]
    (content,) = entries(root, "content")
    assert content is not None
    assert f"models: {kept}, b\nx: 1.5\n" in content
    assert not list(root.iter("script"))


async def test_the_route_serves_it_with_ended_alerts(running: TestBoard) -> None:
    running.past.take(encode(alert(3, status=Status.RESOLVED)))
    answer = await running.get("/v1/arenas/text/alerts.atom")
    assert answer.headers["content-type"] == "application/atom+xml"
    root = ET.fromstring(answer.content)
    (title,) = entries(root, "title")
    assert title == "critical · silent_removal · ash · resolved"
    again = await running.get("/v1/arenas/text/alerts.atom", if_none_match=answer.headers["etag"])
    assert again.status_code == 304


def test_a_time_that_no_calendar_has_is_written_as_the_last_or_first_that_can_be() -> None:
    far = msgspec.structs.replace(alert(), detected_at=1e300, starts_at=-1e300)
    root = parse(far)
    assert entries(root, "updated") == ["9999-12-31T23:59:59Z"]
    assert "Since 1970-01-01T00:00:00Z." in (entries(root, "content")[0] or "")


def test_whatever_a_model_is_called_the_feed_shows_its_name() -> None:
    named = [msgspec.structs.replace(alert(), id=f"f-{at}", subject=Subject(model=name), summary=f"{name} is gone.")
             for at, name in enumerate(HOSTILE)]  # fmt: skip
    root = parse(*named)
    assert {f"{name} is gone." for name in HOSTILE} == set(entries(root, "summary"))
    assert {link.get("href") for link in root.iter(f"{ATOM}link")} == {
        link.get("href")
        for link in parse(
            *(msgspec.structs.replace(each, subject=Subject(model="m"), summary="m") for each in named)
        ).iter(f"{ATOM}link")
    }
