"""Counts dead letters in a Faust agent, which may see a record twice.

Anyone with write access to a topic can write a batch that no client can read. Such a batch would end the Faust
application, with all stages, at each start. So the consumer skips it, logs it, and counts its letters with an unknown
reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import StreamT, TransportT
from prometheus_client import Counter

from streams.contracts.dead_letter import REDRIVEN
from streams.contracts.kafka_record import ConsumerRecord
from streams.contracts.metrics import Metrics
from streams.contracts.reasons import Reason
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import DEAD_LETTERS
from streams.kafka.unreadable import is_of_a_batch, look

logger = logging.getLogger(__name__)

CAREFUL_SECONDS = 0.5
"""Time to wait for a record before a batch that cannot be read."""
UNKNOWN = "unknown"
"""Reason of a letter whose own reason cannot be read."""


def account_dead_letters(app: faust.App, settings: KafkaSettings, metrics: Metrics) -> None:
    """Count dead letters by their reason."""
    topic = app.topic(settings.topic(DEAD_LETTERS.name), key_type=bytes, value_type=bytes, value_serializer="raw")
    known = {reason.value for reason in Reason}

    @app.agent(topic, name="account-dead-letters")
    async def account(letters: StreamT[bytes]) -> None:
        async for event in letters.events():
            headers = dict(event.headers or {})
            if REDRIVEN in headers:
                continue
            reason = (headers.get("reason") or b"").decode("ascii", "replace")
            metrics.dead_letters.labels(reason if reason in known else UNKNOWN).inc()


def pass_over_unreadable(transport: TransportT, metrics: Metrics) -> None:
    """Make the consumer of a Faust transport skip batches that cannot be read."""

    class Thread(_Thread):
        dead_letters = metrics.dead_letters

    class Consumer(driver.Consumer):
        def _new_consumer_thread(self) -> Thread:
            return Thread(self, loop=self.loop, beacon=self.beacon)

    transport.Consumer = Consumer  # type: ignore[misc]  # of the one instance


class _Thread(driver.AIOKafkaConsumerThread):
    dead_letters: Counter

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TopicPartition],
        timeout: float | None = None,  # noqa: ASYNC109 -- Faust's
        max_records: int | None = None,
    ) -> Mapping[TopicPartition, list[ConsumerRecord]]:
        starts = _positions(consumer, active_partitions)
        try:
            return await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        except Exception as error:
            if not is_of_a_batch(error):
                raise
            # After an error aiokafka's positions are past records that it did not return: seek back.
            starts = {at: start for at, start in starts.items() if at in consumer.assignment()}
            for at, start in starts.items():
                consumer.seek(at, start)
            logger.warning("dead letters are read one by one: %r", error)
            await asyncio.sleep(CAREFUL_SECONDS)  # a batch in an open transaction is not a fault yet
            return {at: found for at, start in starts.items() if (found := await self._carefully(consumer, at, start))}

    async def _carefully(self, consumer: AIOKafkaConsumer, at: TopicPartition, start: int) -> list[ConsumerRecord]:
        """Read the records before the batch that cannot be read, one by one; the next fetch starts after it."""
        try:
            fault = await look(consumer, TopicPartition(at.topic, at.partition), start)
        except KafkaError as error:
            logger.warning("%s/%d: searching for the unreadable batch: %r", at.topic, at.partition, error)
            return []
        records: list[ConsumerRecord] = []
        try:
            while fault is not None and _positions(consumer, {at}).get(at, fault.offset) < fault.offset:
                came = await super()._fetch_records(consumer, {at}, CAREFUL_SECONDS, 1)
                if at not in came:
                    return records
                records += came[at]
        except Exception as error:
            # Only a transaction's marker, no record, is in between: the fetch has reached the batch.
            if not is_of_a_batch(error):
                raise
        if fault is not None and at in consumer.assignment():
            logger.error(
                "%s/%d: the batch at offsets %d to %d cannot be read, the reasons of its letters are unknown: %s",
                at.topic, at.partition, fault.offset, fault.last, fault.why,
            )  # fmt: skip
            self.dead_letters.labels(UNKNOWN).inc(fault.last - fault.offset + 1)
            consumer.seek(at, fault.last + 1)
        return records


def _positions(consumer: AIOKafkaConsumer, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
    """Return a consumer's position in each partition, without partitions whose position it does not know yet."""
    subscription = consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    if assignment is None:
        return {}
    states = {at: assignment.state_value(at) for at in partitions if at in assignment.tps}
    return {at: state.position for at, state in states.items() if state is not None and state.has_valid_position}
