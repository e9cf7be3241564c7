"""The intake stage: follows votes and models, writes the ledger and the dead letters, then commits.

Nothing is committed before the ledger acknowledged it, and nothing is skipped: a write that fails ends the process, and
the next owner starts from the commit. What was written twice by that is dropped by the readers' watermark.
"""

# Longer than most: from fetch to commit in one reading.

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from aiokafka import AIOKafkaProducer, TopicPartition

from streams.contracts.dead_letter import DeadLetter
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.topics import DEAD_LETTERS, INTAKE_GROUP, LEDGER, MODELS, VOTES
from streams.intake.accept import Source, accept, remember
from streams.intake.align import Aligner
from streams.intake.declare import declare
from streams.intake.decode import Reject, decode
from streams.intake.dedup import SeenIds, warm
from streams.intake.records import Records, by_time, join, read
from streams.intake.refusals import Refusals
from streams.intake.scan import warm as warm_scan
from streams.ledger.codec import encode_block, encode_notice
from streams.log import Batch, Log, make_producer, stop

logger = logging.getLogger(__name__)

COMMIT_SECONDS = 0.5
TURNS_TO_SEND = 8
"""Turns of the event loop until what was begun has left for the broker, which answers meanwhile (6 % of the time)."""


class AnotherLog(RuntimeError):  # noqa: N818 -- what it is
    """The topic is not the one that was read before: its offsets mean other votes, and would be dropped as known."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a fetch became: per arena the ledger records in order, the refused records, and how far it goes."""

    ledger: dict[str, list[bytes]]
    letters: list[DeadLetter]
    positions: dict[TopicPartition, int]


class IntakeStage:
    """Votes and model records in, ledger and dead letters out; one per process."""

    name = INTAKE_GROUP
    topics = (VOTES.name, MODELS.name)

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        warm()
        warm_scan()
        self._settings = settings
        self._metrics = metrics
        self._votes, self._models = settings.topic(VOTES.name), settings.topic(MODELS.name)
        self._ledger, self._dead_letters = settings.topic(LEDGER.name), settings.topic(DEAD_LETTERS.name)
        self._sources: dict[int, Source] = {}
        self._aligner: Aligner[TopicPartition] = Aligner({})
        self._writing: asyncio.Task[dict[TopicPartition, int]] | None = None
        self._acknowledged: dict[TopicPartition, int] = {}
        self._commit_at = 0.0
        self._producer: AIOKafkaProducer
        self.positions: dict[TopicPartition, int] = {}
        """Next record to take of each partition held; read by the watchdog."""

    async def run(self) -> None:
        """Follow until cancelled."""
        self._producer = make_producer(self._settings, self.name)
        await self._producer.start()
        try:
            # Twice as many as are decided on at once: what is read ahead is there while the brokers are asked for more.
            most = 2 * self._settings.fetch_records
            await Log(self._settings, self.name, self.topics, self, max_records=most, evenly=True, read=read).run()
        finally:
            await stop(self._producer)

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Find the committed positions and rebuild the id memory in front of them."""
        first = await log.consumer.beginning_offsets(partitions)
        reached = {partition: await log.consumer.committed(partition) or 0 for partition in partitions}
        end = await log.ends(partitions)
        self.positions = {}
        rebuild = []
        for partition in partitions:
            committed = reached[partition]
            if committed > end[partition]:
                raise AnotherLog(
                    f"{partition.topic}/{partition.partition} ends at {end[partition]}, but {committed} records of it"
                    " are in the ledger: a topic that was made anew needs a new ISONOMY_TOPIC_PREFIX"
                )
            position = max(committed, first[partition])
            self.positions[partition] = position
            if partition.topic == self._votes:
                known = self._sources.get(partition.partition)
                if known is None or known.position != position:
                    rebuild.append(partition)
        held = {partition.partition for partition in partitions if partition.topic == self._votes}
        self._sources = {number: source for number, source in self._sources.items() if number in held}
        self._aligner = Aligner({at: offset for at, offset in self.positions.items() if at.topic == self._votes})
        log.hurry = False
        await self._rebuild(log, rebuild, first)
        for partition, position in self.positions.items():
            log.consumer.seek(partition, position)
        self._metrics.ready.labels(self.name).set(1)
        logger.info("intake follows %s", {f"{p.topic}/{p.partition}": o for p, o in self.positions.items()})

    async def _rebuild(self, log: Log, partitions: Sequence[TopicPartition], first: dict[TopicPartition, int]) -> None:
        """Read the window before each position again, remembering ids and refusals, writing nothing."""
        settings = self._settings
        started, known = time.monotonic(), 0
        pending = set()
        for partition in partitions:
            position = self.positions[partition]
            start = max(first[partition], position - max(settings.dedup_records, settings.dead_letter_window))
            self._sources[partition.partition] = Source(
                SeenIds(settings.dedup_records, settings.dedup_seconds),
                Refusals(settings.dead_letter_run, settings.dead_letter_ratio, settings.dead_letter_window),
                start,
            )
            log.consumer.seek(partition, start)
            if start < position:
                pending.add(partition)
        while pending:
            batch = await log.fetch(*pending, timeout_ms=200, max_records=settings.fetch_records)
            for partition, fetched in batch.items():
                records = read(partition.partition, fetched)
                before = records.part(0, int(np.searchsorted(records.offset, self.positions[partition])))
                if len(before):
                    remember(before, decode(before), self._sources)
                    known += len(before)
                await asyncio.sleep(0)  # a long rebuild must leave room for heartbeats
            for partition in list(pending):
                if await log.consumer.position(partition) >= self.positions[partition]:
                    pending.remove(partition)
        if known:
            logger.info("rebuilt the id memory from %d records in %.1f s", known, time.monotonic() - started)

    async def process(self, log: Log, batch: Batch) -> None:
        """Write what was fetched; commit what was acknowledged.

        One fetch is being written at a time: the next one is fetched and decoded meanwhile, but begun only after the
        acknowledgement. Were two under way and only the later one stored, its rows would lift the watermark over the
        lost ones, for ever.
        """
        # What was asked of the brokers leaves before decoding takes the processor: the next fetch, the last write.
        for _ in range(TURNS_TO_SEND if batch else 0):
            await asyncio.sleep(0)
        outcome = self._decide(self._align(log, batch))
        await self._finish_writing()
        if outcome is not None:
            self._writing = asyncio.create_task(self._write(outcome))
        if self._acknowledged and time.monotonic() >= self._commit_at:
            await self._commit(log)

    async def revoked(self, log: Log) -> None:
        """Wait for the brokers, and commit."""
        await self._finish_writing()
        if self._acknowledged:
            await self._commit(log)
        self._metrics.ready.labels(self.name).set(0)

    def _align(self, log: Log, batch: Batch) -> dict[TopicPartition, Records]:
        """Hold back votes that are ahead of other partitions; model records pass."""
        due: dict[TopicPartition, Records] = {}
        for at, fetched in batch.items():
            if at.topic == self._votes:
                self._aligner.add(at, fetched)
            else:
                due[at] = fetched
        highwater = {at: log.consumer.highwater(at) for at in self.positions if at.topic == self._votes}
        due.update(self._aligner.take(highwater, time.monotonic(), self._settings.fetch_records))
        log.hurry = self._aligner.more
        # What waits long enough need not be fetched on.
        log.leave_out([at for at in highwater if self._aligner.held(at) > self._settings.fetch_records])
        return due

    def _decide(self, due: dict[TopicPartition, Records]) -> _Outcome | None:
        if not due:
            return None
        outcome = _Outcome({}, [], {at: int(records.offset[-1]) + 1 for at, records in due.items()})
        models = [records for at, records in due.items() if at.topic == self._models]
        votes = [records for at, records in due.items() if at.topic == self._votes]
        if models:
            self._take_models(by_time(models), outcome)
        if votes:
            self._take_votes(join(votes), outcome)
        return outcome

    def _take_models(self, records: Records, outcome: _Outcome) -> None:
        notices, rejects = declare(records)
        for notice in notices:
            outcome.ledger.setdefault(notice.arena, []).append(encode_notice(notice))
        outcome.letters.extend(_letters(self._models, records, rejects))
        self._metrics.notices.labels("counted").inc(len(notices))
        for reject in rejects:
            self._metrics.notices.labels(reject.reason.value).inc()

    def _take_votes(self, records: Records, outcome: _Outcome) -> None:
        accepted = accept(records, self._sources)
        for block in accepted.blocks:
            outcome.ledger.setdefault(block.arena, []).extend(encode_block(block))
        outcome.letters.extend(_letters(self._votes, records, accepted.rejects))
        self._metrics.votes.labels("counted").inc(sum(len(block.rows) for block in accepted.blocks))
        self._metrics.votes.labels("duplicate").inc(accepted.duplicates)
        for reject in accepted.rejects:
            self._metrics.votes.labels(reject.reason.value).inc()
        for partition in np.unique(records.partition).tolist():
            seen = self._sources[partition].seen
            self._metrics.dedup_ids.labels(str(partition)).set(len(seen))
            self._metrics.dedup_bytes.labels(str(partition)).set(seen.nbytes)

    async def _write(self, outcome: _Outcome) -> dict[TopicPartition, int]:
        """Write a fetch's outcome; returns the positions once everything is acknowledged."""
        async with asyncio.TaskGroup() as writes:
            for arena, pieces in outcome.ledger.items():
                writes.create_task(self._write_in_order(arena, pieces))
            for letter in outcome.letters:
                writes.create_task(self._send(self._dead_letters, letter.place, letter.value, letter.headers()))
        self._metrics.blocks.inc(sum(map(len, outcome.ledger.values())))
        return outcome.positions

    async def _write_in_order(self, arena: str, pieces: list[bytes]) -> None:
        for piece in pieces:
            await self._send(self._ledger, arena.encode(), piece)

    async def _send(
        self, topic: str, key: bytes, value: bytes | None, headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        """Write one record and wait for the acknowledgement."""
        await self._producer.send_and_wait(topic, value, key=key, headers=headers)

    async def _finish_writing(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            positions = await writing
            self._acknowledged.update(positions)
            self.positions.update(positions)

    async def _commit(self, log: Log) -> None:
        await log.commit(self._acknowledged)
        self._acknowledged = {}
        self._commit_at = time.monotonic() + COMMIT_SECONDS


def _letters(topic: str, records: Records, rejects: list[Reject]) -> list[DeadLetter]:
    return [
        DeadLetter(
            topic,
            int(records.partition[reject.index]),
            int(records.offset[reject.index]),
            reject.reason,
            reject.detail,
            records.keys[reject.index],
            records.values[reject.index],
        )
        for reject in rejects
    ]
