"""A stage that folds the ledger: takes over from saved state, folds, publishes, saves, and is fenced by an epoch.

It starts from the position in its saved state, never from a committed offset. State that is missing, damaged or of
another ledger means refolding from the start, by itself. What is folded and published is the subclass's.
"""

# Longer than most: taking over, folding, saving are one life cycle, and its order is the proof.

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.contracts.connect import FOLDING, async_redis_client
from streams.contracts.metrics import Metrics
from streams.contracts.partitioner import partitions_of
from streams.contracts.redis_away import REDIS_AWAY, cause_of
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER
from streams.contracts.vote import is_arena
from streams.folding.listing import Listing, checksum, decode_listing, encode_listing
from streams.folding.store import Outcome, Store
from streams.folding.waiting import Waiting
from streams.ledger.codec import Block, DamagedRecord, Notice, decode
from streams.log import Batch, Log

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
CHECK_SECONDS = 1.0
RECORDS_A_TURN = 50
"""Ledger records folded before boards, timers and heartbeats get their turn: a quarter of a second at the most."""


class DamagedState(ValueError):  # noqa: N818 -- says what the state is
    """A saved state that cannot be trusted: refold."""


class Fenced(RuntimeError):  # noqa: N818 -- what happened, in a word
    """Another process owns the arena now; this one must start again to learn what it owns."""


class LedgerUnreadable(RuntimeError):  # noqa: N818 -- what it is
    """A batch of the ledger cannot be read: to fold on would publish numbers made from a part of the votes."""


@dataclass(slots=True)
class Owned:
    """An arena in this process; subclasses add its state."""

    name: str
    partition: int
    epoch: int
    quiet_until: int = field(default=0, kw_only=True)
    """Nothing is published before this position: an owner before may have published up to there."""
    stopped: str = field(default="", kw_only=True)
    """Why nothing more of this arena is folded or published; empty while all is well."""


A = TypeVar("A", bound=Owned)


@dataclass(slots=True)
class _Partition:
    """A ledger partition in this process."""

    position: int
    """Offset after the last record that was folded."""
    reached: int
    """Offset up to which the partition was read: at or behind the position, for not every offset is a record's."""
    quiet_until: int
    """The ledger's end when all arenas were claimed: the owner before may have published up to there, so nothing is
    published before, or readers would see the past run by."""
    refold_until: int
    """The same of a refold, which may have been begun by an owner before this one; 0 when there is none."""
    swept: bool
    """False while views of another ledger may still be in Redis."""
    tail: int
    """Checksum of the record before `position`."""
    saved_position: int


class FoldStage(ABC, Generic[A]):
    """One fold of the ledger; one per process."""

    name: str
    topics = (LEDGER.name,)

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._arenas: dict[str, A] = {}
        self._partitions: dict[int, _Partition] = {}
        self._count = 0
        self._next_snapshot = self._next_check = self._retry_at = 0.0
        self._store: Store
        self._log: Log
        self._waiting = Waiting(metrics, self.name)
        self.positions: dict[TopicPartition, int] = {}
        """Next record to fold of each partition held; read by the watchdog."""
        self.steps = 0
        """Grows with whatever is done besides, waiting for Redis included; read by the watchdog."""
        self.doing = ""
        """What a long take-over is at, in words; told by /readyz."""

    # --- what a fold is ----------------------------------------------------------------------------------------------

    @abstractmethod
    def _new(self, owned: Owned, position: int) -> A:
        """Begin an arena of which nothing is known."""

    @abstractmethod
    def _restored(self, owned: Owned, fields: Mapping[str, bytes]) -> A:
        """Read an arena back; raises `DamagedState`."""

    @abstractmethod
    def _position(self, arena: A) -> int:
        """Offset of the next ledger record that the arena's state wants."""

    @abstractmethod
    def _advance(self, arena: A, position: int) -> None:
        """Set that offset."""

    @abstractmethod
    def _fold(self, arena: A, record: Block | Notice) -> None:
        """Fold a record, and note what has to be published and saved."""

    @abstractmethod
    def _fields(self, arena: A) -> dict[str, bytes]:
        """Encode what has to be saved."""

    @abstractmethod
    def _saved(self, arena: A) -> None:
        """Note that it is saved."""

    @abstractmethod
    def _lost(self, arena: A) -> None:
        """Note that everything has to be published and saved again."""

    @abstractmethod
    async def _publish_due(self, arena: A, now: float, *, last: bool) -> None:
        """Publish what is due; everything when it is the last time."""

    @abstractmethod
    async def _sweep(self, name: str, arena: A | None) -> None:
        """Remove from Redis what the ledger does not hold; `arena` is None when it holds nothing of that name."""

    async def _before_saving(self, arena: A) -> None:
        """Make sure that what a saved position leaves behind is done."""

    # --- taking over -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled."""
        redis = async_redis_client(self._settings, FOLDING)
        self._store = Store(redis, self._settings.keys, self.name)
        try:
            self._log = Log(self._settings, self.name, self.topics, self, max_records=RECORDS_A_TURN)
            await self._log.run()
        finally:
            self._let_go()
            await redis.aclose()

    def _let_go(self) -> None:
        """Tell of no arena any more: whether it goes on, its next owner tells."""
        self._metrics.ready.labels(self.name).set(0)
        for name in self._arenas:
            self._metrics.stopped.labels(self.name, name).set(0)

    def told(self) -> str:
        """What the last fetches brought, in words."""
        return self._log.told()

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Load the states of the partitions' arenas; waits for Redis when it is away."""
        while True:
            try:
                await self._take_over(log, partitions)
                return self._waiting.end()
            except REDIS_AWAY as error:
                self._waiting.begin(error, "taking over")
                self.steps += 1
                await asyncio.sleep(RETRY_SECONDS)

    async def _take_over(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        first = await log.consumer.beginning_offsets(partitions)
        end = await log.ends(partitions)
        self._arenas, self._partitions, self.positions = {}, {}, {}
        self._count = len(log.consumer.partitions_for_topic(self._settings.topic(LEDGER.name)) or ())
        for at in partitions:
            listing = decode_listing(await self._store.list_partition(at.partition))
            cause = "missing" if listing is None else None
            if listing is not None and not await _continues(log, at, listing, first[at], end[at]):
                listing, cause = None, "foreign"
            position = first[at] if listing is None else listing.position
            for name in listing.arenas if listing else ():
                arena, damaged = await self._restore(name, at.partition, first[at], end[at])
                self._arenas[name] = arena
                cause = "damaged" if damaged else cause
                position = min(position, self._position(arena))
            refolding = cause is not None and end[at] > first[at]
            if refolding and cause is not None:
                logger.warning("%s: refolding ledger partition %d, its state is %s", self.name, at.partition, cause)
                self._metrics.refolds.labels(self.name, cause).inc()
            begun = listing is not None and listing.refold_until > listing.position
            if begun and not refolding:
                logger.warning("%s: going on with the refold of ledger partition %d", self.name, at.partition)
            self._partitions[at.partition] = _Partition(
                position=position,
                reached=position,
                quiet_until=position,  # said below, when all is claimed
                refold_until=end[at] if refolding or begun else 0,
                swept=cause is None and not begun,
                tail=listing.tail if listing and listing.position == position else 0,
                saved_position=listing.position if listing and cause is None else -1,
            )
            self.positions[at] = position
        # Asked again, now that the owners before can publish nothing more.
        for at, known in (await log.ends(partitions)).items():
            self._partitions[at.partition].quiet_until = known
            log.seek(at, self.positions[at])
        self._metrics.ready.labels(self.name).set(1)
        logger.info("%s follows %s", self.name, {f"{p.topic}/{p.partition}": o for p, o in self.positions.items()})

    async def _restore(self, name: str, partition: int, first: int, end: int) -> tuple[A, bool]:
        owned = Owned(name, partition, await self._store.claim(name))
        self._metrics.stopped.labels(self.name, name).set(0)
        try:
            arena = self._restored(owned, await self._store.load(name))
            if self._position(arena) > end:
                raise DamagedState("it is ahead of the ledger")
        except DamagedState as error:
            logger.warning("the saved %s state of arena %s is damaged: %s", self.name, name, error)
            return self._new(owned, first), True
        return arena, False

    def _refolding(self, arena: A) -> bool:
        """Whether the ledger is folded again from its start, and not yet up to where it ended then."""
        held = self._partitions[arena.partition]
        return held.position < held.refold_until

    # --- each turn ---------------------------------------------------------------------------------------------------

    async def process(self, log: Log, batch: Batch) -> None:
        """Fold what was fetched, then publish and save what is due."""
        for unreadable in log.unreadable:
            raise LedgerUnreadable(f"{unreadable.partition} at offset {unreadable.offset}: {unreadable.why}")
        for at, records in batch.items():
            held = self._partitions[at.partition]
            for record in records:
                await self._take(held, at.partition, record)
                await asyncio.sleep(0)  # heartbeats
        for at in self.positions:
            self.positions[at] = self._partitions[at.partition].reached = log.reached[at]
        now = time.monotonic()
        if now < self._retry_at:
            return
        try:
            await self._write_due(now)
            self._waiting.end()
        except REDIS_AWAY as error:
            self._waiting.begin(error, self.name)
            self._retry_at = now + RETRY_SECONDS
            self._next_snapshot = 0.0  # or a save that failed counts as done, and Redis as back

    async def _take(self, held: _Partition, partition: int, entry: Any) -> None:
        offset, value = entry.offset, entry.value
        record: Block | Notice | DamagedRecord
        try:
            record = decode(value or b"")
            name = record.arena
        except DamagedRecord as error:
            # Whose it is says its key; a record that names no arena is no arena's, and nobody's number lacks it.
            record, name = error, (entry.key or b"").decode("utf-8", "replace")
        arena = self._arenas.get(name)
        if arena is None and is_arena(name):
            owned = Owned(name, partition, await self._claim(name))
            arena = self._arenas[name] = self._new(owned, offset)
            # A listing that was saved before its first record does not name it: somebody may have published it since.
            arena.quiet_until = await self._log.end_now(TopicPartition(self._settings.topic(LEDGER.name), partition))
            self._metrics.stopped.labels(self.name, name).set(0)
        if arena is None:
            logger.error("%s: ledger/%d at offset %d is no arena's record: %s", self.name, partition, offset, record)
        elif offset >= self._position(arena) and not arena.stopped:
            try:
                if isinstance(record, DamagedRecord):
                    raise record
                self._fold(arena, record)
                self._advance(arena, offset + 1)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is this arena's: the others go on
                self._stop_arena(arena, f"ledger/{partition} at offset {offset} cannot be folded: {error!r}")
        held.position, held.tail = offset + 1, checksum(value)

    def _stop_arena(self, arena: A, why: str) -> None:
        """Fold, publish and save nothing more of an arena: the next owner tries again from its last save."""
        arena.stopped = why
        self._metrics.stopped.labels(self.name, arena.name).set(1)
        logger.error("%s: arena %s stops here, the others go on: %s", self.name, arena.name, why)

    async def _claim(self, arena: str) -> int:
        while True:
            try:
                return await self._store.claim(arena)
            except REDIS_AWAY as error:
                self._waiting.begin(error, "a new arena")
                self.steps += 1
                await asyncio.sleep(RETRY_SECONDS)

    async def _write_due(self, now: float) -> None:
        for number, held in self._partitions.items():
            if not held.swept and held.reached >= held.quiet_until:
                for name in await self._store.arenas():
                    arena = self._arenas.get(name)
                    here = partitions_of([name.encode()], self._count) == [number]
                    if here and not (arena is not None and arena.stopped):
                        await self._sweep(name, arena)
                held.swept = True
        await self._publish_all(now, last=False)
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            for arena in self._arenas.values():
                await self._heed(arena, await self._store.check(arena.name, arena.epoch))
        if now >= self._next_snapshot:
            self._next_snapshot = now + self._settings.snapshot_seconds
            await self._save_all()

    async def _publish_all(self, now: float, *, last: bool) -> None:
        for arena in self._arenas.values():
            held = self._partitions[arena.partition]
            if held.reached >= max(held.quiet_until, arena.quiet_until) and not arena.stopped:
                try:
                    await self._publish_due(arena, now, last=last)
                except (*REDIS_AWAY, KafkaError, Fenced):
                    raise
                except Exception as error:  # noqa: BLE001 -- as where it is folded
                    self._stop_arena(arena, f"its views cannot be made: {error!r}")

    async def revoked(self, log: Log) -> None:
        """Publish and save everything a last time."""
        self._let_go()
        try:
            await self._publish_all(time.monotonic(), last=True)
            await self._save_all()
        except REDIS_AWAY as error:
            logger.warning("%s, the last state of %s is not saved: %s", cause_of(error).words, self.name, error)

    async def _heed(self, arena: A, outcome: Outcome) -> None:
        """Stop when another owns the arena; write everything again when Redis lost it."""
        if outcome is Outcome.REFUSED:
            self._metrics.fenced.labels(self.name, arena.name).inc()
            raise Fenced(f"{self.name}: arena {arena.name} has a newer owner")
        if outcome is Outcome.LOST and not arena.stopped:
            logger.warning("%s: Redis lost arena %s, or went back, writing all of it again", self.name, arena.name)
            self._metrics.republished.labels(self.name, arena.name).inc()
            self._lost(arena)
            await self._save(arena, whole=True)
            self._partitions[arena.partition].saved_position = -1
            self._next_snapshot = 0.0

    # --- saving ------------------------------------------------------------------------------------------------------

    async def _save_all(self) -> None:
        """Save every arena that moved, then the listings that vouch for them."""
        for number, held in self._partitions.items():
            if held.position == held.saved_position or not held.tail:
                continue
            arenas = [arena for arena in self._arenas.values() if arena.partition == number]
            for arena in arenas:
                if arena.stopped:
                    continue
                # Nothing of a quiet arena lies between its position and the partition's.
                self._advance(arena, max(self._position(arena), held.position))
                await self._save(arena)
            refold_until = held.refold_until if held.reached < held.refold_until else 0
            listing = encode_listing(held.position, [arena.name for arena in arenas], held.tail, refold_until)
            await self._store.save_partition(number, listing)
            held.saved_position = held.position

    async def _save(self, arena: A, *, whole: bool = False) -> None:
        await self._before_saving(arena)
        fields = self._fields(arena)
        outcome = await self._store.save(arena.name, arena.epoch, fields, whole=whole)
        if outcome is not Outcome.DONE:
            await self._heed(arena, outcome)
            return
        self._saved(arena)
        self._metrics.snapshots.labels(self.name, arena.name).inc()
        self._metrics.snapshot_bytes.labels(self.name, arena.name).set(sum(map(len, fields.values())))


async def _continues(log: Log, at: TopicPartition, listing: Listing, first: int, end: int) -> bool:
    """Read the record before the listing's position and compare: is this still the ledger that was folded?"""
    before = listing.position - 1
    if listing.position > end or before < first:
        return False
    log.seek(at, before)
    while True:
        fetched = await log.fetch(at, timeout_ms=500, max_records=1)
        for record in fetched.get(at, ()):
            return record.offset == before and checksum(record.value) == listing.tail
