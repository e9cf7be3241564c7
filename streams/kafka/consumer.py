"""The one class through which a stage follows Kafka: group assignment, position from saved state, batch fetch.

A Faust agent cannot do this: it may acknowledge records before they are processed, and its start position cannot be set
(docs/design/0001-stages-own-their-consumer.md).
"""

# Longer than most modules: it keeps all rules for following a group in one place.

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from streams.contracts.gaps import Gaps, is_embedded
from streams.contracts.settings import Settings
from streams.kafka.clients import make_member, mark_of, read_commits, stable_end, stop
from streams.kafka.fetch_wait import FetchWait
from streams.kafka.unreadable import UnreadableBatch, is_of_a_batch, look

logger = logging.getLogger(__name__)

Batch = Mapping[TopicPartition, Any]
"""Records by partition, as the client returns them or as converted by `read`."""
_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
_NOBODYS = TopicPartition("", 0)

JOIN_LOOK_SECONDS = 0.01
REBALANCE_GRACE = 0.5
"""Seconds that a fetch may take beyond its own wait before it counts as blocked by a rebalance."""
PROBE = "whose?"
"""Metadata written to a commit without our mark, at its own offset, to test whether the broker keeps metadata."""
CAREFUL_WAIT_MS, MOST_CAREFUL_WAIT_MS = 500, 4_000
"""Time to wait for the records before a batch that cannot be read; doubled each time, because a fetch may be slow."""
BLAMELESS_TIMES = 5
"""Fetch errors in a row, without a batch that explains them, that are retried as transient."""


class Rebalanced(Exception):  # noqa: N818 -- what happened
    """The group is moving partitions: those being taken over may have another owner now."""


class OutOfReach(RuntimeError):  # noqa: N818 -- what it is
    """A position is outside the log: the log now begins after it or ends before it."""


class Follower(Protocol):
    """A stage's callbacks for its partitions. No two of them run at the same time."""

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Take over: load or rebuild state and `seek` every partition to its next offset."""

    async def process(self, log: Log, batch: Batch) -> None:
        """Handle what was fetched; called with an empty batch when the fetch was empty, so that timers can run.

        `log.unreadable` holds the batches that were skipped because no client can read them.
        """

    async def revoked(self, log: Log) -> None:
        """Finish and save the work under way: the partitions are about to move to another owner."""


class Log(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
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
        self._topics, self._group = [settings.topic(name) for name in topics], group
        self.consumer = make_member(settings, group)
        self._turn = asyncio.Lock()
        self._new: list[TopicPartition] | None = None
        self._failure: BaseException | None = None
        self._wait = FetchWait(settings.fetch_wait_ms)
        self._blameless = 0
        self._careful_ms = CAREFUL_WAIT_MS
        self._gaps = Gaps()
        self.active = False
        self.hurry = False
        """The stage has work left: the next turn does not wait for records."""
        self.reached: dict[TopicPartition, int] = {}
        """Next offset to fetch of each partition: after the last record, and after offsets that hold no record, such as
        a transaction's marker."""
        self.unreadable: list[UnreadableBatch] = []
        """Batches that were skipped; the stage removes them when it has handled them."""

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
            self.reached, self.unreadable, self._gaps = {}, [], Gaps()
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

    async def _fetch_evenly(self, wait: int) -> dict[TopicPartition, Any]:
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

    def _of(self, fetched: Batch) -> dict[TopicPartition, Any]:
        return {at: self._read(at.partition, records) for at, records in fetched.items()}

    def _adapt_wait(self, came: bool) -> None:
        asked = self.consumer.assignment() - self._left_out
        behind = any(self.reached[at] < stable_end(self.consumer, at) for at in asked if at in self.reached)
        self._wait_for(came=came, behind=behind)

    def _wait_for(self, *, came: bool, behind: bool) -> None:
        wait = self._wait.look(came=came, behind=behind, now=time.monotonic())
        self.consumer._fetcher._fetch_max_wait_ms = wait  # no public setter; a test checks that aiokafka uses it

    def told(self) -> str:
        """Describe what the last fetches brought, for the watchdog's last message."""
        return self._wait.told(time.monotonic())

    def give_way(self) -> None:
        """End a long turn by raising `Rebalanced` when the group is rebalancing: the rebalance waits for the turn.

        The group removes a member that does not rejoin within the session timeout; that member's next join starts
        another rebalance, which may remove the next one. aiokafka has no public attribute for a rebalance that has
        begun, and calls the listener only after the turn.
        """
        if self.consumer._subscription.reassignment_in_progress:
            raise Rebalanced

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

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at an offset."""
        self.consumer.seek(partition, offset)
        self.reached[partition] = offset

    async def fetch(self, *partitions: TopicPartition, timeout_ms: int, max_records: int) -> Batch:
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

    async def _getmany(self, partitions: Sequence[TopicPartition], timeout_ms: int, max_records: int) -> Batch:
        try:
            async with asyncio.timeout(timeout_ms / 1000 + REBALANCE_GRACE):
                batch: Batch = await self.consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        except TimeoutError:
            # Not a rebalance when another stage blocked the event loop past the deadline.
            self.give_way()
            batch = {}
        except OffsetOutOfRangeError as error:
            places = ", ".join(f"{at.topic}/{at.partition} at {offset}" for at, offset in error.args[0].items())
            raise OutOfReach(f"{places}: the log no longer has this offset") from None
        return batch

    async def _note(self, partitions: Sequence[TopicPartition], batch: Batch) -> None:
        """Store the consumer's positions, which also advance over offsets without a record."""
        for at in partitions:
            try:
                self.reached[at] = await self.consumer.position(at)
            except IllegalStateError:  # revoked meanwhile: only the records are certain
                if at in batch:
                    self.reached[at] = batch[at][-1].offset + 1

    async def _carefully(self, partitions: Sequence[TopicPartition], max_records: int, error: Exception) -> Batch:
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
        batch: dict[TopicPartition, list[Any]] = {}
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

    async def _up_to_fault(self, at: TopicPartition, most: int) -> list[Any]:
        """Return the partition's records before the batch that cannot be read; skip that batch when it comes first."""
        records: list[Any] = []
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
