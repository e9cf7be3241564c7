"""The one class through which a stage follows Kafka: group assignment, turns, commits; `Fetcher` reads the records.

A Faust agent cannot do this: it may acknowledge records before they are processed, and its start position cannot be set
(docs/design/0001-stages-own-their-consumer.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from streams.contracts.kafka_record import ConsumerRecord
from streams.contracts.setting_groups import KafkaSettings
from streams.kafka.clients import make_member, mark_of, read_commits, stable_end, stop
from streams.kafka.fetch import Fetched, Fetcher, Rebalanced

logger = logging.getLogger(__name__)

Batch = Mapping[TopicPartition, Any]
"""Records by partition as `read` converts them, whose type each stage knows."""
_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
_NOBODYS = TopicPartition("", 0)

JOIN_LOOK_SECONDS = 0.01
PROBE = "whose?"
"""Metadata written to a commit without our mark, at its own offset, to test whether the broker keeps metadata."""


class PartitionCallbacks(Protocol):
    """A stage's callbacks for its partitions. No two of them run at the same time."""

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Take over: load or rebuild state and `seek` every partition to its next offset."""

    async def process(self, log: Log, batch: Batch) -> None:
        """Handle what was fetched; called with an empty batch when the fetch was empty, so that timers can run.

        `log.unreadable` holds the batches that were skipped because no client can read them.
        """

    async def revoked(self, log: Log) -> None:
        """Finish and save the work under way: the partitions are about to move to another owner."""


class Log(Fetcher, ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Follows topics as one member of a group on behalf of one stage.

    Parameters
    ----------
    settings
        Where Kafka is, and how long a fetch may wait.
    group
        Name of the group without the prefix.
    topics
        Names without the prefix.
    follower
        The stage.
    max_records
        Maximum number of records per turn.
    evenly
        Fetch the same number from each partition. Otherwise a burst is fetched partition by partition, and records that
        were sent together end up thousands of records apart.
    read
        Converts a partition's records, given its number, right after their fetch, while they are in the CPU cache (a
        third of the cost).
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topics: Sequence[str],
        follower: PartitionCallbacks,
        *,
        max_records: int,
        evenly: bool = False,
        read: Callable[[int, Sequence[ConsumerRecord]], object] = lambda partition, records: records,
    ) -> None:
        super().__init__(make_member(settings, group), settings.fetch_wait_ms)
        self._follower = follower
        self._max_records, self._evenly, self._read = max_records, evenly, read
        self._left_out: set[TopicPartition] = set()
        self._topics, self._group = [settings.topic(name) for name in topics], group
        self._turn = asyncio.Lock()
        self._new: list[TopicPartition] | None = None
        self._failure: BaseException | None = None
        self.hurry = False
        """The stage has work left: the next turn does not wait for records."""

    async def run(self) -> None:
        """Follow until cancelled; raises whatever the stage raises, which ends the stage."""
        self.consumer.subscribe(self._topics, listener=self)
        try:
            await self._follow()
        finally:
            await stop(self.consumer)  # a consumer that failed to start holds sockets, too

    async def _follow(self) -> None:
        await self.consumer.start()
        # aiokafka pauses fetching from a broker, for up to 100 ms, while it holds unconsumed records of any of the
        # broker's partitions: a partition that waits for the others would block them. There is no public setting.
        self.consumer._fetcher._prefetch_backoff = 0.0
        try:
            while True:
                async with self._turn:
                    await self._step()
        except asyncio.CancelledError:
            # Leaving the group does not call `on_partitions_revoked`: finish here. After a failure there is nothing
            # to finish: the next owner starts from the saved state.
            async with self._turn:
                if self.active:
                    await self._follower.revoked(self)
                self.active = False
            raise

    async def _step(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._new is not None:
            partitions, self._new = self._new, None
            self.reset()
            try:
                await self._follower.assigned(self, partitions)
            except Rebalanced:
                # Start over: with the next assignment, or with this one when it did not change.
                logger.info("the group %s is moving partitions: the take-over starts over", self._group)
                self._new = partitions
                return
            self._wait_for(came=False, behind=False)
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
        wait = 0 if self.hurry else self._wait.wait_ms
        if self._evenly:
            batch = await self._fetch_evenly(wait)
        else:
            batch = self._of(await self.fetch(timeout_ms=wait, max_records=self._max_records))
        if not self.hurry:
            self._adapt_wait(bool(batch))
        return batch

    async def _fetch_evenly(self, wait: int) -> Batch:
        partitions = self.consumer.assignment() - self._left_out
        if not partitions:
            # `getmany()` without partitions fetches from all: pass one that does not exist.
            await self._getmany([_NOBODYS], wait, 1)
            return {}
        share = max(1, self._max_records // max(1, len(partitions)))
        batch = self._of(await self.fetch(*partitions, timeout_ms=wait, max_records=share))
        try:
            for partition in sorted(partitions - batch.keys()) if batch else ():
                batch |= self._of(await self.fetch(partition, timeout_ms=0, max_records=share))
        except Rebalanced:
            pass  # the consumer no longer holds the fetched records: return them
        return batch

    def _of(self, fetched: Fetched) -> dict[TopicPartition, Any]:
        return {at: self._read(at.partition, records) for at, records in fetched.items()}

    def _adapt_wait(self, came: bool) -> None:
        asked = self.consumer.assignment() - self._left_out
        behind = any(self.reached[at] < stable_end(self.consumer, at) for at in asked if at in self.reached)
        self._wait_for(came=came, behind=behind)

    def begin_anew(self) -> None:
        """Make the follower take over its partitions again in the next step, as after a rebalance."""
        self.active, self._new = False, sorted(self.consumer.assignment())

    def leave_out(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch from all partitions but these until the next call; the consumer keeps what it has prefetched."""
        self._left_out = set(partitions)

    async def _wait_for_assignment(self) -> None:
        """Wait a moment for the group's assignment; `getmany` raises errors of joining the group.

        It fetches from a partition that does not exist: records that the consumer prefetches before `assigned` has set
        the positions must not be used, and a missing commit is no error at this point.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JOIN_LOOK_SECONDS):
                await self.consumer.getmany(_NOBODYS, timeout_ms=0)
        await asyncio.sleep(JOIN_LOOK_SECONDS)

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Let the stage finish its turn and save, before the group moves on."""
        async with self._turn:
            self._new = None  # drop an assignment that was not taken over yet
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

    async def commits(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, bool]]:
        """Return the committed offset of each partition that has one, and whether the commit is our own.

        The embedded broker keeps no metadata and accepts commits only from members: there all commits are our own.
        """
        found = await read_commits(self.consumer, partitions)
        ours = {at: metadata == mark_of(at, offset) for at, (offset, metadata) in found.items()}
        unmarked = {at: (found[at][0], PROBE) for at, is_ours in ours.items() if not is_ours}
        if unmarked:
            try:
                await self.consumer.commit(unmarked)
            except _LOST as error:
                raise Rebalanced from error
            kept = await read_commits(self.consumer, list(unmarked))
            if all(metadata != PROBE for _, metadata in kept.values()):
                ours = dict.fromkeys(found, True)
        return {at: (offset, ours[at]) for at, (offset, _) in found.items()}

    async def commit(self, positions: Mapping[TopicPartition, int]) -> bool:
        """Commit the offsets of the next records; False when the group no longer accepts this member's commit."""
        mine = self.consumer.assignment()
        marked = {
            partition: (offset, mark_of(partition, offset))
            for partition, offset in positions.items()
            if partition in mine
        }
        if not marked:
            return False
        try:
            await self.consumer.commit(marked)
        except _LOST as error:
            logger.warning("offsets not committed, the group has rebalanced: %s", error)
            return False
        return True
