"""What other clients may write into the herald's topics: transactions, and batches that it cannot read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from services.herald.api.store import SubscriptionStore
from services.herald.lease import LEASE
from services.http.errors import Refused
from services.kafka.reader import KafkaReader, Unreadable, make_reader
from streams.contracts.alert import Alert, encode_alert
from streams.contracts.subscription import encode_subscription
from streams.contracts.topics import ALERTS, DELIVERIES, SUBSCRIPTIONS
from tests.support.eventually import eventually, eventually_async
from tests.support.herald import Endpoints, HeraldStack, make_alert, make_subscription
from tests.support.pipeline import READY
from tests.support.stack import TestBroker
from tests.support.writers import aborted, committed, needs_transactions, transaction, without_codecs, write_packed

pytestmark = pytest.mark.integration


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with Endpoints() as endpoints:
        yield endpoints


@pytest.fixture
def stack(broker: TestBroker, topic_prefix: str, tmp_path: Path) -> Iterator[HeraldStack]:
    stack = HeraldStack(broker.bootstrap, topic_prefix, tmp_path, {"ISONOMY_HERALD_GROUP_SECONDS": "0.1"})
    stack.create_topics()
    try:
        yield stack
    finally:
        stack.stop()


def told(endpoints: Endpoints) -> list[str]:
    return [identity for each in endpoints.of("/all") for identity, _ in each.alerts]


def records(*alerts: Alert) -> list[tuple[bytes, bytes]]:
    return [(alert.fingerprint.encode(), encode_alert(alert)) for alert in alerts]


@needs_transactions
def test_only_alerts_that_are_committed_are_told(stack: HeraldStack, endpoints: Endpoints) -> None:
    topic = stack.settings.kafka.topic(ALERTS.name)
    stack.subscribe(make_subscription("all", endpoints.url("/all")))
    # Before the herald begins, so that it must find the end of what ends in markers.
    committed(stack.bootstrap, topic, records(make_alert(1, detected_at=time.time())))
    aborted(stack.bootstrap, topic, records(make_alert(2, detected_at=time.time())))
    stack.herald().start().wait_owner()
    eventually(lambda: len(told(endpoints)) == 1)

    aborted(stack.bootstrap, topic, records(make_alert(3)))
    committed(stack.bootstrap, topic, records(make_alert(4)))
    with transaction(stack.bootstrap, topic, records(make_alert(5)), commit=True):
        eventually(lambda: len(told(endpoints)) == 2)
        other = stack.herald("other").start()  # takes over while the transaction is open
        eventually(lambda: other.metric("stage_ready") == 1.0, READY)
        stack._started[0].process.kill()
        other.wait_owner()
        assert len(told(endpoints)) == 2
    eventually(lambda: told(endpoints)[-1] == make_alert(5).id)
    assert list(dict.fromkeys(told(endpoints))) == [make_alert(number).id for number in (1, 4, 5)]


@needs_transactions
def test_a_claim_behind_an_open_transaction_counts_from_when_it_is_seen(
    stack: HeraldStack, endpoints: Endpoints
) -> None:
    stack.subscribe(make_subscription("all", endpoints.url("/all")))
    first = stack.herald("first").start().wait_owner()
    with transaction(stack.bootstrap, stack.settings.kafka.topic(DELIVERIES.name), [(b"foreign", None)], commit=False):
        stack.tell(make_alert(1))
        eventually(lambda: told(endpoints) == [make_alert(1).id])
        first.process.kill()
        second = stack.herald("second").start()
        eventually(lambda: "the take-over waits until it ends" in second.process.log_path.read_text(), 40)
        stack.tell(make_alert(2))
        ended = time.time()
    eventually(lambda: told(endpoints)[-1] == make_alert(2).id)
    # The herald before might have been told until the end that nobody had taken over, and might be sending still.
    assert endpoints.of("/all")[-1].at - ended >= LEASE
    # What the one that was killed had not noted yet is told again.
    assert list(dict.fromkeys(told(endpoints))) == [make_alert(number).id for number in (1, 2)]


@needs_transactions
async def test_positions_step_over_markers_and_stop_at_an_open_transaction(stack: HeraldStack) -> None:
    topic = stack.settings.kafka.topic(ALERTS.name)
    committed(stack.bootstrap, topic, records(make_alert(1)))
    async with reading(stack) as (consumer, follower):
        found = await read_to_end(follower)
        assert len(found) == 1
        ends = await consumer.end_offsets(list(follower.position))
        assert follower.position == ends  # not the offset after the record: the marker has one, too
        aborted(stack.bootstrap, topic, records(make_alert(1)))
        with transaction(stack.bootstrap, topic, records(make_alert(1)), commit=True):
            stack.tell(make_alert(1))
            assert await read_to_end(follower) == []
        assert len(await read_until(follower, 2)) == 2


async def test_a_batch_that_cannot_be_read_is_named_and_loses_nothing_beside_it(
    stack: HeraldStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, packed = [make_alert(number) for number in range(1, 9)], make_alert(9)
    stack.tell(*good)
    offset = await write_packed(stack.bootstrap, stack.settings.kafka.topic(ALERTS.name), *records(packed)[0])
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    async with reading(stack) as (_, follower):
        found, refused = await read_to_refusal(follower)
        before = dict(follower.position)
        assert str(refused).startswith(f"{stack.settings.kafka.topic(ALERTS.name)}/0, offset {offset}: ")
        assert "snappy" in str(refused)
        again, _ = await read_to_refusal(follower)
        assert again == []
        assert follower.position == before
        monkeypatch.undo()
        found += [record.value for record in await read_to_end(follower)]
    assert sorted(found) == sorted(map(encode_alert, [*good, packed]))


def test_a_herald_without_a_codec_stops_and_says_which_and_the_next_delivers_all(
    stack: HeraldStack, endpoints: Endpoints, tmp_path: Path
) -> None:
    stack.subscribe(make_subscription("all", endpoints.url("/all")))
    herald = stack.herald("without", **without_codecs(tmp_path)).start().wait_owner()
    offset = asyncio.run(
        write_packed(stack.bootstrap, stack.settings.kafka.topic(ALERTS.name), *records(make_alert(1))[0])
    )
    stack.tell(make_alert(2))
    eventually(lambda: herald.process.poll() is not None, 30)
    assert herald.process.poll() == 1
    last = herald.process.log_path.read_text().splitlines()[-1]
    assert f"{stack.settings.kafka.topic(ALERTS.name)}/0, offset {offset}: " in last
    assert "snappy" in last
    assert "Traceback" not in herald.process.log_path.read_text()
    stack.herald("with").start().wait_owner()
    eventually(lambda: sorted(told(endpoints)) == sorted([make_alert(1).id, make_alert(2).id]))


async def test_subscriptions_that_cannot_be_read_are_said_to_be_unknown(
    stack: HeraldStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, subscription = (
        stack.settings.kafka.topic(SUBSCRIPTIONS.name),
        make_subscription("packed", "http://127.0.0.1/"),
    )
    await write_packed(stack.bootstrap, topic, b"packed", encode_subscription(subscription))
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    store = SubscriptionStore(stack.settings.kafka)

    def told() -> str:
        """Names of the subscriptions, or why they are not known."""
        try:
            return ", ".join(store.book().subscriptions)
        except Refused as refused:
            return refused.detail

    async with store.run():
        await eventually_async(lambda: f"{topic}/0, offset 0" in told())
        assert "snappy" in told()
        monkeypatch.undo()
        await eventually_async(lambda: told() == "packed")


@contextlib.asynccontextmanager
async def reading(stack: HeraldStack) -> AsyncIterator[tuple[AIOKafkaConsumer, KafkaReader]]:
    """A follower of alerts at their beginning."""
    consumer = make_reader(stack.settings.kafka)
    await consumer.start()
    try:
        follower = KafkaReader(consumer, [stack.settings.kafka.topic(ALERTS.name)])
        await follower.start()
        yield consumer, follower
    finally:
        await consumer.stop()


async def read_to_end(follower: KafkaReader) -> list[Any]:
    """What can be read now."""
    found = await follower.fetch(500)
    while not await follower.at_end():
        found += await follower.fetch(500)
    return found


async def read_to_refusal(follower: KafkaReader) -> tuple[list[bytes], Unreadable]:
    """The values returned before an unreadable batch, and the error."""
    found: list[bytes] = []
    while True:
        try:
            found += [record.value for record in await follower.fetch(500)]
        except Unreadable as refused:
            return found, refused


async def read_until(follower: KafkaReader, count: int) -> list[Any]:
    """This number of records."""
    found: list[Any] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += await follower.fetch(500)
    return found
