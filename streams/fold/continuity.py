"""Check that a partition is still the ledger that was folded."""

from __future__ import annotations

from aiokafka import TopicPartition

from streams.fold.checkpoint import Listing, checksum
from streams.kafka.consumer import Log


async def continues(log: Log, at: TopicPartition, listing: Listing, first: int, end: int) -> bool:
    """Whether the record before the listing's position is still the one that was folded."""
    before = listing.position - 1
    if listing.position > end or before < first:
        return False
    log.unreadable.clear()  # left over from another partition
    log.seek(at, before)
    while not log.unreadable:
        fetched = await log.fetch(at, timeout_ms=500, max_records=1)
        for record in fetched.get(at, ()):
            return record.offset == before and checksum(record.value) == listing.tail
    return False
