"""The limits and times of the herald's processes: a change by one of any of them fails here.

What readers of the documents can find there (design 0009, the contracts) is a literal on purpose.
"""

import asyncio
import json
import math
import time
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from services.herald import app, delivery_log, dispatcher, inbox, leader_election
from services.herald.api import drafts, routes, store
from services.herald.api.openapi import subscription_document
from services.herald.channels import apprise_send, dispatch, http_client, signing, ssrf_guard
from services.herald.channels.ssrf_guard import RefusedAddress, read_url
from services.herald.dispatcher import Dispatcher, Stalled
from services.herald.gauges import show
from services.herald.inbox import Inbox
from services.herald.lease import CONFIRM_SECONDS, LEASE, HeraldFenced, Lease
from services.herald.rules import consent
from services.herald.rules.delivery_state import Book
from services.herald.rules.grouping import Gathering, seal
from services.herald.rules.payload import timestamp
from services.http.errors import Refused
from services.kafka.reader import SESSION_MS
from streams.contracts.delivery import Answer, Claim, Outcome, State, encode_record
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import HeraldSettings, KafkaSettings, WorkerSettings
from streams.contracts.settings import Settings
from streams.contracts.subscription import ChannelType, Secret
from tests.support.herald import make_alert, make_subscription
from tests.unit.herald.making import Producer, make_pending

DAY = 86_400.0
S = make_subscription("s", "https://hooks.example.com/")


def pending(number=1, **more):
    return msgspec.structs.replace(make_pending(S), id=f"d{number}", **more)


def book_of(*deliveries):
    book = Book()
    book.take_subscription("s", S)
    for offset, delivery in enumerate(deliveries):
        book.take(delivery.id, delivery, offset)
    return book


# --- who owns the log -------------------------------------------------------------------------------------------------


def test_a_confirmation_holds_for_two_seconds(monkeypatch):
    now = 100.0
    monkeypatch.setattr("services.herald.lease.lease_time", lambda: now)
    lease = Lease()
    lease.confirm(100.0)
    for now, holds in ((102.0, True), (102.25, False)):  # noqa: B007 -- the clock reads it
        assert lease.holds() is holds


def test_a_stall_of_kafka_is_one_after_the_watchdog_s_time():
    made = Dispatcher(
        Settings(worker=WorkerSettings(watchdog_seconds=30.0)), Metrics(), "me", None, Producer(), None, lambda _: True
    )
    made._next["forget"] = math.inf

    async def silent(seconds):
        made._next.pop("show", None)
        made._lease._heard_at = time.monotonic() - seconds
        await made._now_and_then()

    asyncio.run(silent(29.0))
    with pytest.raises(Stalled, match="30 s"):
        asyncio.run(silent(30.1))


class Follower:
    """Says one end of the log after the other, and the last for ever."""

    def __init__(self, *ends):
        self.ends = list(ends)
        self.position = {}

    async def end(self, _):
        return self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]


def make_inbox(*ends):
    made = Inbox(KafkaSettings(), None, Book(), Lease(), "me", asyncio.Event())
    made._follower = Follower(*ends)
    return made


async def test_a_claim_is_seen_when_the_end_of_the_log_lies_behind_it(monkeypatch):
    monkeypatch.setattr(inbox, "CONFIRM_SECONDS", 0.0)
    made = make_inbox(7, 8, 9)
    await made.visible(7)
    assert made._follower.ends == [9]


async def test_a_confirmation_waits_until_the_log_is_read_to_its_end():
    made = make_inbox(8)
    made._follower.position[TopicPartition(made.deliveries, 0)] = 7
    confirming = asyncio.create_task(made.confirm())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not made._lease.holds()
    made._follower.position[TopicPartition(made.deliveries, 0)] = 8
    made._progress.set()
    async with asyncio.timeout(10):
        await made._lease.wait()
    confirming.cancel()
    await asyncio.wait({confirming})


@pytest.mark.parametrize(("by", "offset", "over"), [("me", 8, False), ("other", 7, False), ("other", 8, True)])
def test_only_another_s_claim_behind_our_own_ends_the_term(by, offset, over):
    made = make_inbox(9)
    made._claimed = 7
    record = SimpleNamespace(key=b"claim", value=encode_record(Claim(by=by, at=1.0)), offset=offset)
    if over:
        with pytest.raises(HeraldFenced):
            made._delivery(record)
    else:
        made._delivery(record)
    assert made._lease.fenced is over


def test_the_lease_s_times_are_those_of_design_0009():
    assert (LEASE, CONFIRM_SECONDS, dispatcher.GRACE_SECONDS, SESSION_MS) == (2.0, 0.4, 4.0, 6_000)


# --- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (199, Outcome.REJECTED),
        (200, Outcome.DELIVERED),
        (299, Outcome.DELIVERED),
        (300, Outcome.REDIRECTED),
        (399, Outcome.REDIRECTED),
        (400, Outcome.REJECTED),
        (409, Outcome.REJECTED),
        (411, Outcome.REJECTED),
        (428, Outcome.REJECTED),
        (430, Outcome.REJECTED),
    ],
)
def test_a_status_has_the_outcome_of_its_hundred(status, outcome):
    assert http_client._outcome(status) is outcome


class Poster:
    """Keeps what would be posted."""

    def __init__(self):
        self.bodies = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def post(self, url, body, headers, still_ours):
        self.bodies.append(json.loads(body))
        return Answer(Outcome.DELIVERED, at=1.0, seconds=0.0)


async def test_what_fires_ends_for_alertmanager_after_four_times_its_resend(monkeypatch):
    monkeypatch.setattr(dispatch, "time", SimpleNamespace(time=lambda: 1e9))
    poster = Poster()
    subscription = make_subscription("a", "https://alerts.example.com/", ChannelType.ALERTMANAGER)
    async with dispatch.Channels(Settings(herald=HeraldSettings(resend_seconds=60.0)), poster) as channels:
        await channels.send(subscription, "m", [make_alert()])
    assert poster.bodies[0][0]["endsAt"] == timestamp(1e9 + 240)


class Plugin:
    """One of Apprise's, as far as a message goes through it."""

    body_maxlen = 10

    def notify(self, **options):
        self.overflow = options["overflow"].value
        return True


@pytest.mark.parametrize(("length", "overflow"), [(80, "split"), (81, "truncate")])
def test_a_message_is_cut_into_up_to_eight_pieces(length, overflow):
    plugin = Plugin()
    assert apprise_send._notify(plugin, apprise_send.dialect_of("slack"), "t", "x" * length, "info")
    assert plugin.overflow == overflow


# --- what is accepted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "good"), [(23, False), (24, True), (64, True), (65, False)])
def test_a_secret_has_24_to_64_bytes(count, good):
    import base64

    text = signing.PREFIX + base64.b64encode(b"k" * count).decode()
    if good:
        assert len(signing.read_secret(text)) == count
    else:
        with pytest.raises(signing.InvalidSecret, match="24 to 64"):
            signing.read_secret(text)


def test_a_replaced_secret_signs_until_its_time():
    secrets = (Secret(signing.new_secret()), Secret(signing.new_secret(), until=50.0))
    signatures = [
        signing.signed_headers(secrets, "m", now, b"")["webhook-signature"].count("v1,") for now in (49.0, 50.0)
    ]
    assert signatures == [2, 1]


def test_a_url_has_up_to_2048_bytes():
    start = "https://hooks.example.com/"
    assert read_url(start + "x" * (2048 - len(start)), allow_private=False)
    with pytest.raises(RefusedAddress, match="2048"):
        read_url(start + "x" * (2049 - len(start)), allow_private=False)


@pytest.mark.parametrize(
    ("port", "good"), [(80, True), (443, True), (79, False), (444, False), (1023, False), (1024, True)]
)
def test_ports_below_1024_are_refused_but_those_of_the_web(port, good):
    if good:
        ssrf_guard._check_port(port)
    else:
        with pytest.raises(RefusedAddress):
            ssrf_guard._check_port(port)


def test_a_webhook_has_up_to_ten_headers():
    def draft(count):
        return drafts.ChannelDraft(
            type=ChannelType.WEBHOOK, url="https://a.example/", headers={f"X-{number}": "v" for number in range(count)}
        )

    assert len(drafts._channel(draft(10), None, signing.new_secret()).headers) == 10
    with pytest.raises(Refused, match="more than 10"):
        drafts._channel(draft(11), None, signing.new_secret())


def test_the_document_names_the_lengths_that_are_accepted():
    _, schemas = subscription_document()
    fields = schemas["ChannelDraft"]["properties"]
    assert (fields["url"]["minLength"], fields["url"]["maxLength"]) == (1, 2048)
    assert fields["headers"]["maxProperties"] == 10


def test_the_limits_and_times_that_owners_and_operators_rely_on():
    assert (drafts.OVERLAP_SECONDS, consent.LINK_SECONDS) == (DAY, 7 * DAY)
    assert (routes.BODY_LIMIT, routes.MOST_SHOWN, routes.SHOWN) == (65_536, 1_000, 100)
    assert (store.RETRY_SECONDS, store.SEEN_SECONDS, app.RETRY_SECONDS) == (2.0, 2.0, 2.0)
    assert (http_client.READ_BYTES, http_client.READ_SECONDS) == (512, 1.0)
    assert app.GRACE > dispatcher.GRACE_SECONDS
    assert 2 * dispatcher.GRACE_SECONDS > SESSION_MS / 1000 > dispatcher.GRACE_SECONDS


def test_how_often_the_loops_look():
    assert (dispatcher.SHOW_SECONDS, dispatcher.CHECK_SECONDS, dispatcher.FORGET_SECONDS) == (1.0, 1.0, 60.0)
    assert (dispatcher.FORGET_AT_ONCE, dispatcher.DAY, consent.DAY) == (1_000, DAY, DAY)
    assert (inbox.WAIT_MS, store.WAIT_MS, leader_election.POLL_MS) == (20, 100, 200)
    assert (delivery_log.AGAIN_SECONDS, leader_election.AGAIN_SECONDS, store.AGAIN_SECONDS) == (0.5, 1.0, 1.0)


# --- gauges ----------------------------------------------------------------------------------------------------------


def gauge(metrics, name, **labels):
    registry: CollectorRegistry = metrics.registry
    return registry.get_sample_value(f"isonomy_{name}", labels)


def test_the_oldest_delivery_counts_from_when_it_came_to_be_owed_or_was_replayed():
    metrics = Metrics()
    (first,) = seal([pending(created_at=40.0)], 60.0)
    replayed = msgspec.structs.replace(pending(2), round=1, created_at=1.0, changed_at=70.0)
    waiting = pending(3, state=State.WAITING, created_at=0.0)
    book = book_of(first, replayed, waiting)
    show(metrics, book, Gathering(1.0, 50), 100.0)
    assert gauge(metrics, "herald_oldest_pending_seconds") == 60.0
    assert gauge(metrics, "herald_pending", channel="webhook") == 2
    assert gauge(metrics, "herald_held", channel="webhook") == 1
    assert gauge(metrics, "herald_log_entries") == 3
    assert gauge(metrics, "herald_subscriptions", channel="webhook", status="active") == 1
    show(metrics, book_of(replayed), Gathering(1.0, 50), 100.0)
    assert gauge(metrics, "herald_oldest_pending_seconds") == 30.0
    show(metrics, book_of(msgspec.structs.replace(first, created_at=200.0)), Gathering(1.0, 50), 100.0)
    assert gauge(metrics, "herald_oldest_pending_seconds") == 0.0
