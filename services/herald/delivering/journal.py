"""Writes records of `deliveries`, and returns when they are there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.herald.delivering.tenure import Tenure
from services.herald.rules.book import Book
from streams.contracts.delivery import Delivery, Record, encode_record

log = logging.getLogger(__name__)

AGAIN_SECONDS = 0.5


class Journal:
    """The log of what is owed and what became of it.

    Parameters
    ----------
    producer
        Started.
    topic
        Full name.
    book
        Takes in what is written.
    tenure
        A herald that was replaced writes nothing more.
    by
        Name of this herald, for the records.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, book: Book, tenure: Tenure, by: str) -> None:
        self._producer, self._topic, self._by = producer, topic, by
        self._book, self._tenure = book, tenure

    async def write(self, records: Sequence[tuple[str, Record | None]]) -> None:
        """Write records, however long Kafka is away: what an endpoint acknowledged must not be forgotten.

        Raises
        ------
        Fenced
            When another herald has taken over.
        """
        waiting = [
            (key, msgspec.structs.replace(record, by=self._by) if isinstance(record, Delivery) else record)
            for key, record in records
        ]
        while waiting:
            await self._tenure.wait()
            futures = [await self._send(key, record) for key, record in waiting]
            results = await asyncio.gather(*futures, return_exceptions=True)
            failed = []
            for entry, result in zip(waiting, results, strict=True):
                if isinstance(result, KafkaError):
                    failed.append(entry)
                elif isinstance(result, BaseException):
                    raise result
                else:
                    self._book.take(*entry)
            if failed:
                log.error("%d of %d records not acknowledged, again: %s", len(failed), len(waiting), results[0])
                await asyncio.sleep(AGAIN_SECONDS)  # between two tries
            waiting = failed

    async def _send(self, key: str, record: Record | None) -> asyncio.Future[object]:
        value = None if record is None else encode_record(record)
        try:
            future: asyncio.Future[object] = await self._producer.send(self._topic, value, key=key.encode())
        except KafkaError as error:  # no metadata: Kafka is away
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        return future
