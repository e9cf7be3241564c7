"""How far the ledger shows `votes` and `models` to be read; used when the group's commit is foreign or missing."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.contracts.kafka_record import ConsumerRecord
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import LEDGER, MODELS, VOTES
from streams.kafka.clients import make_reader, stop
from streams.kafka.unreadable import is_of_a_batch, look
from streams.ledger.codec import Block, DamagedRecord, Notice, decode

logger = logging.getLogger(__name__)

WINDOW = 500
"""Ledger records to read at once, from the end backwards. Nearly every block names every votes partition."""
NEAR = 10_000
"""Ledger records from the end in which to look for records to compare."""
KEPT = 16
"""Records to keep of each partition for comparison: the last one may be gone from the log by then."""


@dataclass(slots=True)
class LedgerProgress:
    """What the ledger shows about one partition of `votes` or `models`.

    Attributes
    ----------
    end
        Offset after the last record that the ledger accounts for.
    recorded
        Record time, epoch milliseconds, of the newest row or notice in a ledger record that names the partition.
    records
        Record times, by offset, of the partition's last records in the ledger; at most `KEPT`.
    """

    end: int = 0
    recorded: int = -1
    records: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Looked:
    """What was read of one ledger partition: the records from `low` up to `high`, and their oldest row's time."""

    low: int
    high: int
    oldest: float = math.inf


class Proof:
    """A search of the ledger, from its end backwards.

    An interrupted search can be continued: the ledger only grows, so its findings stay true. Otherwise a search that
    takes longer than the time between two rebalances would never end.
    """

    def __init__(self) -> None:
        self._shown: dict[str, LedgerProgress] = {}
        self._looked: dict[TopicPartition, _Looked] = {}

    async def search(
        self, settings: KafkaSettings, places: Collection[str], step: Callable[[], None]
    ) -> dict[str, LedgerProgress]:
        """Return what the ledger shows about each partition, named as in a watermark: `votes/0`.

        Partitions that the ledger does not name are left out: they were never read. `step` is called for every piece of
        work; an exception from it interrupts the search.
        """
        consumer = make_reader(settings, "intake-proof")
        await consumer.start()
        try:
            topic = settings.topic(LEDGER.name)
            numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or ()
            ledger = [TopicPartition(topic, number) for number in sorted(numbers)]
            first, ends = await consumer.beginning_offsets(ledger), await consumer.end_offsets(ledger)
            for at in ledger:
                looked = self._looked.setdefault(at, _Looked(ends[at], ends[at]))
                while looked.high < ends[at]:  # written since the search was interrupted
                    end = min(ends[at], looked.high + WINDOW)
                    await self._look(consumer, at, looked.high, end, step)
                    looked.high = end
            while behind := [at for at in ledger if self._looked[at].low > first[at] and self._lacks(at, places)]:
                for at in behind:
                    looked = self._looked[at]
                    start = max(first[at], looked.low - WINDOW)
                    oldest = await self._look(consumer, at, start, looked.low, step)
                    looked.low, looked.oldest = start, min(oldest, looked.oldest)
                    if start > first[at] and self._lacks(at, places):
                        logger.info(
                            "searching further back in %s/%d: %d records are left",
                            topic,
                            at.partition,
                            start - first[at],
                        )
            return {place: self._shown[place] for place in places if place in self._shown}
        finally:
            await stop(consumer)

    def _lacks(self, at: TopicPartition, places: Collection[str]) -> bool:
        """Whether earlier records of a ledger partition may show more.

        Where another ledger partition names a place, this one is read back to that record time only: older records name
        nothing beyond it. The times compared are those of the votes, which come from one clock; a notice may come from
        an old record.

        A place may be named without a row, when all its records were refused: then the search looks for records to
        compare only near the end of the ledger.
        """
        shown, looked = [self._shown.get(place) for place in places], self._looked[at]
        near = looked.high - looked.low < NEAR
        return any(each is None or (near and not each.records) or looked.oldest > each.recorded for each in shown)

    async def _look(
        self, consumer: AIOKafkaConsumer, at: TopicPartition, start: int, end: int, step: Callable[[], None]
    ) -> float:
        """Read a range of a ledger partition; return the record time of its oldest row."""
        oldest = math.inf
        consumer.assign([at])
        consumer.seek(at, start)
        while (place := await consumer.position(at)) < end:
            for record in await _fetch(consumer, at, place, end - place):
                try:
                    found = decode(record.value or b"")
                except DamagedRecord as error:
                    logger.warning(
                        "%s/%d at offset %d proves nothing: %s", at.topic, at.partition, record.offset, error
                    )
                    continue
                if isinstance(found, Notice):
                    self._note(f"{MODELS.name}/{found.partition}", found.offset, found.recorded)
                    self._keep(f"{MODELS.name}/{found.partition}", found.offset, found.recorded)
                elif len(found.rows):
                    oldest = min(oldest, int(found.rows.recorded.min()))
                    self._note_block(found)
            step()
            await asyncio.sleep(0)  # heartbeats
        return oldest

    def _note_block(self, block: Block) -> None:
        rows, newest = block.rows, int(block.rows.recorded.max())
        for partition, offset in block.through.items():
            self._note(f"{VOTES.name}/{partition}", offset, newest)
        for partition in np.unique(rows.partition).tolist():
            last = np.flatnonzero(rows.partition == partition)[-1]
            self._keep(f"{VOTES.name}/{partition}", int(rows.offset[last]), int(rows.recorded[last]))

    def _note(self, place: str, offset: int, recorded: int) -> None:
        shown = self._shown.setdefault(place, LedgerProgress())
        shown.end, shown.recorded = max(offset + 1, shown.end), max(recorded, shown.recorded)

    def _keep(self, place: str, offset: int, recorded: int) -> None:
        records = self._shown[place].records
        records[offset] = recorded
        if len(records) > KEPT:
            del records[min(records)]


async def _fetch(consumer: AIOKafkaConsumer, at: TopicPartition, place: int, most: int) -> Sequence[ConsumerRecord]:
    """Fetch from an offset on, skipping a batch that cannot be read; reading records twice does no harm."""
    try:
        found: Sequence[ConsumerRecord] = (await consumer.getmany(at, timeout_ms=200, max_records=most)).get(at, ())
    except Exception as error:
        fault = await look(consumer, at, place) if is_of_a_batch(error) else None
        if fault is None:
            raise
        if fault.offset > place and most > 1:
            consumer.seek(at, place)
            return await _fetch(consumer, at, place, 1)
        logger.warning("%s/%d at offset %d proves nothing: %s", at.topic, at.partition, fault.offset, fault.why)
        consumer.seek(at, fault.last + 1)
        return ()
    return found
