"""Bodies, backoff, send queues, gathering and e-mail: each by itself."""

import asyncio
import json
import threading
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from services.herald.api.openapi import subscription_document
from services.herald.channels.apprise_send import AppriseSender, read_smtp_url
from services.herald.inbox import read_alert, recorded, take_delivery, take_subscription
from services.herald.rules.backoff import Backoff, read_retry_after
from services.herald.rules.delivery_state import Book
from services.herald.rules.grouping import Gathering, message_id, seal
from services.herald.rules.payload import alertmanager_body, text_message, timestamp, webhook_body
from services.herald.send_queues import RESEND, Limits, SendQueues
from services.local.ports import free_port
from streams.contracts.alert import Status
from streams.contracts.delivery import Delivery, Outcome, State
from streams.contracts.settings import InvalidSetting, Settings
from streams.contracts.subscription import ChannelType
from tests.support.herald import make_alert
from tests.support.inbox import Inbox

UNDECODABLE = (b"{", b'{"id":"\xff"}', b'{"id":"x","more":' + b"[" * 5_000)
"""Cut, no UTF-8, and more brackets than a decoder goes into."""
BOARD = "https://board.example.com"
WAITS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0)


@pytest.mark.parametrize("value", UNDECODABLE)
def test_a_record_that_cannot_be_decoded_is_passed_over(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    record, book = SimpleNamespace(topic="t", offset=7, key=b"k", value=value), Book()
    assert read_alert(record) is None
    assert take_subscription(book, record) is None
    assert take_delivery(book, record) is None
    assert [each.partition(": ")[0] for each in caplog.messages] == [
        f"{topic}, offset 7" for topic in ("alerts", "subscriptions", "deliveries")
    ]


@pytest.mark.parametrize("time", [None, -1])
def test_an_alert_whose_record_has_no_time_counts_from_when_it_was_detected(time: int | None) -> None:
    alert = make_alert(1, detected_at=1_700_000_000.0)
    assert recorded(SimpleNamespace(timestamp=time), alert) == 1_700_000_000.0
    assert recorded(SimpleNamespace(timestamp=1_700_000_005_500), alert) == 1_700_000_005.5


def test_a_delivery_that_changes_its_subscription_leaves_the_one_before() -> None:
    book, first = Book(), delivery(1)
    book.take(first.id, first, 0)
    moved = msgspec.structs.replace(first, subscription="t", state=State.DELIVERED)
    book.take(first.id, moved, 1)
    assert (book.deliveries_of("s"), book.deliveries_of("t")) == ([], [moved])
    book.take(first.id, None, 2)
    assert (book.deliveries_of("s"), book.deliveries_of("t")) == ([], [])


def delivery(number: int = 1, status: Status = Status.FIRING, subscription: str = "s") -> Delivery:
    alert = make_alert(number, status)
    return Delivery(
        id=f"{subscription}-{number}-{status}",
        subscription=subscription,
        channel=ChannelType.WEBHOOK,
        alert=alert.id,
        arena=alert.arena,
        kind=alert.kind,
        severity=alert.severity,
        status=status,
        state=State.PENDING,
        created_at=1.0,
        changed_at=1.0,
        body=alert,
    )


# --- what a message says ---------------------------------------------------------------------------------------------


def test_the_webhook_s_body_is_alertmanager_s() -> None:
    body = json.loads(webhook_body([make_alert(1), make_alert(2)], "mine", BOARD))
    assert set(body) == {
        "version",
        "groupKey",
        "truncatedAlerts",
        "status",
        "receiver",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "externalURL",
        "alerts",
    }
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "mine")
    assert body["commonLabels"] == {"alertname": "silent_removal", "arena": "text", "severity": "critical"}
    assert body["groupLabels"].items() <= body["commonLabels"].items()
    first = body["alerts"][0]
    assert set(first) == {"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"}
    assert first["labels"]["model"] == "model-1"
    assert first["endsAt"] == "0001-01-01T00:00:00Z"
    assert first["generatorURL"] == f"{BOARD}/v1/arenas/text/alerts"
    assert all(isinstance(value, str) for value in {**first["labels"], **first["annotations"]}.values())


def test_a_resolved_body_says_when_it_ended() -> None:
    (alert,) = json.loads(webhook_body([make_alert(1, Status.RESOLVED)], "mine", BOARD))["alerts"]
    assert (alert["status"], alert["endsAt"]) == ("resolved", timestamp(make_alert(1, Status.RESOLVED).ends_at))


def test_alertmanager_is_told_ends_on_the_wall_clock() -> None:
    now = make_alert().starts_at - 500  # the arena's clock is ahead of ours
    firing, over = json.loads(alertmanager_body([make_alert(1), make_alert(2, Status.RESOLVED)], BOARD, now, 240.0))
    assert firing["endsAt"] == timestamp(now + 240)
    assert over["endsAt"] == timestamp(now)
    assert datetime.fromisoformat(firing["startsAt"]) < datetime.fromisoformat(firing["endsAt"])
    assert datetime.fromisoformat(over["startsAt"]) < datetime.fromisoformat(over["endsAt"])


@given(st.floats(allow_nan=False))
def test_any_time_can_be_written(seconds: float) -> None:
    assert datetime.fromisoformat(timestamp(seconds)).tzinfo is not None


def test_a_text_names_what_and_since_when() -> None:
    title, text = text_message([make_alert(1)], BOARD)
    assert title == "[CRITICAL] text: silent_removal model-1"
    assert "Model model-1 is gone." in text
    assert "Since 2025-12-31T23:59:00.000Z" in text
    assert text_message([make_alert(1, Status.RESOLVED)], BOARD)[0].startswith("[RESOLVED]")
    assert "3 alerts" in text_message([make_alert(n) for n in range(3)], BOARD)[0]


# --- when ------------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1), st.integers(1, 6))
def test_jitter_draws_out_by_at_most_a_fifth_and_is_the_same_every_time(message: str, attempts: int) -> None:
    wait = Backoff(WAITS).wait(message, attempts)
    assert WAITS[attempts - 1] <= wait <= WAITS[attempts - 1] * 1.2
    assert wait == Backoff(WAITS).wait(message, attempts)


def test_jitter_differs_from_message_to_message() -> None:
    assert len({Backoff(WAITS).wait(f"msg_{n}", 1) for n in range(50)}) > 45


def test_after_the_last_wait_it_is_given_up() -> None:
    assert Backoff(WAITS).wait("m", 7) is None
    assert Backoff(()).wait("m", 1) is None


def test_retry_after_is_heard_up_to_a_day_and_never_shortens_the_wait() -> None:
    assert Backoff(WAITS).wait("m", 1, retry_after=3600) == 3600
    assert Backoff(WAITS).wait("m", 1, retry_after=1e9) == 86_400
    assert Backoff(WAITS).wait("m", 4, retry_after=1) >= 7200


@given(st.text())
def test_no_header_breaks_it(text: str) -> None:
    found = read_retry_after(text, 0.0)
    assert found is None or found >= 0


@pytest.mark.parametrize("text", ["5,x", "5,,6", "-1", "nan", "1e9", ","])
def test_waits_that_cannot_be_used_are_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="ISONOMY_HERALD_RETRY_SECONDS"):
        Backoff.read(text)


# --- gathering -------------------------------------------------------------------------------------------------------


def test_a_message_closes_after_its_time_or_when_it_is_full() -> None:
    gathering = Gathering(1.0, 3)
    gathering.add(delivery(1), 10.0)
    gathering.add(delivery(1), 10.5)  # again: no news
    gathering.add(delivery(2, subscription="t"), 10.9)
    assert gathering.close(10.9) == []
    assert gathering.close(11.0) == [[delivery(1)]]
    for number in range(3):
        gathering.add(delivery(number), 20.0)
    assert sorted(len(members) for members in gathering.close(20.0)) == [1, 3]
    assert gathering.by_id == {}


def test_what_is_true_of_a_message_is_true_of_each() -> None:
    gathering = Gathering(0.0, 50)
    for each in (delivery(1), delivery(1, Status.RESOLVED), delivery(2)):
        gathering.add(each, 0.0)
    assert sorted(len(members) for members in gathering.close(0.0)) == [1, 2]


def test_a_replay_is_another_message() -> None:
    import msgspec

    before = seal([delivery(1)], 5.0)
    again = [msgspec.structs.replace(each, round=1) for each in before]
    assert message_id(before) != message_id(again)
    assert {each.message for each in before} == {message_id(before)}


# --- send queues -----------------------------------------------------------------------------------------------------


async def test_a_lane_that_hangs_delays_no_other_and_keeps_its_order() -> None:
    done: list[tuple[str, str]] = []
    stuck = asyncio.Event()

    async def work(subscription, job: str) -> None:
        if subscription == "hangs":
            await stuck.wait()
        done.append((subscription, job))

    queues = SendQueues(work)
    for job in "abc":
        queues.put("hangs", job)
        queues.put("works", job)
    while len(done) < 3:
        await asyncio.sleep(0)
    assert done == [("works", job) for job in "abc"]
    stuck.set()
    while len(done) < 6:
        await asyncio.sleep(0)
    assert done[3:] == [("hangs", job) for job in "abc"]
    assert await queues.stop(1.0)


async def test_a_resend_is_not_queued_twice() -> None:
    done = []
    queues = SendQueues(lambda subscription, job: _note(done, job))
    for job in ("a", RESEND, RESEND, "b"):
        queues.put("s", job)
    await asyncio.sleep(0.01)
    assert done == ["a", RESEND, "b"]


async def _note(done, job: str) -> None:
    done.append(job)


async def test_what_hangs_is_cancelled_in_the_end() -> None:
    queues = SendQueues(lambda *_: asyncio.Event().wait())
    queues.put("s", "a")
    await asyncio.sleep(0)
    assert not await queues.stop(0.01)


async def test_however_many_hang_the_others_have_room() -> None:
    limits = Limits(total=8, per_host=4)
    entered: list[str] = []

    async def attempt(host: str, doubtful: bool) -> None:
        async with limits.slot(f"key of {host}" if doubtful else "key", host, doubtful=doubtful):
            entered.append(host)
            if doubtful:
                await asyncio.Event().wait()

    hanging = [asyncio.create_task(attempt(f"dead-{n}", True)) for n in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(*(attempt(f"fine-{n}", False) for n in range(50)))
    assert sum(host.startswith("dead") for host in entered) == 2
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert limits.under_way == 0
    assert limits._some == {}


async def test_a_busy_host_holds_no_place_of_others() -> None:
    limits = Limits(total=8, per_host=1)
    stuck = asyncio.Event()

    async def busy() -> None:
        async with limits.slot("key", "busy", doubtful=False):
            await stuck.wait()

    tasks = [asyncio.create_task(busy()) for _ in range(20)]
    await asyncio.sleep(0)
    async with limits.slot("key", "other", doubtful=False):
        assert limits.under_way == 2
    stuck.set()
    await asyncio.gather(*tasks)


async def test_one_key_leaves_room_for_the_others_everywhere_and_at_each_host() -> None:
    limits = Limits(total=16, per_host=4)
    entered: list[tuple[str, str]] = []

    async def hang(owner: str, host: str, doubtful: bool) -> None:
        async with limits.slot(owner, host, doubtful=doubtful):
            entered.append((owner, host))
            await asyncio.Event().wait()

    greedy = [asyncio.create_task(hang("greedy", f"host-{n % 10}", n % 3 == 0)) for n in range(300)]
    await asyncio.sleep(0.01)
    assert len(entered) == 6 + 2, "half of the places of those that answer, and half of the others"
    assert max(entered.count(("greedy", f"host-{n}")) for n in range(10)) <= 2
    entered.clear()
    honest = [asyncio.create_task(hang("honest", "host-0", False)) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert entered == [("honest", "host-0")] * 2
    for task in [*greedy, *honest]:
        task.cancel()
    await asyncio.gather(*greedy, *honest, return_exceptions=True)
    assert limits._some == {}


# --- e-mail, with a real SMTP server ---------------------------------------------------------------------------------


async def test_e_mail_goes_through_the_operator_s_server_alone(tmp_path: Path) -> None:
    inbox, port = Inbox(), free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    url = tmp_path / "smtp"
    url.write_text(f"mailto://127.0.0.1:{port}?from=isonomy@example.org\n")
    try:
        async with AppriseSender(Settings(smtp_url_file=url)) as sender:
            title, text = text_message([make_alert(1)], BOARD)
            answer = await sender.send("mailto:ada@example.com", title, text, "critical")
    finally:
        controller.stop()
    assert answer.outcome is Outcome.DELIVERED, answer
    ((to, content),) = inbox.letters
    assert to == ["ada@example.com"]
    assert "silent_removal" in content


async def test_without_a_server_there_is_no_e_mail_and_a_refused_url_is_not_tried() -> None:
    async with AppriseSender(Settings()) as sender:
        assert (await sender.send("mailto:a@example.com", "t", "x", "info")).outcome is Outcome.MISCONFIGURED
        assert (await sender.send("json://127.0.0.1", "t", "x", "info")).outcome is Outcome.REFUSED


async def test_a_service_that_does_not_take_it_has_failed() -> None:
    settings = Settings(allow_private=True, herald_connect_seconds=1.0, herald_attempt_seconds=3.0)
    async with AppriseSender(settings) as sender:
        assert (await sender.send(f"json://127.0.0.1:{free_port()}", "t", "x", "info")).outcome is Outcome.FAILED


async def test_a_service_that_hangs_holds_no_thread_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    class Plugin:
        body_maxlen = 4_096

        def __init__(self, hangs) -> None:
            self.hangs = hangs

        def notify(self, **_: Any) -> bool:
            if self.hangs:
                over.wait(30)
            return True

    settings = Settings(herald_attempt_seconds=0.3)
    async with AppriseSender(settings) as sender:
        monkeypatch.setattr(sender, "_plugin", lambda url: Plugin(url.startswith("mailto:")))
        try:
            hanging = [
                sender.send("mailto:a@example.com", "t", "x", "info") for _ in range(2 * settings.herald_per_host)
            ]
            timed_out = await asyncio.gather(*hanging)
            answer = await sender.send("Slack://a/b/c", "t", "x", "info")
        finally:
            over.set()
    assert {each.outcome for each in timed_out} == {Outcome.TIMEOUT}
    assert answer.outcome is Outcome.DELIVERED, answer


async def test_a_plugin_that_raises_has_failed_and_its_text_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugin:
        def notify(self, **_: Any) -> None:
            raise AttributeError("of slack://a-token")

    async with AppriseSender(Settings()) as sender:
        monkeypatch.setattr(sender, "_plugin", lambda url: Plugin())
        answer = await sender.send("slack://a/b/c", "t", "x", "info")
    assert (answer.outcome, answer.detail) == (Outcome.FAILED, "Apprise raised AttributeError")


@pytest.mark.parametrize("text", ["", "smtp.example.org", "https://example.org", "mailto://a mailto://b"])
def test_a_server_that_cannot_be_used_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "smtp"
    path.write_text(text)
    with pytest.raises(InvalidSetting, match="ISONOMY_SMTP_URL_FILE"):
        read_smtp_url(Settings(smtp_url_file=path))


# --- the board's document --------------------------------------------------------------------------------------------


def test_the_document_is_valid_and_every_route_is_in_it(tmp_path: Path) -> None:
    from services.herald.api.routes import subscription_routes
    from streams.contracts.metrics import Metrics

    paths, schemas = subscription_document()
    validate(
        {
            "openapi": "3.1.0",
            "info": {"title": "t", "version": "1"},
            "paths": paths,
            "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        }
    )
    routes, _ = subscription_routes(Settings(), Metrics())
    described = {(path, method.upper()) for path, item in paths.items() for method in item if method != "parameters"}
    served = {(route.path, method) for route in routes for method in route.methods or () if method != "HEAD"}
    assert described == served
