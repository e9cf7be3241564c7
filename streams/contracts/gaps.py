"""Detects records that the embedded broker left out of a fetch, and reads again from the gap.

When several producers write to one partition at the same time, Tansu 0.6.0 may return a record before the preceding one
is visible: of 10,000 records of four producers, three were skipped. Its offsets have no other gaps, so a gap shows
this. On Apache Kafka gaps mean nothing: a transaction's marker takes an offset, and compaction removes records.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

logger = logging.getLogger(__name__)

_LEADER_EPOCHS, _TOPIC_PARTITIONS = 23, 75
"""Numbers of the requests OffsetForLeaderEpoch and DescribeTopicPartitions (kafka.apache.org, "Protocol")."""
AGAIN_SECONDS = 0.01
LONGEST_SECONDS = 5.0
"""Seconds after which a gap counts as permanent: a record that is not visible by then never will be."""


class HasOffset(Protocol):
    """A record, or a batch that nobody can read."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""


Placed = TypeVar("Placed", bound=HasOffset)


@dataclass(slots=True)
class _Gap:
    """The gap that a partition has reached, and the time of the first check."""

    offset: int
    since: float
    overdue: bool = False
    """Whether it was already older than the limit at the previous check: only a fetch after that check counts."""


class Gaps:
    """The gap that each partition has reached."""

    def __init__(self) -> None:
        self._at: dict[Hashable, _Gap] = {}

    def whole(self, at: Hashable, records: Sequence[HasOffset], expected: int, now: float) -> int:
        """Count the records of a partition before the first gap that may still be filled.

        Parameters
        ----------
        records
            At least one, by offset. Records after that gap must be fetched again for the next check.
        expected
            Offset of the next record.
        now
            Seconds on any steady clock.
        """
        if records[0].offset == expected and records[-1].offset - expected == len(records) - 1:
            self._at.pop(at, None)
            return len(records)
        for number, record in enumerate(records):
            if record.offset != expected and not self._stays(at, expected, now):
                return number
            expected = record.offset + 1
        return len(records)

    def _stays(self, at: Hashable, offset: int, now: float) -> bool:
        gap = self._at.get(at)
        if gap is None or gap.offset != offset:
            gap = self._at[at] = _Gap(offset, now)
        if gap.overdue:
            logger.error("%s has no record at offset %d: reading continues after it", at, offset)
            del self._at[at]
            return True
        # A reader that was blocked may hold records that were fetched long ago: check once more.
        gap.overdue = now - gap.since >= LONGEST_SECONDS
        return False

    async def leave_out(
        self,
        consumer: AIOKafkaConsumer,
        batch: Mapping[TopicPartition, Sequence[Placed]],
        expected: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, Sequence[Placed]]:
        """Drop records after a gap from a batch of an aiokafka consumer, and seek back so that it fetches them again.

        There is no await between the fetch and the seek; then it waits a moment, because the broker may still be
        writing the missing record.

        Parameters
        ----------
        batch
            Records by partition, at least one each.
        expected
            Offset of the next record by partition, where known.
        """
        if not batch or not is_embedded(consumer):
            return dict(batch)
        whole: dict[TopicPartition, Sequence[Placed]] = {}
        for at, records in batch.items():
            begin = expected.get(at, records[0].offset)
            count = self.whole(at, records, begin, time.monotonic())
            if count < len(records):
                consumer.seek(at, records[count - 1].offset + 1 if count else begin)
            if count:
                whole[at] = records[:count]
        if any(len(whole.get(at, ())) < len(records) for at, records in batch.items()):
            await asyncio.sleep(AGAIN_SECONDS)
        return whole


def is_embedded(consumer: AIOKafkaConsumer) -> bool:
    """Whether an aiokafka consumer is connected to the embedded broker.

    That broker supports a request of Kafka 3.7 but not one of 0.11, like no other broker that we have tested. aiokafka
    has no public attribute for a broker's capabilities.
    """
    known = [conn._versions or () for conn in consumer._client._conns.values()]
    return any(_TOPIC_PARTITIONS in versions and _LEADER_EPOCHS not in versions for versions in known)
