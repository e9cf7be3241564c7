"""The one class through which a stage follows Kafka: group assignment, position from saved state, batch fetch.

A Faust agent is not used for this: what it acknowledges may not have been done, and it cannot be told where to start
(docs/design/0001-stages-own-their-consumer.md).
"""

# Longer than most: every rule of following a group stands in one place.

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from streams.contracts.connect import aiokafka_options
from streams.contracts.settings import Settings

logger = logging.getLogger(__name__)

Batch = Mapping[TopicPartition, Any]
"""By partition its records, as the client gives them or as `read` has made of them."""
_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)

JOIN_LOOK_SECONDS = 0.01
STOP_SECONDS = 5.0
MAX_REQUEST_BYTES = 8 * 1024 * 1024


SESSION_MS = 6_000
"""A member that is silent for so long is replaced: Kafka's default minimum. The embedded broker lets a group wait for
half of it at every join."""

REBALANCE_GRACE = 0.5
"""Seconds that a fetch may take beyond its own wait before it counts as held up by a rebalance."""


class Rebalanced(Exception):  # noqa: N818 -- what happened
    """The group is moving partitions: what was being taken over may be another's by now."""


class Follower(Protocol):
    """What a stage does with its partitions. No two of these run at the same time."""

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Take over: load or rebuild state and `seek` every partition to where it goes on."""

    async def process(self, log: Log, batch: Batch) -> None:
        """Handle what was fetched; called with an empty batch when nothing came, so that timers can run."""

    async def revoked(self, log: Log) -> None:
        """Finish what is under way and save it: the partitions are about to be another's."""


class Log(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Follows topics as one member of a group on behalf of one stage.

    Parameters
    ----------
    settings
        Where Kafka is, and how long a fetch may wait.
    group
        Without the prefix.
    topics
        Without the prefix.
    follower
        The stage.
    max_records
        Most records handed over in one turn.
    evenly
        Take no more from one partition than from another. Otherwise a burst is taken partition by partition, and what
        was sent together lies thousands of records apart.
    read
        What to make of each partition's records, given its number, before the next partition is fetched: they are in
        the processor's cache then, and reading them costs a third.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        topics: Sequence[str],
        follower: Follower,
        *,
        max_records: int,
        evenly: bool = False,
        read: Callable[[int, Sequence[Any]], Any] = lambda partition, records: records,
    ) -> None:
        self._settings = settings
        self._follower = follower
        self._max_records, self._evenly, self._read = max_records, evenly, read
        self._left_out: set[TopicPartition] = set()
        self._topics = [settings.topic(name) for name in topics]
        self.consumer = AIOKafkaConsumer(
            **aiokafka_options(settings),
            group_id=settings.group(group),
            client_id=f"isonomy-{group}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=settings.fetch_wait_ms,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=1_000,
            metadata_max_age_ms=10_000,
        )
        self._turn = asyncio.Lock()
        self._new: list[TopicPartition] | None = None
        self._failure: BaseException | None = None
        self.active = False
        self.hurry = False
        """The stage has something left to do: a turn then does not wait for records."""

    async def run(self) -> None:
        """Follow until cancelled; whatever a stage raises comes out here and ends the process."""
        self.consumer.subscribe(self._topics, listener=self)
        await self.consumer.start()
        # aiokafka asks a broker for nothing while it holds records of any of its partitions that were not taken yet,
        # for 100 ms at most: a partition that waits for the others would keep them from coming. No public setting
        # says so.
        self.consumer._fetcher._prefetch_backoff = 0.0
        try:
            while True:
                async with self._turn:
                    await self._step()
        except asyncio.CancelledError:
            # Leaving the group calls `on_partitions_revoked` no more: finish here. After a failure there is nothing
            # to finish: the next owner starts from what was saved.
            async with self._turn:
                if self.active:
                    await self._follower.revoked(self)
                self.active = False
            raise
        finally:
            await stop(self.consumer)

    async def _step(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._new is not None:
            partitions, self._new = self._new, None
            try:
                await self._follower.assigned(self, partitions)
            except Rebalanced:
                # Begin anew: with the next assignment, or with this one when we were only too slow to tell.
                self._new = partitions
                return
            self.active = True
        if not self.active:
            await self._wait_for_assignment()
            return
        try:
            batch = await self._fetch_turn()
        except Rebalanced:
            batch = {}
        await self._follower.process(self, batch)

    async def _fetch_turn(self) -> Batch:
        wait = 0 if self.hurry else self._settings.fetch_wait_ms
        if not self._evenly:
            return self._of(await self.fetch(timeout_ms=wait, max_records=self._max_records))
        partitions = self.consumer.assignment() - self._left_out
        share = max(1, self._max_records // max(1, len(partitions)))
        batch: dict[TopicPartition, Any] = {}
        try:
            async with asyncio.timeout(wait / 1000 + REBALANCE_GRACE):
                batch = self._of(await self.consumer.getmany(*partitions, timeout_ms=wait, max_records=share))
                for partition in sorted(partitions - batch.keys()) if batch else ():
                    batch |= self._of(await self.consumer.getmany(partition, timeout_ms=0, max_records=share))
        except TimeoutError:
            # What was fetched already is gone from the consumer: it must not be lost.
            if not batch:
                raise Rebalanced from None
        return batch

    def _of(self, fetched: Batch) -> dict[TopicPartition, Any]:
        return {at: self._read(at.partition, records) for at, records in fetched.items()}

    def leave_out(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch nothing of these until said otherwise; what was fetched ahead of its turn is kept by the consumer."""
        self._left_out = set(partitions)

    async def _wait_for_assignment(self) -> None:
        """Wait a moment; the group decides when. What goes wrong in joining it, `getmany` raises, and nothing else.

        Should it return records: they are from before `assigned` has said where to begin.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JOIN_LOOK_SECONDS):
                await self.consumer.getmany(timeout_ms=0)
        await asyncio.sleep(JOIN_LOOK_SECONDS)

    async def fetch(self, *partitions: TopicPartition, timeout_ms: int, max_records: int) -> Batch:
        """Fetch from the given partitions, or from all.

        Once a rebalance has begun, aiokafka's own call would wait for its end, and the rebalance waits for our turn to
        end: neither would ever come.

        Raises
        ------
        Rebalanced
            When that is so.
        """
        try:
            async with asyncio.timeout(timeout_ms / 1000 + REBALANCE_GRACE):
                batch: Batch = await self.consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        except TimeoutError:
            raise Rebalanced from None
        return batch

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Ask for the offset after the last record of each partition; moves the positions.

        The embedded broker answers `end_offsets` with the second record of its last batch. What comes with a fetch, the
        high watermark, is right everywhere.
        """
        first = await self.consumer.beginning_offsets(partitions)
        said = await self.consumer.end_offsets(partitions)
        ends = {}
        for partition in partitions:
            end = said[partition]
            if end > first[partition]:
                self.consumer.seek(partition, end - 1)
                while (self.consumer.highwater(partition) or 0) < end:
                    await self.fetch(partition, timeout_ms=100, max_records=1)
                end = self.consumer.highwater(partition)
            ends[partition] = end
        return ends

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Let the stage finish its turn and save, before the group moves on."""
        async with self._turn:
            self._new = None  # an assignment that was not taken over yet is void
            if not self.active:
                return
            self.active = False
            try:
                await self._follower.revoked(self)
            except Exception as error:  # noqa: BLE001 -- aiokafka would only log it; `run` raises it
                self._failure = error

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Only note it: taking over may take seconds, and heartbeats start after this returns."""
        self._new = sorted(assigned)

    async def commit(self, positions: Mapping[TopicPartition, int]) -> bool:
        """Commit the offsets of the next records to take; False when the group has moved on without us."""
        mine = self.consumer.assignment()
        positions = {partition: offset for partition, offset in positions.items() if partition in mine}
        if not positions:
            return False
        try:
            await self.consumer.commit(dict(positions))
        except _LOST as error:
            logger.warning("offsets not committed, the group has moved on: %s", error)
            return False
        return True


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, whatever comes of it: with the broker away it may wait for ever, or end in a CancelledError.

    Either would take the place of the error for which its stage is ending.
    """
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait([stopping], timeout=STOP_SECONDS)
    if not stopping.done():
        stopping.cancel()
        logger.warning("%s did not stop within %.0f s", type(client).__name__, STOP_SECONDS)
    elif stopping.cancelled() or stopping.exception() is not None:
        logger.warning("%s did not stop cleanly", type(client).__name__)


def make_producer(settings: Settings, client: str) -> AIOKafkaProducer:
    """Make a producer that keeps order within a partition and acknowledges only what every replica has.

    Not idempotent on purpose: the embedded broker has no such producer, and aiokafka keeps one batch in flight per
    partition, so order holds; a batch that was sent twice is dropped by the readers' watermark.
    """
    return AIOKafkaProducer(
        **aiokafka_options(settings),
        client_id=f"isonomy-{client}",
        acks="all",
        linger_ms=0,
        max_batch_size=1024 * 1024,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=30_000,
        metadata_max_age_ms=10_000,
    )
