"""Replaces `AIOKafkaConsumer`: the parts that the stages use, with aiokafka's behaviour at rebalances."""

# Longer than most modules: one client in one file.

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnknownMemberIdError,
    UnsupportedCodecError,
)
from aiokafka.structs import OffsetAndMetadata

from tests.simulation.broker import Member, Partition, Record, Unreadable, raw_batches
from tests.simulation.loop import PROCESS
from tests.simulation.network import BACKOFF_SECONDS, Network


class _Place:
    """The client's state of an assigned partition."""

    def __init__(self) -> None:
        self.position: int | None = None
        self.high: int | None = None
        self.stable: int | None = None
        self.fetched = 0
        """End offset of the last fetch response."""
        self.paused = False


class _Subscription:
    """Shows, like aiokafka's, whether a rebalance is in progress."""

    def __init__(self, stable: asyncio.Event) -> None:
        self._stable = stable

    @property
    def reassignment_in_progress(self) -> bool:
        return not self._stable.is_set()


class SimulatedConsumer:
    """A consumer of the simulated broker, with or without a group."""

    def __init__(self, network: Network, number: int, **options: Any) -> None:
        self._network, self._broker, self._loop = network, network.broker, network.loop
        self.process = PROCESS.get()
        self._group_id: str | None = options.get("group_id")
        self._reset: str = options.get("auto_offset_reset", "latest")
        self._committed_only = options.get("isolation_level") == "read_committed"
        self._name = f"{self.process.name}-{number}"
        self._joins = 0
        self._generation = -1
        self._topics: tuple[str, ...] = ()
        self._listener: Any = None
        self._places: dict[TopicPartition, _Place] = {}
        self._stable = asyncio.Event()
        """Set while no rebalance is in progress."""
        self._rejoin = asyncio.Event()
        self._coordinating: asyncio.Task[None] | None = None
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._followed: set[str] = set()
        self._late = False
        """Whether there are records that the last fetch did not return."""
        # The private attributes of aiokafka that the stages use.
        self._fetcher = SimpleNamespace(_prefetch_backoff=0.1, _fetch_max_wait_ms=options.get("fetch_max_wait_ms"))
        self._client = SimpleNamespace(
            force_metadata_update=self._nothing, fetch_all_metadata=self._metadata, _conns=network.conns
        )
        self._client.send, self._client.cluster = self._send, SimpleNamespace(leader_for_partition=lambda at: 0)
        self._subscription = _Subscription(self._stable)
        self._coordinator = SimpleNamespace(fetch_committed_offsets=self._fetch_committed)

    async def _nothing(self) -> None:
        await asyncio.sleep(0)

    async def _metadata(self) -> SimulatedConsumer:
        await self._network.until_answered(lambda: None)
        return self

    # --- life --------------------------------------------------------------------------------------------------------

    def subscribe(self, topics: Sequence[str], listener: Any = None) -> None:
        """Follow topics as a member of the group."""
        self._topics, self._listener = tuple(topics), listener

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Follow partitions outside of any group."""
        self._places = {place: _Place() for place in partitions}
        self._follow({place.topic for place in partitions})
        self._stable.set()

    async def start(self) -> None:
        """Connect, and in a group: wait for the first assignment."""
        await self._network.until_answered(lambda: None)
        if self._group_id is not None and self._topics:
            self._coordinating = asyncio.create_task(self._coordinate())
            await self._stable.wait()

    async def stop(self) -> None:
        """Leave the group."""
        self._closed = True
        if self._coordinating is not None:
            self._coordinating.cancel()
            await asyncio.wait([self._coordinating])
            group, member = self._group_id, self._member
            assert group is not None
            await self._network.until_answered(lambda: self._broker.leave(group, member))

    @property
    def _member(self) -> str:
        return f"{self._name}.{self._joins}"

    async def _coordinate(self) -> None:
        while True:
            self._stable.clear()
            await self._tell("on_partitions_revoked", set(self._places))
            assigned = await self._join()
            self._rejoin.clear()
            self._places = {place: _Place() for place in assigned}
            self._follow({place.topic for place in assigned})
            self._stable.set()
            await self._tell("on_partitions_assigned", set(assigned))
            await self._rejoin.wait()

    async def _tell(self, what: str, places: set[TopicPartition]) -> None:
        """Call the listener; exceptions are only logged, as in aiokafka."""
        if self._listener is not None:
            try:
                await getattr(self._listener, what)(places)
            except Exception as error:  # noqa: BLE001 -- as in aiokafka
                self._network.note("listener failed", process=self.process.name, what=what, error=repr(error))

    async def _join(self) -> list[TopicPartition]:
        group = self._group_id
        assert group is not None
        while True:
            answer: asyncio.Future[tuple[int, list[TopicPartition]]] = self._loop.create_future()

            def join(answer: Any = answer) -> None:
                def joined(generation: int, share: list[TopicPartition]) -> None:
                    if not answer.done():
                        answer.set_result((generation, share))

                self._broker.join(group, Member(self._member, self.process, self._topics, 0.0, joined))

            try:
                await self._network.once(join)
            except KafkaConnectionError:
                await asyncio.sleep(BACKOFF_SECONDS)
                continue
            self._generation, assigned = await answer
            return assigned

    def heartbeat(self) -> None:
        """Process a heartbeat response: rejoin if the group rebalances or has expelled this member."""
        group = self._broker.groups.get(self._group_id or "")
        if self._coordinating is None or group is None or not self._stable.is_set() or self._closed:
            return
        if self._member not in group.members:
            self._joins += 1
            self._rejoin.set()
        elif group.rebalancing or group.generation != self._generation:
            self._rejoin.set()

    def _follow(self, topics: set[str]) -> None:
        """Register for new records of topics."""
        for topic in sorted(topics - self._followed):
            self._followed.add(topic)
            self._broker.followers.setdefault(topic, []).append(self._came)

    def _came(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._loop.later(self._network.delay(), _wake, waiter)

    # --- what is where -----------------------------------------------------------------------------------------------

    def assignment(self) -> set[TopicPartition]:
        """Partitions assigned to this member, in its own view."""
        return set(self._places)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Numbers of a topic's partitions."""
        found = self._broker.topics.get(topic)
        return None if found is None else {partition.number for partition in found}

    def _place(self, partition: TopicPartition) -> _Place:
        found = self._places.get(partition)
        if found is None:
            raise IllegalStateError(f"Partition {partition} is not assigned")
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at an offset; fetched records are dropped."""
        place = self._place(partition)
        place.position, place.fetched = offset, 0

    async def seek_to_beginning(self, *partitions: TopicPartition) -> bool:
        """Continue at the log start."""
        first = await self.beginning_offsets(partitions)
        for partition in partitions:
            self.seek(partition, first[partition])
        return True

    async def position(self, partition: TopicPartition) -> int:
        """Offset of the next record."""
        place = self._place(partition)
        if place.position is None:
            self._resolve(partition, place)
        await asyncio.sleep(0)
        assert place.position is not None
        return place.position

    def highwater(self, partition: TopicPartition) -> int | None:
        """The high watermark in the last fetch response."""
        return self._place(partition).high

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        """The last stable offset in the last fetch response."""
        return self._place(partition).stable

    def pause(self, *partitions: TopicPartition) -> None:
        """Stop fetching these partitions."""
        for partition in partitions:
            self._place(partition).paused = True

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Request the log starts."""
        broker = self._broker
        return await self._network.until_answered(lambda: {place: broker.at(place).start for place in partitions})

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Request the log ends: with read_committed, the last stable offsets."""
        return await self._network.until_answered(lambda: {at: self._limit(self._broker.at(at)) for at in partitions})

    def _limit(self, partition: Partition) -> int:
        return partition.stable if self._committed_only else partition.end

    # --- offsets of the group ----------------------------------------------------------------------------------------

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's committed offset."""
        found = await self._fetch_committed([partition])
        return found[partition].offset if partition in found else None

    async def _fetch_committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        group = self._group_id
        assert group is not None
        offsets = await self._network.until_answered(lambda: dict(self._broker.group(group).offsets))
        return {place: OffsetAndMetadata(*offsets[place]) for place in partitions if place in offsets}

    async def commit(self, offsets: Mapping[TopicPartition, Any]) -> None:
        """Commit; raises `CommitFailedError` when the group has moved on."""
        given = {}
        for place, what in offsets.items():
            self._place(place)
            given[place] = (what, "") if isinstance(what, int) else (what[0], what[1])
        group = self._group_id
        assert group is not None
        try:
            # Each try uses the current member and generation, as in aiokafka.
            await self._network.until_answered(
                lambda: self._broker.commit(group, self._member, self._generation, given)
            )
        except (UnknownMemberIdError, IllegalGenerationError) as error:
            self._loop.call_soon(self.heartbeat)
            raise CommitFailedError(str(error)) from error

    # --- records -----------------------------------------------------------------------------------------------------

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Record]]:
        """Return fetched records; wait up to `timeout_ms` if there are none."""
        if self._closed:
            raise ConsumerStoppedError
        if self._coordinating is not None and self._coordinating.done():
            self._coordinating.result()
        deadline = self._loop.time() + timeout_ms / 1000
        while True:
            if not self._stable.is_set():
                await self._stable.wait()
            found = self._drain(partitions, max_records or 500)
            left = deadline - self._loop.time()
            if found or left <= 0:
                return found
            await self._news(left)
            if self._closed:
                return {}

    def _drain(self, partitions: Sequence[TopicPartition], most: int) -> dict[TopicPartition, list[Record]]:
        found: dict[TopicPartition, list[Record]] = {}
        # For a partition that is not (or no longer) assigned, aiokafka returns nothing.
        chosen = sorted(set(partitions) & set(self._places) if partitions else self._places)
        if len(chosen) > 1:
            turn = int(self._network.random.random() * len(chosen))
            chosen = chosen[turn:] + chosen[:turn]
        reachable = not self._broker.down and not self.process.cut
        self._late = False
        for at in chosen:
            place = self._places[at]
            if place.paused:
                continue
            if place.position is None:
                self._resolve(at, place)
            assert place.position is not None
            log = self._broker.at(at)
            if not reachable:
                pass
            elif self._network.random.random() < self._network.chances.stale:
                self._late = self._late or place.fetched < self._limit(log)
            else:
                try:
                    self._refresh(at, place, log)
                except OffsetOutOfRangeError:
                    if found:
                        break  # the next call raises it
                    raise
            if place.fetched <= place.position:
                continue
            try:
                records, after = log.read(place.position, place.fetched, most, committed=self._committed_only)
            except Unreadable as error:
                # Records drained from other partitions before are lost with the error, as in aiokafka.
                place.fetched = 0
                raise UnsupportedCodecError(f"{at} at {error.args[0]}") from None
            if self._network.hidden:
                shown = self._network.shown(records, log.end)
                if len(shown) < len(records):
                    records, after = shown, shown[-1].offset + 1 if shown else place.position
            place.position = after
            if records:
                found[at] = records
                most -= len(records)
                if not most:
                    break
        return found

    async def _send(self, node: int, request: Any) -> Any:
        """Answer a fetch request for one partition with the bytes of its batches, for `streams.kafka.unreadable`."""
        topic, [(number, position, _)] = request._topics[0]

        def raw() -> bytes:
            log = self._broker.at(TopicPartition(topic, number))
            return b"".join(raw_batches(log, position, self._limit(log)))

        return SimpleNamespace(topics=[(topic, [(number, 0, 0, await self._network.until_answered(raw))])])

    def _refresh(self, at: TopicPartition, place: _Place, log: Partition) -> None:
        """Process a fetch response for the position."""
        assert place.position is not None
        if place.position < log.start or place.position > log.end:
            if self._reset == "none":
                raise OffsetOutOfRangeError({at: place.position})
            place.position = log.start if self._reset == "earliest" else self._limit(log)
        place.high, place.stable = log.end, log.stable
        place.fetched = max(place.fetched, self._limit(log))

    def _resolve(self, at: TopicPartition, place: _Place) -> None:
        """Set the position to the committed offset, or by the reset policy."""
        group = self._broker.group(self._group_id) if self._group_id else None
        log = self._broker.at(at)
        if group is not None and at in group.offsets:
            place.position = group.offsets[at][0]
        elif self._reset == "none":
            raise NoOffsetForPartitionError(at)
        else:
            place.position = log.start if self._reset == "earliest" else self._limit(log)

    async def _news(self, seconds: float) -> None:
        """Wait until there may be new records, or for `seconds`."""
        self._waiter = waiter = self._loop.create_future()
        if self._late:
            self._came()  # a fetch response is in flight
        timer = self._loop.call_later(seconds, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            timer.cancel()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def of_world(network: Network) -> Any:
    """Make the replacement of the class `AIOKafkaConsumer`."""
    numbers = itertools.count()

    def make(*topics: str, **options: Any) -> SimulatedConsumer:
        consumer = SimulatedConsumer(network, next(numbers), **options)
        network.consumers.append(consumer)
        return consumer

    return make
