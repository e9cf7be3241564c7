"""Attempts with stand-ins for channels: a fault of one does not affect the others."""

import asyncio
import time

import msgspec
import pytest

from services.herald.delivery_log import DeliveryLog
from services.herald.lease import Lease, NotOurs, lease_time
from services.herald.rules.delivery_state import Book, keyed
from services.herald.rules.grouping import Gathering, seal
from services.herald.rules.notify import Notifier
from services.herald.sender import Sender
from streams.contracts.delivery import Answer, Outcome, State
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import HeraldSettings
from streams.contracts.subscription import Activity
from tests.support.herald import make_subscription
from tests.unit.herald.making import Producer, make_pending


class Channels:
    """`behaviour` by subscription: an error to raise; it is delivered else."""

    def __init__(self, **behaviour):
        self.behaviour = behaviour
        self.told = []

    async def send(self, subscription, message, alerts, still_ours):
        still_ours()
        self.told.append(subscription.id)
        error = self.behaviour.get(subscription.id)
        if error is not None:
            raise error
        return Answer(Outcome.DELIVERED, at=time.time(), seconds=0.0)


async def attempted(channels, *names, rounds=0):
    """Deliver one alert to the subscriptions of these names; returns the attempts and the written records."""
    book, lease, producer = Book(), Lease(), Producer()
    lease.confirm(lease_time())
    delivery_log = DeliveryLog(producer, "deliveries", book, lease, "me")
    attempts = Sender(
        HeraldSettings(), Metrics(), Notifier(book, Gathering(0.0, 50)), delivery_log, lease, channels, asyncio.Event()
    )
    for name in names:
        subscription = make_subscription(name, f"https://{name}.example.com/hook")
        book.take_subscription(name, subscription)
        sealed = seal([msgspec.structs.replace(make_pending(subscription), round=rounds)], 1.0)
        await delivery_log.write(keyed(sealed))
        attempts.put(sealed)
    attempts.hand_out(2.0)
    while attempts._queues._tasks:
        await asyncio.sleep(0)
    return attempts, {record.subscription: record for record in producer.records}


@pytest.mark.parametrize("error", [KeyError("secret"), RuntimeError("secret"), AssertionError(), ValueError("secret")])
async def test_a_channel_that_raises_is_one_failed_delivery_and_nobody_else_s(error, caplog):
    channels = Channels(odd=error)
    attempts, written = await attempted(channels, "odd", "fine")
    assert attempts.failure is None
    assert written["fine"].state is State.DELIVERED
    odd = written["odd"]
    assert (odd.state, odd.attempt, odd.answer.outcome) == (State.PENDING, 1, Outcome.FAILED)
    assert odd.answer.detail == f"sending raised {type(error).__name__}"
    assert "odd: sending raised" in caplog.text
    assert "secret" not in caplog.text


async def test_an_attempt_that_is_not_ours_is_no_failure_and_made_again():
    channels = Channels(late=NotOurs())
    original = channels.send

    async def once(subscription, *rest):
        try:
            return await original(subscription, *rest)
        finally:
            channels.behaviour.clear()

    channels.send = once
    attempts, written = await attempted(channels, "late")
    assert attempts.failure is None
    assert channels.told == ["late", "late"]
    assert (written["late"].state, written["late"].attempt) == (State.DELIVERED, 1)


@pytest.mark.parametrize("error", [None, RuntimeError("no")], ids=["delivered", "failed"])
async def test_what_comes_late_of_a_message_that_is_being_sent_is_sent_behind_it(error):
    """Of the herald before: its records of one message may come in two parts."""
    channels = Channels(s=error)
    original, under_way = channels.send, asyncio.Event()
    later = asyncio.Event()

    async def held(*arguments):
        under_way.set()
        await later.wait()
        return await original(*arguments)

    channels.send = held
    book, lease, producer = Book(), Lease(), Producer()
    lease.confirm(lease_time())
    delivery_log = DeliveryLog(producer, "deliveries", book, lease, "me")
    attempts = Sender(
        HeraldSettings(), Metrics(), Notifier(book, Gathering(0.0, 50)), delivery_log, lease, channels, asyncio.Event()
    )
    subscription = make_subscription("s", "https://s.example.com/hook")
    book.take_subscription("s", subscription)
    first = make_pending(subscription)
    one, two = seal([first, msgspec.structs.replace(first, id="of another alert")], 1.0)
    await delivery_log.write(keyed([one]))
    attempts.put([one])
    attempts.hand_out(2.0)
    await under_way.wait()
    await delivery_log.write(keyed([two]))
    attempts.put([one, two])
    later.set()
    while attempts._queues._tasks:
        await asyncio.sleep(0)
    channels.behaviour.clear()
    attempts.hand_out(time.time() + 1e6)
    while attempts._queues._tasks:
        await asyncio.sleep(0)
    assert channels.told == ["s", "s"]
    assert {name: each.state for name, each in book.deliveries.items()} == dict.fromkeys(
        (one.id, two.id), State.DELIVERED
    )


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "corrected"])
async def test_what_changes_while_an_attempt_waits_for_room_holds_for_it(stopped):
    channels = Channels()
    original, under_way, later = channels.send, asyncio.Event(), asyncio.Event()
    urls = []

    async def held(subscription, *rest):
        under_way.set()
        await later.wait()
        urls.append(subscription.channel.url)
        return await original(subscription, *rest)

    channels.send = held
    book, lease, producer = Book(), Lease(), Producer()
    lease.confirm(lease_time())
    delivery_log = DeliveryLog(producer, "deliveries", book, lease, "me")
    settings = HeraldSettings(per_host=1)
    attempts = Sender(
        settings, Metrics(), Notifier(book, Gathering(0.0, 50)), delivery_log, lease, channels, asyncio.Event()
    )
    for name in ("first", "second"):
        subscription = make_subscription(name, f"https://example.com/{name}")
        book.take_subscription(name, subscription)
        sealed = seal([make_pending(subscription)], 1.0)
        await delivery_log.write(keyed(sealed))
        attempts.put(sealed)
    attempts.hand_out(2.0)
    await under_way.wait()
    channel = msgspec.structs.replace(subscription.channel, url="https://example.com/corrected")
    change = {"status": Activity.DISABLED} if stopped else {"channel": channel}
    book.take_subscription("second", msgspec.structs.replace(subscription, revision=2, **change))
    later.set()
    while attempts._queues._tasks:
        await asyncio.sleep(0)
    states = {record.subscription: record.state for record in producer.records}
    assert urls == ["https://example.com/first"] + ([] if stopped else ["https://example.com/corrected"])
    assert states["second"] is (State.PENDING if stopped else State.DELIVERED)


@pytest.mark.parametrize(("rounds", "timed"), [(0, 1), (1, 0)], ids=["the first time", "replayed"])
async def test_the_time_to_a_delivery_is_measured_unless_its_owner_asked_for_it_again(rounds, timed):
    attempts, written = await attempted(Channels(), "s", rounds=rounds)
    assert (written["s"].state, written["s"].round) == (State.DELIVERED, rounds)
    counted = attempts._metrics.registry.get_sample_value
    assert counted("isonomy_herald_deliveries_total", {"channel": "webhook", "state": "delivered"}) == 1
    assert (counted("isonomy_herald_delivery_seconds_count", {"channel": "webhook"}) or 0) == timed
