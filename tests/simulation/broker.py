"""A simulated Kafka: partitions with transactions, markers and a moving log start, and groups that rebalance.

Everything here is immediate; `network` adds time, loss and delay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import IllegalGenerationError, UnknownMemberIdError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.kafka.clients import mark_of
from tests.simulation.loop import Process, VirtualLoop

SESSION_SECONDS = 6.0
REBALANCE_SECONDS = 30.0
"""A member that has not rejoined after this time is expelled."""
HEARTBEAT_SECONDS = 1.0


class Record(NamedTuple):
    """A record as a consumer returns it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    batch: int = 0
    """Base offset of its batch."""


class Slot(Enum):
    """Kind of entry at an offset."""

    PLAIN = 0
    OPEN = 1
    ABORTED = 2
    MARKER = 3
    UNREADABLE = 4


Entry = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
"""Key, value and headers."""


class Partition:
    """One log."""

    def __init__(self, topic: str, number: int) -> None:
        self.topic, self.number = topic, number
        self.start = 0
        self.records: list[Record | None] = []
        self.slots: list[Slot] = []
        self._open: dict[object, list[int]] = {}

    @property
    def end(self) -> int:
        """Offset after the last slot: the high watermark."""
        return len(self.slots)

    @property
    def stable(self) -> int:
        """The last stable offset."""
        if not self._open:
            return len(self.slots)
        return min((offsets[0] for offsets in self._open.values()), default=self.end)

    def append(self, entries: Sequence[Entry], at: int, slot: Slot = Slot.PLAIN, transaction: object = None) -> int:
        """Store one batch, record time `at`; returns its base offset."""
        base = self.end
        for offset, (key, value, headers) in enumerate(entries, base):
            self.records.append(Record(self.topic, self.number, offset, at, key, value, headers, base))
            self.slots.append(slot if transaction is None else Slot.OPEN)
        if transaction is not None:
            self._open.setdefault(transaction, []).extend(range(base, self.end))
        return base

    def finish(self, transaction: object, *, commit: bool) -> None:
        """End a transaction; its marker takes an offset."""
        for offset in self._open.pop(transaction, ()):
            self.slots[offset] = Slot.PLAIN if commit else Slot.ABORTED
        self.records.append(None)
        self.slots.append(Slot.MARKER)

    def in_transaction(self, transaction: object) -> bool:
        """Whether a transaction is open in this partition."""
        return transaction in self._open

    def read(self, position: int, limit: int, most: int, *, committed: bool) -> tuple[list[Record], int]:
        """Up to `most` records from a position on, below the limit; and the next position.

        As in aiokafka, reading stops right after the last requested record, before any markers that follow it. An
        unreadable batch ends the reading, and raises if it comes first.
        """
        found: list[Record] = []
        while position < limit:
            slot, record = self.slots[position], self.records[position]
            if slot is Slot.UNREADABLE:
                if found:
                    break
                raise Unreadable(position)
            if slot is Slot.PLAIN or (not committed and slot is not Slot.MARKER):
                assert record is not None
                found.append(record)
                position += 1
                if len(found) == most:
                    break
                continue
            position += 1
        return found, position


class Unreadable(Exception):  # noqa: N818 -- the name says it
    """A batch at this offset that the client cannot decode."""


def raw_batches(log: Partition, position: int, limit: int) -> Iterator[bytes]:
    """Bytes of the batches from a position on, in Kafka's format; an unreadable batch has an unknown codec."""
    base = position
    while base > log.start and _batch_of(log, base - 1) == _batch_of(log, base):
        base -= 1
    while base < limit:
        last = base
        while last + 1 < limit and _batch_of(log, last + 1) == _batch_of(log, base):
            last += 1
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
        for number in range(last - base + 1):
            builder.append(number, 0, b"key", b"value", [])
        raw = bytearray(builder.build())
        raw[:8] = base.to_bytes(8, "big")  # not part of the checksum
        if log.slots[base] is Slot.UNREADABLE:
            raw[22] |= 7
        yield bytes(raw)
        base = last + 1


def _batch_of(log: Partition, offset: int) -> int:
    record = log.records[offset]
    return offset if record is None else record.batch


@dataclass(slots=True, eq=False)
class Member:
    """One member of a group in the broker's view."""

    name: str
    process: Process
    topics: tuple[str, ...]
    seen: float
    joining: Callable[[int, list[TopicPartition]], None] | None = None
    """Answers the pending join request."""


@dataclass(slots=True)
class Group:
    """A consumer group."""

    generation: int = 0
    rebalancing: bool = False
    deadline: float = 0.0
    members: dict[str, Member] = field(default_factory=dict)
    offsets: dict[TopicPartition, tuple[int, str]] = field(default_factory=dict)


class Broker:
    """All topics and groups.

    Parameters
    ----------
    loop
        Source of the time.
    note
        Adds events to the trace.
    """

    def __init__(self, loop: VirtualLoop, note: Callable[..., None]) -> None:
        self._loop, self._note = loop, note
        self.topics: dict[str, list[Partition]] = {}
        self.groups: dict[str, Group] = {}
        self.stored: list[Callable[[Partition, int], None]] = []
        """Callbacks for every stored batch: partition and base offset."""
        self.committed: list[Callable[[str, TopicPartition, int, bool], None]] = []
        """Callbacks for every commit: group, partition, offset, and whether a member made it with its mark."""
        self.followers: dict[str, list[Callable[[], None]]] = {}
        """Topic to the callbacks of consumers that may wait for records."""
        self.down = False
        self.rebalances = 0

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic."""
        self.topics[topic] = [Partition(topic, number) for number in range(partitions)]

    def at(self, place: TopicPartition) -> Partition:
        """Look a partition up."""
        return self.topics[place.topic][place.partition]

    def append(
        self,
        place: TopicPartition,
        entries: Sequence[Entry],
        at: int,
        slot: Slot = Slot.PLAIN,
        transaction: object = None,
    ) -> int:
        """Store a batch and wake the waiting consumers."""
        partition = self.at(place)
        base = partition.append(entries, at, slot, transaction)
        for told in self.stored:
            told(partition, base)
        self.wake(place.topic)
        return base

    def wake(self, topic: str) -> None:
        """Wake the consumers of a topic: it has new records."""
        for wake in self.followers.get(topic, ()):
            wake()

    # --- groups ------------------------------------------------------------------------------------------------------

    def group(self, name: str) -> Group:
        """Look a group up; creates it if it does not exist."""
        found = self.groups.get(name)
        if found is None:
            found = self.groups[name] = Group()
            self._loop.later(HEARTBEAT_SECONDS, self._tick, name)
        return found

    def join(self, name: str, member: Member) -> None:
        """A member joins or rejoins."""
        group = self.group(name)
        member.seen = self._loop.time()
        group.members[member.name] = member
        self._rebalance(name, group)
        self._complete_if(name, group)

    def leave(self, name: str, member: str) -> None:
        """A member leaves the group."""
        group = self.group(name)
        if group.members.pop(member, None) is not None:
            self._rebalance(name, group)
            self._complete_if(name, group)

    def commit(self, name: str, member: str, generation: int, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        """Commit as a member; raises Kafka's error if it is no member of this generation any more."""
        group = self.group(name)
        if member not in group.members:
            raise UnknownMemberIdError(name)
        if generation != group.generation:
            raise IllegalGenerationError(name)
        group.members[member].seen = self._loop.time()
        self._set(name, group, offsets, ours=True)

    def reset(self, name: str, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        """Set a group's offsets as an operator does."""
        self._set(name, self.group(name), offsets, ours=False)

    def _set(self, name: str, group: Group, offsets: dict[TopicPartition, tuple[int, str]], *, ours: bool) -> None:
        for place, (offset, metadata) in offsets.items():
            group.offsets[place] = (offset, metadata)
            marked = ours and metadata == mark_of(place, offset)  # without the mark it only tests metadata storage
            self._note("commit", group=name, at=f"{place.topic}/{place.partition}", offset=offset, ours=marked)
            for told in self.committed:
                told(name, place, offset, marked)

    def _rebalance(self, name: str, group: Group) -> None:
        if not group.rebalancing:
            group.rebalancing = True
            group.deadline = self._loop.time() + REBALANCE_SECONDS
            self.rebalances += 1
            self._note("rebalance", group=name, members=sorted(group.members))

    def _complete_if(self, name: str, group: Group) -> None:
        if not group.rebalancing or any(member.joining is None for member in group.members.values()):
            return
        group.rebalancing = False
        group.generation += 1
        shares = _assign(self.topics, list(group.members.values()))
        self._note("generation", group=name, number=group.generation, members=sorted(group.members))
        for member in list(group.members.values()):
            answer, member.joining = member.joining, None
            assert answer is not None
            member.seen = self._loop.time()
            answer(group.generation, shares[member.name])

    def _tick(self, name: str) -> None:
        """Heartbeats: members that reach the broker stay in the group, others are expelled after a session timeout."""
        group, now = self.groups[name], self._loop.time()
        self._loop.later(HEARTBEAT_SECONDS, self._tick, name)
        if self.down:
            for member in group.members.values():
                member.seen = now  # a coordinator that comes back starts a new session for each member
            return
        changed = False
        for member in list(group.members.values()):
            process = member.process
            if process.alive and not process.frozen and not process.cut:
                member.seen = now
            late = now - member.seen > SESSION_SECONDS and member.joining is None
            if (
                (member.joining is not None and not process.alive)
                or late
                or (group.rebalancing and member.joining is None and now > group.deadline)
            ):
                del group.members[member.name]
                self._note("expelled", group=name, member=member.name)
                changed = True
        if changed:
            self._rebalance(name, group)
            self._complete_if(name, group)


def _assign(topics: dict[str, list[Partition]], members: list[Member]) -> dict[str, list[TopicPartition]]:
    """Round robin over members by name, like aiokafka's default assignor."""
    shares: dict[str, list[TopicPartition]] = {member.name: [] for member in members}
    if not members:
        return shares
    ordered = sorted(members, key=lambda member: member.name)
    turn = 0
    for topic in sorted({topic for member in members for topic in member.topics}):
        for partition in topics[topic]:
            while topic not in ordered[turn % len(ordered)].topics:
                turn += 1
            shares[ordered[turn % len(ordered)].name].append(TopicPartition(topic, partition.number))
            turn += 1
    return shares
