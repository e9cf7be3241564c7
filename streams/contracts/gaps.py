"""Records that the embedded broker left out of a fetch: what comes behind them is read again.

Tansu 0.6.0 hands a reader a record before the one in front of it can be seen, when several producers write to one
partition at the same time: of 10,000 records of four producers three were passed over. Its offsets have no gaps
otherwise, so a gap tells. On Apache Kafka gaps mean nothing: a transaction's marker takes an offset, and compaction
takes records away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

_LEADER_EPOCHS, _TOPIC_PARTITIONS = 23, 75
"""Numbers of the requests OffsetForLeaderEpoch and DescribeTopicPartitions (kafka.apache.org, "Protocol")."""
AGAIN_SECONDS = 0.01
LONGEST_SECONDS = 5.0
"""After so long a gap is taken for one: what is not there by then never comes."""


@dataclass(slots=True)
class _Gap:
    """The gap that a partition is at, and since when it is looked at."""

    offset: int
    since: float
    overdue: bool = False
    """Whether it had been there for long at the look before: only what was fetched after that look can tell."""


class Gaps:
    """The gap that each partition is at."""

    def __init__(self) -> None:
        self._at: dict[Hashable, _Gap] = {}

    def whole(self, at: Hashable, records: Sequence[Any], expected: int, now: float) -> int:
        """How many records of a partition can be taken: up to the first gap that may still be closed.

        Parameters
        ----------
        records
            At least one, by offset. What a look has left behind must be fetched anew for the next one.
        expected
            Offset of the next record.
        now
            Any steady clock, seconds.
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
            logger.error("%s holds no record at offset %d: what is behind it is read", at, offset)
            del self._at[at]
            return True
        # A reader that was held up has before it what was fetched long ago: it looks once more.
        gap.overdue = now - gap.since >= LONGEST_SECONDS
        return False

    async def leave_out(
        self, consumer: Any, batch: Mapping[Any, Sequence[Any]], expected: Mapping[Any, int]
    ) -> dict[Any, Any]:
        """Leave out what comes behind a gap in what an aiokafka consumer has fetched, and have it fetched again.

        Nothing awaits between what the consumer has handed over and the seek; then a moment passes, for a broker that
        is busy with the record that is missing.

        Parameters
        ----------
        batch
            Records of each partition, at least one.
        expected
            Offset of the next record of each partition, where it is known.
        """
        if not batch or not is_embedded(consumer):
            return dict(batch)
        whole: dict[Any, Any] = {}
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


def is_embedded(consumer: Any) -> bool:
    """Whether the embedded broker answers an aiokafka consumer.

    It knows a request that came with Kafka 3.7, and not one that came with 0.11: no other broker that we met does so.
    No public attribute says what a broker can do.
    """
    known = [conn._versions or () for conn in consumer._client._conns.values()]
    return any(_TOPIC_PARTITIONS in versions and _LEADER_EPOCHS not in versions for versions in known)
