"""Appends records to the topic `deliveries`, and returns when Kafka has acknowledged them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from services.herald.lease import Lease
from services.herald.rules.delivery_state import Book
from streams.contracts.delivery import SETTLED, Answer, Delivery, Outcome, Record, State, encode_record

if TYPE_CHECKING:
    from aiokafka.structs import RecordMetadata

log = logging.getLogger(__name__)

AGAIN_SECONDS = 0.5
TOO_LARGE = "with its alert, the record is larger than the topic of deliveries allows"
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class DeliveryLog:
    """The log of deliveries: what must be sent, and the result.

    Parameters
    ----------
    producer
        Started.
    topic
        Full name.
    book
        Applies each record once Kafka has acknowledged it.
    lease
        A herald that has lost its lease writes nothing.
    by
        Name of this herald; stored in every delivery.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, book: Book, lease: Lease, by: str) -> None:
        self._producer, self._topic, self._by = producer, topic, by
        self._book, self._lease = book, lease
        self.given_up: list[Delivery] = []
        """Deliveries whose record was too large with its alert. The log has them as dead, without it."""

    async def write(self, records: Sequence[tuple[str, Record | None]]) -> None:
        """Write records, and retry for as long as Kafka is away: the result of a sent message must not be lost.

        A retry does not help a delivery that is too large for the topic. It is written without its alert, as dead.

        Raises
        ------
        HeraldFenced
            If another herald has taken over.
        """
        waiting = [
            (key, msgspec.structs.replace(record, by=self._by) if isinstance(record, Delivery) else record)
            for key, record in records
        ]
        given_up: list[Delivery] = []
        while waiting:
            await self._lease.wait()
            futures = [await self._send(key, record) for key, record in waiting]
            results = await asyncio.gather(*futures, return_exceptions=True)
            failed: list[tuple[str, Record | None]] = []
            shorter: list[tuple[str, Record | None]] = []
            for (key, record), result in zip(waiting, results, strict=True):
                if isinstance(result, _TOO_LARGE):
                    log.error("%s: %s", key, TOO_LARGE)
                    if isinstance(record, Delivery) and record.body is not None:  # else there is nothing to strip
                        short = _without_alert(record)
                        shorter.append((key, short))
                        given_up += [short] if short.state is not record.state else []
                elif isinstance(result, KafkaError):
                    failed.append((key, record))
                    why = result
                elif isinstance(result, BaseException):
                    raise result
                else:
                    self._book.take(key, record, result.offset)
            if failed:
                log.error("Kafka did not acknowledge %d of %d records; retrying: %s", len(failed), len(waiting), why)
                await asyncio.sleep(AGAIN_SECONDS)  # between two tries
            waiting = shorter + failed
        self.given_up += given_up

    async def _send(self, key: str, record: Record | None) -> asyncio.Future[RecordMetadata]:
        value = None if record is None else encode_record(record)
        try:
            future: asyncio.Future[RecordMetadata] = await self._producer.send(self._topic, value, key=key.encode())
        except KafkaError as error:  # no metadata: Kafka is away
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        return future


def _without_alert(delivery: Delivery) -> Delivery:
    """The delivery without its alert. It becomes dead unless it is settled already."""
    if delivery.state in SETTLED:
        return msgspec.structs.replace(delivery, body=None)
    answer = Answer(Outcome.FAILED, at=time.time(), seconds=0.0, detail=TOO_LARGE)
    return msgspec.structs.replace(
        delivery, state=State.DEAD, next_at=None, changed_at=answer.at, answer=answer, body=None
    )
