"""The intake stage: follows votes and models, writes the ledger and the dead letters, then commits.

Nothing is committed before Kafka has acknowledged its ledger write, and nothing is skipped: a failed write ends the
stage, and the next owner starts from the commit. The readers' watermark drops records that were written twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from streams.contracts.dead_letter import DeadLetter
from streams.contracts.metrics import Metrics
from streams.contracts.reasons import Reason
from streams.contracts.settings import Settings
from streams.contracts.topics import DEAD_LETTERS, INTAKE_GROUP, LEDGER, MODELS, VOTES
from streams.contracts.unpack import MOST_BYTES
from streams.intake.accept import PartitionMemory, accept, declare
from streams.intake.begin import RecordsGone
from streams.intake.decode import Reject
from streams.intake.dedup import warm
from streams.intake.fast_decode import warm as warm_scan
from streams.intake.merge_by_time import Aligner
from streams.intake.proof import Proof
from streams.intake.records import Records, by_time, join, read
from streams.intake.take_over import positions_of, rebuild
from streams.kafka.clients import make_producer, stable_end, stop
from streams.kafka.consumer import Batch, Log
from streams.kafka.unreadable import UnreadableBatch
from streams.ledger.codec import encode_block, encode_notice

logger = logging.getLogger(__name__)

COMMIT_SECONDS = 0.5
WHOLE_BYTES = MOST_BYTES // 2
"""Refused records larger than this are cut: the broker may accept them compressed, but no reader could unpack them."""
CUT_BYTES = 512 * 1024
"""Bytes kept of a refused record that is too large for `dead-letters`."""
SEEN_SECONDS, LOOK_SECONDS = 20.0, 2.0
"""Seconds to wait with a gap, longer than Prometheus's scrape interval in deploy/prometheus, and between two checks."""
TURNS_TO_SEND = 8
"""Event-loop turns before the CPU-bound decode until pending requests are on the wire; the broker then answers during
the decode (6 % of the time)."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Result of a fetch: ledger records per arena in order, dead letters, and the positions after it."""

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
        self._votes, self._models = settings.kafka.topic(VOTES.name), settings.kafka.topic(MODELS.name)
        self._ledger, self._dead_letters = settings.kafka.topic(LEDGER.name), settings.kafka.topic(DEAD_LETTERS.name)
        self._sources: dict[int, PartitionMemory] = {}
        self._aligner: Aligner[TopicPartition] = Aligner({})
        self._writing: asyncio.Task[dict[TopicPartition, int]] | None = None
        self._acknowledged: dict[TopicPartition, int] = {}
        self._decided: dict[TopicPartition, int] = {}
        self._commit_at = 0.0
        self._over: set[tuple[str, str]] = set()
        """Arenas over a limit of refusals, each with its votes partition."""
        self._proof = Proof()
        """Kept when a rebalance interrupts it."""
        self._log: Log
        self._producer: AIOKafkaProducer
        self._letters: AIOKafkaProducer
        """Compresses: a record that arrived compressed may unpack to many times the topic's limit."""
        self.positions: dict[TopicPartition, int] = {}
        """Offset of the next record to process in each owned partition; read by the watchdog."""
        self.steps = 0
        """Grows with all other work; read by the watchdog."""
        self.doing = ""
        """Progress of a long take-over, in words; shown by /readyz."""

    async def run(self) -> None:
        """Follow until cancelled."""
        self._producer = make_producer(self._settings.kafka, self.name)
        self._letters = make_producer(self._settings.kafka, f"{self.name}-letters", packed=True)
        try:
            await self._producer.start()
            await self._letters.start()
            # Twice the records of one decision: the stage has records to process while the next fetch is under way.
            most = 2 * self._settings.intake.fetch_records
            self._log = Log(
                self._settings.kafka, self.name, self.topics, self, max_records=most, evenly=True, read=read
            )
            await self._log.run()
        finally:
            self._metrics.ready.labels(self.name).set(0)
            await stop(self._producer)
            await stop(self._letters)

    def told(self) -> str:
        """Describe what the last fetches brought."""
        return self._log.told()

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Find the start position of each partition and rebuild the id memory before it."""
        self.positions = await self._places(log, partitions)
        first = await log.consumer.beginning_offsets(partitions)
        rebuild = []
        for partition, position in self.positions.items():
            if partition.topic == self._votes:
                known = self._sources.get(partition.partition)
                if known is None or known.position != position:
                    rebuild.append(partition)
        held = {partition.partition for partition in partitions if partition.topic == self._votes}
        for number in (log.consumer.partitions_for_topic(self._votes) or set()) - held:
            self._metrics.memory_short.remove(str(number))  # another worker owns it now
        self._sources = {number: source for number, source in self._sources.items() if number in held}
        self._aligner = Aligner({at: offset for at, offset in self.positions.items() if at.topic == self._votes})
        self._writing, self._acknowledged, self._decided = None, {}, dict(self.positions)
        log.hurry = False
        log.leave_out([])
        await self._rebuild(log, rebuild, first)
        self._proof = Proof()  # kept until now: an interrupted take-over starts over, without searching again
        for partition, position in self.positions.items():
            log.seek(partition, position)
        self._metrics.ready.labels(self.name).set(1)
        logger.info("intake follows %s", {f"{p.topic}/{p.partition}": o for p, o in self.positions.items()})

    def _step(self) -> None:
        self.steps += 1

    def _say(self, doing: str) -> None:
        self.doing = doing

    async def _places(self, log: Log, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Find the start positions; when records are gone, keep retrying for a while before raising.

        A worker that runs only intake ends on that error, and would end before Prometheus had scraped its gauge. An
        operator may also accept the gap in the meantime.
        """
        until = time.monotonic() + SEEN_SECONDS
        while True:
            try:
                return await positions_of(log, partitions, self._settings, self._metrics, self._proof, self._step)
            except RecordsGone as error:
                if time.monotonic() >= until:
                    raise
                logger.error("intake has stopped: %s", error)  # noqa: TRY400 -- it is raised in the end
            await asyncio.sleep(LOOK_SECONDS)
            self._step()
            log.give_way()

    async def _rebuild(self, log: Log, partitions: Sequence[TopicPartition], first: dict[TopicPartition, int]) -> None:
        positions = {at: self.positions[at] for at in partitions}
        # Only a complete rebuild is kept: one that a rebalance interrupts leaves the memory as it was.
        self._sources |= await rebuild(
            log, positions, first, self._settings.intake, self._metrics, self._step, self._say
        )
        self._tell_refused()

    async def process(self, log: Log, batch: Batch) -> None:
        """Write what was fetched; commit what was acknowledged.

        One fetch is written at a time: the next one is fetched and decoded meanwhile, but its write starts only after
        the acknowledgement. If two were in flight and only the later one were stored, its rows would raise the
        watermark past the lost rows, which would then never count.
        """
        # Let pending requests (next fetch, last write) go out before decoding takes the CPU.
        for _ in range(TURNS_TO_SEND if batch else 0):
            await asyncio.sleep(0)
        outcome = self._decide(log, self._align(log, batch))
        await self._finish_writing()
        if outcome is not None:
            self._writing = asyncio.create_task(self._write(outcome))
        if self._acknowledged and time.monotonic() >= self._commit_at:
            await self._commit(log)

    async def revoked(self, log: Log) -> None:
        """Wait for the write under way, and commit."""
        await self._finish_writing()
        if self._acknowledged:
            await self._commit(log)
        self._metrics.ready.labels(self.name).set(0)

    def _align(self, log: Log, batch: Batch) -> dict[TopicPartition, Records]:
        """Hold back votes that are newer than other partitions' next records; pass model records through."""
        due: dict[TopicPartition, Records] = {}
        for at, fetched in batch.items():
            if at.topic == self._votes:
                self._aligner.add(at, fetched)
            else:
                due[at] = fetched
        votes = [at for at in self.positions if at.topic == self._votes]
        for at in votes:
            self._aligner.advance(at, log.reached[at])
        ends = {at: stable_end(log.consumer, at) for at in votes}
        due.update(self._aligner.take(ends, time.monotonic(), self._settings.intake.fetch_records))
        log.hurry = self._aligner.more
        # Pause partitions whose backlog exceeds one fetch.
        log.leave_out([at for at in votes if self._aligner.held(at) > self._settings.intake.fetch_records])
        return due

    def _decide(self, log: Log, due: dict[TopicPartition, Records]) -> _Outcome | None:
        """Decide what to write, and the positions after it; a transaction's marker moves them without a write."""
        parked, log.unreadable = log.unreadable, []
        positions = {
            at: self._aligner.position(at) if at.topic == self._votes else log.reached[at] for at in self.positions
        }
        if not due and not parked and positions == self._decided:
            return None
        self._decided = positions
        outcome = _Outcome({}, [_parked(batch) for batch in parked], positions)
        for batch in parked:
            self._metrics.unreadable.labels(batch.partition.topic.removeprefix(self._settings.kafka.topic_prefix)).inc()
        models = [records for at, records in due.items() if at.topic == self._models]
        votes = [records for at, records in due.items() if at.topic == self._votes]
        if models:
            self._take_models(by_time(models), outcome)
        if votes:
            self._take_votes(join(votes), outcome)
        for at, position in positions.items():
            if at.topic == self._votes:
                self._sources[at.partition].position = position
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
        self._tell_refused()
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

    def _tell_refused(self) -> None:
        """Report the arenas over a limit of refusals in metrics and log; only these have a time series."""
        now = {
            (arena or "-", str(number)): excess
            for number, source in self._sources.items()
            for arena, excess in source.refusals.over.items()
        }
        for gone in self._over - now.keys():
            self._metrics.refused_ratio.remove(*gone)
            logger.warning("arena %s, votes/%s: fewer are refused again", *gone)
        for (arena, number), excess in now.items():
            self._metrics.refused_ratio.labels(arena, number).set(excess.refused / max(excess.records, 1))
            if (arena, number) not in self._over:
                logger.error("arena %s, votes/%s: %s; they are dead letters", arena, number, excess)
        self._over = set(now)

    async def _write(self, outcome: _Outcome) -> dict[TopicPartition, int]:
        """Write an outcome; return its positions once everything is acknowledged."""
        async with asyncio.TaskGroup() as writes:
            for arena, pieces in outcome.ledger.items():
                writes.create_task(self._write_in_order(arena, pieces))
            for letter in outcome.letters:
                writes.create_task(self._park(letter))
        self._metrics.blocks.inc(sum(map(len, outcome.ledger.values())))
        return outcome.positions

    async def _write_in_order(self, arena: str, pieces: list[bytes]) -> None:
        for piece in pieces:
            await self._producer.send_and_wait(self._ledger, piece, key=arena.encode())

    async def _park(self, letter: DeadLetter) -> None:
        """Write a dead letter, cut when it is too large: one record must not hold up all others."""
        if len(letter.key or b"") + len(letter.value or b"") > WHOLE_BYTES and letter.cut is None:
            letter = letter.beginning(CUT_BYTES)
        try:
            await self._letters.send_and_wait(
                self._dead_letters, letter.value, key=letter.place, headers=letter.headers()
            )
        except MessageSizeTooLargeError:
            if letter.cut is not None:
                raise
            short = letter.beginning(CUT_BYTES)
            place = letter.place.decode()
            logger.warning("%s: %d bytes are too many for a dead letter, it has only the beginning", place, short.cut)
            await self._park(short)

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


def _parked(batch: UnreadableBatch) -> DeadLetter:
    at = batch.partition
    return DeadLetter(
        at.topic, at.partition, batch.offset, Reason.UNREADABLE, batch.why, None, batch.raw, last_offset=batch.last
    )


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
