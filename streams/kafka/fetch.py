"""Fetches records for a stage: past gaps and batches that cannot be read, and never against a rebalance."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, OffsetOutOfRangeError

from streams.contracts.gaps import Gaps, is_embedded
from streams.contracts.kafka_record import ConsumerRecord
from streams.kafka.clients import stable_end
from streams.kafka.unreadable import UnreadableBatch, is_of_a_batch, look

logger = logging.getLogger(__name__)

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]
"""Records by partition, as the client returns them."""

LONGEST_WAIT_MS = 1_000
REBALANCE_GRACE = 0.5
"""Seconds that a fetch may take beyond its own wait before it counts as blocked by a rebalance."""
CAREFUL_WAIT_MS, MOST_CAREFUL_WAIT_MS = 500, 4_000
"""Time to wait for the records before a batch that cannot be read; doubled each time, because a fetch may be slow."""
BLAMELESS_TIMES = 5
"""Fetch errors in a row, without a batch that explains them, that are retried as transient."""


class Rebalanced(Exception):  # noqa: N818 -- what happened
    """The group is moving partitions: those being taken over may have another owner now."""


class OutOfReach(RuntimeError):  # noqa: N818 -- what it is
    """A position is outside the log: the log now begins after it or ends before it."""


@dataclass(slots=True)
class FetchWait:
    """The wait of the next fetch, in ms, and the fetches that led to it; starts at `shortest` and returns to it.

    It grows while a broker returns nothing although there are records. The embedded broker returns nothing when
    collecting the records takes longer than the fetch wait. That time grows with the number of batches, so repeating
    the same request would never return any.

    >>> wait = FetchWait(20)
    >>> [wait.look(came=False, behind=True, now=0.0) for _ in range(4)]
    [20, 40, 80, 160]
    >>> wait.look(came=True, behind=True, now=1.0), wait.look(came=True, behind=False, now=2.0)
    (160, 20)
    """

    shortest: int
    wait_ms: int = field(init=False)
    empty: int = 0
    came_at: float | None = None

    def __post_init__(self) -> None:
        self.wait_ms = self.shortest

    def look(self, *, came: bool, behind: bool, now: float) -> int:
        """Note whether a fetch returned records and whether more exist; return the next wait."""
        self.empty = 0 if came else self.empty + 1
        if came:
            self.came_at = now
        if not behind:
            self.wait_ms = self.shortest
        elif self.empty > 1:
            self.wait_ms = max(self.shortest, min(LONGEST_WAIT_MS, 2 * self.wait_ms))
        return self.wait_ms

    def told(self, now: float) -> str:
        """Describe what the last fetches brought."""
        last = "no records yet" if self.came_at is None else f"last records {now - self.came_at:.0f} s ago"
        return f"{last}, {self.empty} empty fetches since, each waiting up to {self.wait_ms} ms"


class Fetcher:
    """Fetches from the partitions of one consumer, and knows up to where it has read them.

    Parameters
    ----------
    consumer
        The consumer; its partitions may move to another member of its group.
    shortest_wait_ms
        How long a fetch waits for records, as long as the broker returns what there is.
    """

    def __init__(self, consumer: AIOKafkaConsumer, shortest_wait_ms: int) -> None:
        self.consumer = consumer
        self._wait = FetchWait(shortest_wait_ms)
        self._blameless = 0
        self._careful_ms = CAREFUL_WAIT_MS
        self._gaps = Gaps()
        self.active = False
        """Whether the partitions are taken over; before, the records that a stage reads exist."""
        self.reached: dict[TopicPartition, int] = {}
        """Next offset to fetch of each partition: after the last record, and after offsets that hold no record, such as
        a transaction's marker."""
        self.unreadable: list[UnreadableBatch] = []
        """Batches that were skipped; the stage removes them when it has handled them."""

    def reset(self) -> None:
        """Forget all partitions, before those of another assignment are taken over."""
        self.reached, self.unreadable, self._gaps = {}, [], Gaps()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at an offset."""
        self.consumer.seek(partition, offset)
        self.reached[partition] = offset

    async def fetch(self, *partitions: TopicPartition, timeout_ms: int, max_records: int) -> Fetched:
        """Fetch from the given partitions, or from all; skip batches that cannot be read, see `unreadable`.

        Once a rebalance has begun, aiokafka's own call would wait for its end, and the rebalance waits for our turn to
        end: a deadlock.

        Raises
        ------
        Rebalanced
            When a rebalance has begun.
        OutOfReach
            When a position is no longer in the log.
        """
        try:
            batch = await self._getmany(partitions, timeout_ms, max_records)
        except (Rebalanced, OutOfReach):
            raise
        except Exception as error:
            if not is_of_a_batch(error):
                raise
            batch = await self._carefully(partitions or tuple(self.reached), max_records, error)
            self._careful_ms = min(2 * self._careful_ms, MOST_CAREFUL_WAIT_MS)
            return batch
        self._careful_ms = CAREFUL_WAIT_MS
        if not self.active and is_embedded(self.consumer):
            self._wait_for(came=bool(batch), behind=True)  # the records that a take-over reads exist
        batch = await self._gaps.leave_out(self.consumer, batch, self.reached)
        await self._note(partitions or tuple(self.reached), batch)
        return batch

    async def _getmany(self, partitions: Sequence[TopicPartition], timeout_ms: int, max_records: int) -> Fetched:
        try:
            async with asyncio.timeout(timeout_ms / 1000 + REBALANCE_GRACE):
                batch: Fetched = await self.consumer.getmany(
                    *partitions, timeout_ms=timeout_ms, max_records=max_records
                )
        except TimeoutError:
            # Not a rebalance when another stage blocked the event loop past the deadline.
            self.give_way()
            batch = {}
        except OffsetOutOfRangeError as error:
            places = ", ".join(f"{at.topic}/{at.partition} at {offset}" for at, offset in error.args[0].items())
            raise OutOfReach(f"{places}: the log no longer has this offset") from None
        return batch

    async def _note(self, partitions: Sequence[TopicPartition], batch: Fetched) -> None:
        """Store the consumer's positions, which also advance over offsets without a record."""
        for at in partitions:
            try:
                self.reached[at] = await self.consumer.position(at)
            except IllegalStateError:  # revoked meanwhile: only the records are certain
                if at in batch:
                    self.reached[at] = batch[at][-1].offset + 1

    def give_way(self) -> None:
        """End a long turn by raising `Rebalanced` when the group is rebalancing: the rebalance waits for the turn.

        The group removes a member that does not rejoin within the session timeout; that member's next join starts
        another rebalance, which may remove the next one. aiokafka has no public attribute for a rebalance that has
        begun, and calls the listener only after the turn.
        """
        if self.consumer._subscription.reassignment_in_progress:
            raise Rebalanced

    def _wait_for(self, *, came: bool, behind: bool) -> None:
        wait = self._wait.look(came=came, behind=behind, now=time.monotonic())
        self.consumer._fetcher._fetch_max_wait_ms = wait  # no public setter; a test checks that aiokafka uses it

    def told(self) -> str:
        """Describe what the last fetches brought, for the watchdog's last message."""
        return self._wait.told(time.monotonic())

    async def _carefully(self, partitions: Sequence[TopicPartition], max_records: int, error: Exception) -> Fetched:
        """Fetch record by record up to a batch that cannot be read, and continue after it.

        After an error aiokafka's positions, also those of other partitions, are past records that it did not return.
        So all partitions are read again from where they were.

        Raises
        ------
        Exception
            `error`, when it recurs and no batch explains it.
        """
        starts = {at: self.reached[at] for at in partitions}
        passed_over = len(self.unreadable)
        batch: dict[TopicPartition, Sequence[ConsumerRecord]] = {}
        try:
            for at, start in starts.items():
                self.seek(at, start)
            for at in partitions:
                if self._is_at_end(at):
                    continue
                records = await self._up_to_fault(at, max_records)
                if records:
                    batch[at] = records
                    self.seek(at, records[-1].offset + 1)
        except BaseException:
            # Discard what was read so far: this consumer or the next owner reads it again.
            with contextlib.suppress(IllegalStateError):
                for at, start in starts.items():
                    self.seek(at, start)
            del self.unreadable[passed_over:]
            raise
        found = bool(batch) or len(self.unreadable) > passed_over
        self._blameless = 0 if found else self._blameless + 1
        if self._blameless > BLAMELESS_TIMES:
            raise error
        return batch

    def _is_at_end(self, at: TopicPartition) -> bool:
        """Whether the last fetch reported no more records; an empty partition ends at 0."""
        told = self.consumer.highwater(at) is not None
        return told and self.reached[at] >= stable_end(self.consumer, at)

    async def _up_to_fault(self, at: TopicPartition, most: int) -> list[ConsumerRecord]:
        """Return the partition's records before the batch that cannot be read; skip that batch when it comes first."""
        records: list[ConsumerRecord] = []
        until = time.monotonic() + self._careful_ms / 1000
        try:
            while len(records) < most:
                # Short waits, because a rebalance that begins meanwhile waits for this turn.
                came = await self._getmany([at], 0 if records else CAREFUL_WAIT_MS, 1)
                expected = {at: records[-1].offset + 1 if records else self.reached[at]}
                new = (await self._gaps.leave_out(self.consumer, came, expected)).get(at, [])
                records += new
                self.give_way()
                if not new and (records or self._is_at_end(at) or time.monotonic() >= until):
                    break
                await asyncio.sleep(0)  # heartbeats
        except (Rebalanced, OutOfReach):
            raise
        except Exception as error:
            if not is_of_a_batch(error):
                raise
            if not records:
                await self._pass_over(at)
        return records

    async def _pass_over(self, at: TopicPartition) -> None:
        found = await look(self.consumer, at, self.reached[at])
        if found is None:
            return
        ahead = found.offset > self.reached[at]
        if ahead and not await self._gaps.leave_out(self.consumer, {at: [found]}, self.reached):
            self._blameless = 0  # a record before the batch is not visible yet
            return
        logger.error(
            "%s/%d: the batch at offsets %d to %d cannot be read and is skipped: %s",
            at.topic, at.partition, found.offset, found.last, found.why,
        )  # fmt: skip
        self.unreadable.append(found)
        self.seek(at, found.last + 1)

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset up to which each partition can be read; moves the positions.

        The embedded broker answers `end_offsets` with the second record of its last batch. The end in a fetch response
        is right for every broker.
        """
        first = await self.consumer.beginning_offsets(partitions)
        said = await self.consumer.end_offsets(partitions)
        ends = {}
        for partition in partitions:
            end = said[partition]
            if end > first[partition]:
                self.seek(partition, end - 1)
                while stable_end(self.consumer, partition) < end:
                    await self.fetch(partition, timeout_ms=100, max_records=1)
                end = stable_end(self.consumer, partition)
            ends[partition] = end
        self.unreadable.clear()  # the stage meets these batches again as it reads on
        return ends

    async def end_now(self, partition: TopicPartition) -> int:
        """Return the offset up to which a partition can be read, without moving; too small on the embedded broker."""
        end: int = (await self.consumer.end_offsets([partition]))[partition]
        return max(end, stable_end(self.consumer, partition))
