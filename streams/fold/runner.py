"""A stage that folds the ledger: takes over from saved state, folds, publishes, saves, and is fenced by an epoch.

`TakeOver` has the first step. The subclass defines what is folded and published: see `Fold`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import attrgetter

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.contracts.connect import FOLDING, async_redis_client
from streams.contracts.kafka_record import ConsumerRecord
from streams.contracts.metrics import Metrics
from streams.contracts.partitioner import partitions_of
from streams.contracts.redis_away import REDIS_AWAY, cause_of
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER
from streams.contracts.vote import is_arena
from streams.fold.checkpoint import checksum, encode_listing
from streams.fold.interface import A
from streams.fold.partition import ArenaFenced, Owned, Partition
from streams.fold.redis_store import FoldStore, WriteResult
from streams.fold.stops import why_unreadable
from streams.fold.take_over import RETRY_SECONDS, TakeOver
from streams.kafka.consumer import Batch, Log
from streams.ledger.codec import Block, DamagedRecord, Notice, decode

logger = logging.getLogger(__name__)

Claimed = dict[str, tuple[int, dict[str, bytes]]]
"""Epoch and saved state of claimed arenas whose first record is not folded yet."""

CHECK_SECONDS = 1.0
UNKNOWN = 2**62
"""`quiet_until` of a new arena until the ledger's end is known: do not publish."""
TURN_SECONDS = 0.05
"""Time to fold before publishing what is due, and time to publish before folding on."""
RECORDS_A_TURN = 50
"""Ledger records to fold before boards, timers and heartbeats get their turn: at most a quarter of a second."""


class FoldStage(TakeOver[A]):
    """One fold of the ledger; one per process."""

    topics = (LEDGER.name,)

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        super().__init__(settings, metrics)
        self._next_snapshot = self._next_check = self._retry_at = 0.0

    async def run(self) -> None:
        """Follow until cancelled."""
        self._redis = async_redis_client(self._settings.redis, FOLDING)
        self._store = FoldStore(self._redis, self._settings.redis.keys, self.name)
        try:
            self._log = Log(self._settings.kafka, self.name, self.topics, self, max_records=RECORDS_A_TURN)
            await self._log.run()
        finally:
            self._let_go()
            await self._redis.aclose()

    def told(self) -> str:
        """Describe what the last fetches brought."""
        return self._log.told()

    # --- each turn ---------------------------------------------------------------------------------------------------

    async def process(self, log: Log, batch: Batch) -> None:
        """Fold what was fetched, then publish and save what is due."""
        for unreadable in log.unreadable:
            self._stop_partition(unreadable.partition.partition, why_unreadable(unreadable))
        log.unreadable.clear()
        turn = time.monotonic()
        for at, records in batch.items():
            held = self._partitions[at.partition]
            claimed = {} if held.stopped else await self._claim_new(at.partition, records)
            for record in () if held.stopped else records:
                await self._take(held, at.partition, record, claimed)
                await asyncio.sleep(0)  # heartbeats
                if time.monotonic() >= max(turn + TURN_SECONDS, self._retry_at):
                    await self._publish_between()
                    turn = time.monotonic()
            await self._quiet(at)
        for at in self.positions:
            self.positions[at] = log.reached[at]
            held = self._partitions[at.partition]
            if not held.stopped:
                held.reached = log.reached[at]
        now = time.monotonic()
        if now < self._retry_at:
            return
        try:
            await self._write_due(now)
            self._waiting.end()
        except REDIS_AWAY as error:
            await self._wait(error, self.name)
            self._retry_at = now + RETRY_SECONDS
            self._next_snapshot = 0.0  # otherwise a failed save would count as done, and Redis as back

    async def _take(self, held: Partition, partition: int, entry: ConsumerRecord, claimed: Claimed) -> None:
        offset, value = entry.offset, entry.value
        record: Block | Notice | DamagedRecord
        try:
            record = decode(value or b"")
            name = record.arena
        except DamagedRecord as error:
            # The key names the arena; a record that names none belongs to no arena, so no arena lacks it.
            record, name = error, (entry.key or b"").decode("utf-8", "replace")
        arena = self._arenas.get(name)
        if arena is None and is_arena(name):
            if name not in claimed:  # the record has another arena's key
                claimed |= await self._claim([name])
            epoch, fields = claimed.pop(name)
            arena = self._arenas[name] = self._new(Owned(name, partition, epoch), offset)
            self._inherit_from(arena, fields)  # its saved state is in no listing
            arena.quiet_until, arena.due = UNKNOWN, time.monotonic()
        if arena is None:
            logger.error(
                "%s: ledger/%d at offset %d is not a record of an arena: %s", self.name, partition, offset, record
            )
        elif offset >= self._position(arena) and not arena.stopped:
            try:
                if isinstance(record, DamagedRecord):
                    raise record
                self._fold(arena, record)
                self._advance(arena, offset + 1)
            except Exception as error:  # noqa: BLE001 -- any error stops this arena only; the others continue
                self._stops.stop(arena, f"ledger/{partition} at offset {offset} cannot be folded: {error!r}")
        held.position, held.tail = offset + 1, checksum(value)

    async def _quiet(self, at: TopicPartition) -> None:
        """Read the ledger's end once for all newly claimed arenas.

        A listing saved before an arena's first record does not name the arena, and an earlier owner may have published
        it since.
        """
        new = [each for each in self._arenas.values() if each.quiet_until == UNKNOWN and each.partition == at.partition]
        if new:
            end = await self._log.end_now(at)
            for arena in new:
                arena.quiet_until = end

    async def _claim_new(self, partition: int, records: Sequence[ConsumerRecord]) -> Claimed:
        """Claim all new arenas of these records, by key, together: a hundred single claims would delay the rest."""
        keys = dict.fromkeys((record.key or b"").decode("utf-8", "replace") for record in records)
        new = [name for name in keys if name not in self._arenas and is_arena(name)]
        # Claiming an arena of another partition would take it from its owner.
        own = [
            name
            for name, at in zip(new, partitions_of([n.encode() for n in new], self._count), strict=True)
            if at == partition
        ]
        return await self._claim(own) if own else {}

    async def _claim(self, arenas: Sequence[str]) -> Claimed:
        while True:
            try:
                return await self._store.claim_new(arenas)
            except REDIS_AWAY as error:
                await self._wait(error, "a new arena")
                await self._tell_all(time.monotonic())
                self.steps += 1
                await asyncio.sleep(RETRY_SECONDS)

    async def _write_due(self, now: float) -> None:
        await self._tell_all(now)
        await self._sweep_all()
        await self._publish_all(now, last=False)
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            arenas = list(self._arenas.values())
            owned = [(arena.name, arena.epoch, self._shown_boards(arena)) for arena in arenas]
            for arena, outcome in zip(arenas, await self._store.check(owned), strict=True):
                await self._heed(arena, outcome)
                await self._stops.tell(arena, self._store, caught_up=self._may_publish(arena))
            await self._store.list_arenas(self._arenas)
            if await self._stops.released(self._arenas.values(), self._store):
                await self._save_all()
                self._log.begin_anew()
        if now >= self._next_snapshot:
            self._next_snapshot = now + self._settings.fold.snapshot_seconds
            await self._save_all()

    def _may_publish(self, arena: A) -> bool:
        """Whether everything that an earlier owner may have published has been folded."""
        held = self._partitions[arena.partition]
        return held.reached >= max(held.quiet_until, arena.quiet_until) and not arena.stopped

    def _catch_up(self, arena: A) -> None:
        """Advance an arena to the partition's position: there are no records of it in between."""
        self._advance(arena, max(self._position(arena), self._partitions[arena.partition].position))

    async def _sweep_all(self) -> None:
        """Remove views of another ledger, once this one has been read to its end."""
        for held in self._partitions.values():
            if held.reached < held.quiet_until or held.stopped:
                continue
            for name, epoch in list(held.unswept.items()):
                arena = self._arenas.get(name)
                if arena is None or self._may_publish(arena):
                    await self._sweep(name, epoch, arena)
                    del held.unswept[name]

    async def _tell_all(self, now: float) -> None:
        await self._with_each(lambda arena: self._tell_due(arena, now))

    async def _publish_all(self, now: float, *, last: bool) -> None:
        def publish(arena: A) -> Awaitable[None]:
            self._catch_up(arena)  # or a refold's view would name an earlier position than the view it replaces
            return self._publish_due(arena, now, last=last)

        # Longest wait first, in bounded time: a hundred new arenas must not hold up the old ones.
        due = [arena for arena in self._arenas.values() if last or arena.due <= now]
        await self._with_each(publish, sorted(due, key=attrgetter("due")), math.inf if last else TURN_SECONDS)

    async def _publish_between(self) -> None:
        """Publish what is due while a slow batch is folded, such as one of new arenas."""
        try:
            await self._publish_all(time.monotonic(), last=False)
        except REDIS_AWAY as error:
            await self._wait(error, self.name)
            self._retry_at = time.monotonic() + RETRY_SECONDS

    async def _with_each(
        self, act: Callable[[A], Awaitable[None]], arenas: Iterable[A] | None = None, seconds: float = math.inf
    ) -> None:
        """Call `act` with every arena (of `arenas`) that may be published; an error of one arena stops only it."""
        end = time.monotonic() + seconds
        for arena in list(self._arenas.values()) if arenas is None else arenas:
            if self._may_publish(arena) and time.monotonic() < end:
                try:
                    await act(arena)
                except (*REDIS_AWAY, KafkaError, ArenaFenced):
                    raise
                except Exception as error:  # noqa: BLE001 -- as in `_take`
                    self._stops.stop(arena, f"its views cannot be made: {error!r}")

    async def revoked(self, log: Log) -> None:
        """Publish and save everything a last time."""
        self._let_go()
        now = time.monotonic()
        await self._tell_all(now)
        try:
            await self._publish_all(now, last=True)
            await self._save_all()
        except REDIS_AWAY as error:
            logger.warning("%s, the last state of %s is not saved: %s", cause_of(error).words, self.name, error)

    async def _heed(self, arena: A, outcome: WriteResult) -> None:
        """Raise when another process owns the arena; write everything again when Redis lost it."""
        if outcome is WriteResult.REFUSED:
            self._metrics.fenced.labels(self.name, arena.name).inc()
            raise ArenaFenced(f"{self.name}: arena {arena.name} has a newer owner")
        if outcome is WriteResult.LOST:
            arena.told = None  # written again; an operator's release request is kept
        if outcome is WriteResult.LOST and not arena.stopped:
            logger.warning(
                "%s: Redis lost arena %s, or has an older state, writing all of it again", self.name, arena.name
            )
            self._metrics.republished.labels(self.name, arena.name).inc()
            self._lost(arena)
            # The listing is lost, too. Note it before the save: if the save's answer is lost, no later check shows it.
            self._partitions[arena.partition].saved_position = -1
            self._next_snapshot = 0.0
            await self._save(arena, whole=True)

    # --- saving ------------------------------------------------------------------------------------------------------

    async def _save_all(self) -> None:
        """Save every arena that moved, then the listings that name them; publish what becomes due meanwhile."""
        turn = time.monotonic()
        for number, held in self._partitions.items():
            if held.position == held.saved_position or not held.tail or held.stopped:
                continue
            arenas = [arena for arena in self._arenas.values() if arena.partition == number]
            for arena in arenas:
                if arena.stopped:
                    continue
                self._catch_up(arena)
                await self._save(arena)
                if time.monotonic() >= turn + TURN_SECONDS:
                    await self._publish_between()
                    turn = time.monotonic()
            listing = encode_listing(held.position, [arena.name for arena in arenas], held.tail, held.refolding)
            await self._store.save_partition(number, listing)
            held.saved_position = held.position

    async def _save(self, arena: A, *, whole: bool = False) -> None:
        try:
            await self._before_saving(arena)
            fields = self._fields(arena)
        except (*REDIS_AWAY, KafkaError, ArenaFenced):
            raise
        except Exception as error:  # noqa: BLE001 -- as in `_take`
            self._stops.stop(arena, f"its state cannot be written: {error!r}")
            return
        outcome = await self._store.save(arena.name, arena.epoch, fields, whole=whole or arena.whole)
        if outcome is not WriteResult.DONE:
            await self._heed(arena, outcome)
            return
        self._saved(arena)
        arena.whole = False
        self._metrics.snapshots.labels(self.name, arena.name).inc()
        self._metrics.snapshot_bytes.labels(self.name, arena.name).set(sum(map(len, fields.values())))
