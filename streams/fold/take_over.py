"""How a fold takes over ledger partitions: from which offset it folds, and of which arenas it restores the state.

It starts from the position in its saved state, never from a committed offset. When the state is missing, damaged or
from another ledger, it refolds from the start by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition
from redis.asyncio import Redis

from streams.contracts.connect import resolve_anew
from streams.contracts.metrics import Metrics
from streams.contracts.partitioner import partitions_of
from streams.contracts.redis_away import REDIS_AWAY
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER
from streams.fold.checkpoint import DamagedState, Listing, checksum, decode_listing
from streams.fold.interface import A, Fold
from streams.fold.partition import Owned, Partition
from streams.fold.redis_store import FoldStore
from streams.fold.stops import Stops, Waiting, why_cut, why_unreadable
from streams.kafka.consumer import Log

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5


class TakeOver(Fold[A]):
    """What a fold owns in this process, and how it comes to own it."""

    name: str

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._arenas: dict[str, A] = {}
        self._partitions: dict[int, Partition] = {}
        self._count = 0
        self._redis: Redis
        self._store: FoldStore
        self._log: Log
        self._waiting, self._stops = Waiting(metrics, self.name), Stops(metrics, self.name)
        self.positions: dict[TopicPartition, int] = {}
        """Offset of the next record to fold in each owned partition; read by the watchdog."""
        self.steps = 0
        """Grows with all other work, including waiting for Redis; read by the watchdog."""
        self.doing = ""
        """Progress of a long take-over, in words; shown by /readyz."""

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Load the states of the partitions' arenas; waits while Redis is unavailable."""
        while True:
            try:
                await self._take_over(log, partitions)
                return self._waiting.end()
            except REDIS_AWAY as error:
                await self._wait(error, "taking over")
                self.steps += 1
                await asyncio.sleep(RETRY_SECONDS)
                log.give_way()

    async def _wait(self, error: Exception, what: str) -> None:
        """Report that `what` waits for Redis; called for every Redis failure that is retried."""
        self._waiting.begin(error, what)
        await resolve_anew(self._redis, error)

    async def _take_over(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        first = await log.consumer.beginning_offsets(partitions)
        end = await log.ends(partitions)
        self._let_go()
        before, self._arenas, self._partitions, self.positions = self._arenas, {}, {}, {}
        foreign = set()
        self._count = len(log.consumer.partitions_for_topic(self._settings.kafka.topic(LEDGER.name)) or ())
        for at in partitions:
            listing = decode_listing(await self._store.list_partition(at.partition))
            cause = "missing" if listing is None else None
            same = listing is None or await continues(log, at, listing, first[at], end[at])
            unknown = (
                None if same else next((why_unreadable(each) for each in log.unreadable if each.partition == at), None)
            )
            if not same and unknown is None:
                listing, cause = None, "foreign"
            position = first[at] if listing is None else listing.position
            for name in listing.arenas if listing else ():
                arena, damaged = await self._restore(name, at.partition, first[at], end[at])
                self._arenas[name] = arena
                if first[at] > 0 and (damaged or self._position(arena) < first[at]):
                    state = "is damaged" if damaged else f"ends at offset {self._position(arena)}"
                    self._stops.stop(arena, f"its state {state}, and {why_cut(at.partition, first[at])}")
                    continue
                cause = "damaged" if damaged else cause
                position = min(position, self._position(arena))
            refolding = cause is not None and end[at] > first[at] == 0  # otherwise it is stopped, below
            if refolding and cause is not None:
                logger.warning("%s: refolding ledger partition %d, its state is %s", self.name, at.partition, cause)
                self._metrics.refolds.labels(self.name, cause).inc()
            begun = listing is not None and listing.refold_until > listing.position
            if begun and not refolding:
                logger.warning("%s: continuing the refold of ledger partition %d", self.name, at.partition)
            self._partitions[at.partition] = Partition(
                position=position,
                reached=position,
                quiet_until=position,  # set below, when all arenas are claimed
                refold_until=end[at] if refolding or begun else 0,
                tail=listing.tail if listing and listing.position == position else 0,
                saved_position=listing.position if listing and cause is None else -1,
            )
            self.positions[at] = position
            if cause is not None and first[at] > 0:
                self._stop_partition(at.partition, f"its state is {cause}, and {why_cut(at.partition, first[at])}")
            if unknown is not None:  # cannot tell whether it is the same ledger: keep the saved state
                self._stop_partition(at.partition, unknown)
            if cause is not None or begun:
                foreign.add(at.partition)
        if foreign:
            await self._find_views(foreign)
        # Read the ends again, now that the previous owners can no longer publish.
        for at, known in (await log.ends(partitions)).items():
            self._partitions[at.partition].quiet_until = known
            log.seek(at, self.positions[at])
        for name in before.keys() - self._arenas.keys():
            self._prune_series(name)
        self._metrics.ready.labels(self.name).set(1)
        logger.info("%s follows %s", self.name, {f"{p.topic}/{p.partition}": o for p, o in self.positions.items()})

    async def _find_views(self, partitions: set[int]) -> None:
        """Note which arenas of these partitions have views."""
        for name in await self._store.arenas():
            (number,) = partitions_of([name.encode()], self._count)
            if number in partitions:
                self._partitions[number].unswept[name] = await self._store.epoch(name)

    async def _restore(self, name: str, partition: int, first: int, end: int) -> tuple[A, bool]:
        owned = Owned(name, partition, await self._store.claim(name))
        fields = await self._store.load(name)
        try:
            arena = self._restored(owned, fields)
            if not 0 <= self._position(arena) <= end:
                raise DamagedState(f"it is of {self._position(arena)}, the ledger ends at {end}")
        except Exception as error:  # noqa: BLE001 -- a state whose decoding raises anything is unusable
            logger.warning("the saved %s state of arena %s is damaged: %r", self.name, name, error)
            arena = self._new(owned, first)
            self._inherit_from(arena, fields)
            return arena, True
        return arena, False

    def _inherit_from(self, arena: A, fields: Mapping[str, bytes]) -> None:
        try:
            self._inherit(arena, fields)
        except Exception as error:  # noqa: BLE001 -- as above
            logger.warning("%s: arena %s inherits nothing: %r", self.name, arena.name, error)

    def _refolding(self, arena: A) -> bool:
        """Whether the arena's partition is refolding and has not reached the offset where the refold ends."""
        held = self._partitions[arena.partition]
        return held.position < held.refold_until

    def _stop_partition(self, number: int, why: str) -> None:
        self._partitions[number].stopped = True
        self._stops.stop_partition(number, [each for each in self._arenas.values() if each.partition == number], why)

    def _let_go(self) -> None:
        """Stop reporting on all arenas: their next owners report whether they are stopped."""
        self._metrics.ready.labels(self.name).set(0)
        self._stops.let_go(self._arenas, self._partitions)

    def _prune_series(self, arena: str) -> None:
        """Remove the time series, dozens per arena, of an arena that is gone or has another owner."""
        for family in (self._metrics.snapshots, self._metrics.snapshot_bytes, self._metrics.republished):
            family.remove(self.name, arena)


async def continues(log: Log, at: TopicPartition, listing: Listing, first: int, end: int) -> bool:
    """Whether the record before the listing's position is still the one that was folded."""
    before = listing.position - 1
    if listing.position > end or before < first:
        return False
    log.unreadable.clear()  # left over from another partition
    log.seek(at, before)
    while not log.unreadable:
        fetched = await log.fetch(at, timeout_ms=500, max_records=1)
        for record in fetched.get(at, ()):
            return record.offset == before and checksum(record.value) == listing.tail
    return False
