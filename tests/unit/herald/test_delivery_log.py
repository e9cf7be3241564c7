"""The delivery_log waits for Kafka as long as it takes, and for nothing that will never be."""

import asyncio

import msgspec
import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

import services.kafka.reader
from services.herald.delivery_log import TOO_LARGE, DeliveryLog
from services.herald.lease import Lease, lease_time
from services.herald.rules.delivery_state import Book, keyed
from streams.contracts.delivery import Answer, Delivery, Outcome, Replay, State, encode_record, is_replayable
from streams.contracts.settings import Settings
from tests.support.herald import make_subscription
from tests.unit.herald.making import Producer, large, make_pending

LARGE = large(make_pending(make_subscription("large", "https://large.example.com/")))
SMALL = make_pending(make_subscription("small", "https://small.example.com/"))
MOST = 1_000
assert len(encode_record(SMALL)) < MOST < len(encode_record(LARGE))


async def written(producer: Producer, *records: Delivery) -> tuple[DeliveryLog, Book]:
    """Write records, and stop when that does not end; returns the delivery_log and its book."""
    book, lease = Book(), Lease()
    lease.confirm(lease_time())
    delivery_log = DeliveryLog(producer, "deliveries", book, lease, "me")
    async with asyncio.timeout(1):
        await delivery_log.write(keyed(list(records)))
    return delivery_log, book


async def test_what_the_broker_finds_too_large_is_a_failure_of_that_one_delivery(
    caplog: pytest.LogCaptureFixture,
) -> None:
    delivery_log, book = await written(Producer(MOST), LARGE, SMALL)
    assert book.deliveries[SMALL.id].state is State.PENDING
    dead = book.deliveries[LARGE.id]
    assert (dead.state, dead.body, dead.next_at) == (State.DEAD, None, None)
    assert (dead.answer.outcome, dead.answer.detail) == (Outcome.FAILED, TOO_LARGE)
    assert delivery_log.given_up == [dead]
    assert f"{LARGE.id}: {TOO_LARGE}" in caplog.text


async def test_so_is_what_the_client_finds_too_large() -> None:
    class Strict(Producer):
        async def send(self, topic, value, key):
            if len(value) > MOST:
                raise MessageSizeTooLargeError
            return await super().send(topic, value, key)

    _, book = await written(Strict(), LARGE)
    assert book.deliveries[LARGE.id].state is State.DEAD


async def test_what_is_settled_stays_what_it_is_and_is_not_counted_again() -> None:
    answer = Answer(Outcome.REJECTED, at=1.0, seconds=0.1, status=500)
    delivery_log, book = await written(
        Producer(MOST), msgspec.structs.replace(LARGE, state=State.DEAD, attempt=7, answer=answer)
    )
    found = book.deliveries[LARGE.id]
    assert (found.state, found.attempt, found.answer, found.body) == (State.DEAD, 7, answer, None)
    assert delivery_log.given_up == []


async def test_what_has_no_alert_to_leave_out_is_not_tried_for_ever() -> None:
    _, book = await written(Producer(10), msgspec.structs.replace(SMALL, body=None))
    assert book.deliveries == {}


async def test_a_delivery_without_its_alert_is_not_replayed() -> None:
    _, book = await written(Producer(MOST), LARGE)
    assert not is_replayable(book.deliveries[LARGE.id])
    book.take(f"replay/{LARGE.id}", Replay(delivery=LARGE.id, round=1, at=5.0), 9)
    assert book.asked_again() == []


async def test_what_kafka_does_not_acknowledge_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Producer):
        times = 2

        async def send(self, topic, value, key):
            if self.times:
                self.times -= 1
                raise KafkaTimeoutError
            return await super().send(topic, value, key)

    monkeypatch.setattr("services.herald.delivery_log.AGAIN_SECONDS", 0.0)
    _, book = await written(Away(), SMALL)
    assert book.deliveries[SMALL.id].by == "me"


@pytest.mark.parametrize("size", [1_500_000, 8_000_000])
def test_the_topic_says_what_is_too_large_and_not_our_producer(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(services.kafka.reader, "AIOKafkaProducer", lambda **options: options)
    assert services.kafka.reader.make_producer(Settings())["max_request_size"] > size
