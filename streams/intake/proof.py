"""How far the ledger shows `votes` to have been read: asked when the group's commit is not one of ours, or is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.clients import make_reader, stop
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER
from streams.ledger.codec import Block, DamagedRecord, decode

logger = logging.getLogger(__name__)

WINDOW = 500
"""Ledger records that are read at once, from the end backwards. Nearly every block names every votes partition."""


async def proven(settings: Settings, partitions: Collection[int], step: Callable[[], None]) -> dict[int, int]:
    """Offset after the last record of each votes partition that a block of the ledger accounts for.

    A partition that no block names is left out: it was never read. `step` is called for every piece of work.
    """
    consumer = make_reader(settings, "intake-proof")
    await consumer.start()
    try:
        topic = settings.topic(LEDGER.name)
        numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or ()
        ledger = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(ledger)
        found: dict[int, int] = {}
        for at in ledger:
            for partition, end in (await _read_back(consumer, at, partitions, step)).items():
                found[partition] = max(end, found.get(partition, 0))
        return found
    finally:
        await stop(consumer)


async def _read_back(
    consumer: AIOKafkaConsumer, at: TopicPartition, wanted: Collection[int], step: Callable[[], None]
) -> dict[int, int]:
    """What the blocks of one ledger partition name: window by window, until all is found or nothing is left."""
    first = (await consumer.beginning_offsets([at]))[at]
    end = (await consumer.end_offsets([at]))[at]
    found: dict[int, int] = {}
    while end > first and not found.keys() >= set(wanted):
        start = max(first, end - WINDOW)
        consumer.seek(at, start)
        newer = dict(found)
        while await consumer.position(at) < end:
            for record in (await consumer.getmany(at, timeout_ms=200, max_records=WINDOW)).get(at, ()):
                try:
                    block = decode(record.value or b"")
                except DamagedRecord as error:
                    logger.warning(
                        "%s/%d at offset %d proves nothing: %s", at.topic, at.partition, record.offset, error
                    )
                    continue
                if isinstance(block, Block):
                    for partition, offset in block.through.items():
                        if partition not in newer:
                            found[partition] = max(offset + 1, found.get(partition, 0))
            step()
            await asyncio.sleep(0)  # heartbeats
        end = start
        if end > first and not found.keys() >= set(wanted):
            logger.info("looking further back in %s/%d: %d records are left", at.topic, at.partition, end - first)
    return found
