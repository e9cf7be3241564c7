"""What intake needs before it reads partitions that it takes over: where it starts, and the id memory before that.

The rule for the start is `streams.intake.begin`; here Kafka is asked what the rule must know. The memory is rebuilt
from the window before the start, which is read again; nothing is written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.contracts.connect import aiokafka_options
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import IntakeSettings, KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.topics import ACCEPTED_GROUP, VOTES
from streams.intake.accept import PartitionMemory, remember
from streams.intake.begin import KnownOffsets, RecordsGone, begin
from streams.intake.decode import decode
from streams.intake.dedup import SeenIds
from streams.intake.proof import LedgerProgress, Proof
from streams.intake.records import read
from streams.intake.reject_limit import Refusals
from streams.kafka.consumer import Log

logger = logging.getLogger(__name__)

PROOF_MARGIN = 3
"""Records to read again, in fetches, where only the ledger shows how far the partition was read.

The blocks of one write are sent concurrently, and each names the write's end. So a stored block does not prove that
the other blocks of its write are stored. But no block names an end more than one write's records beyond the first
missing vote: its writer, even a process that was replaced, started at that vote or before (at a commit of its own, or
by this rule), and had one write under way, after everything before it was acknowledged.

From one partition, a write holds at most one fetch of held-back records and two fetches on top, because the records of
one millisecond are never split (`IntakeStage`). The margin counts records, not offsets: aborted records and a
transaction's marker take offsets, but a fetch does not return them.
"""
TELL_SECONDS = 10.0
"""Seconds between progress messages of a long rebuild."""


async def positions_of(
    log: Log,
    partitions: Sequence[TopicPartition],
    settings: Settings,
    metrics: Metrics,
    proof: Proof,
    step: Callable[[], None],
) -> dict[TopicPartition, int]:
    """Return the offset at which intake starts in each partition.

    Parameters
    ----------
    log, partitions, settings, metrics
        Of the stage.
    proof
        A search that a rebalance may have interrupted; the caller replaces it when this has returned.
    step
        Called for every piece of work: a search in a long ledger takes long.

    Raises
    ------
    AnotherLog, RecordsGone
        As `streams.intake.begin.begin` does.
    Rebalanced
        When the group moves partitions meanwhile.
    """

    def give_way() -> None:
        step()
        log.give_way()

    commits = await log.commits(partitions)
    names = {at: f"{at.topic.removeprefix(settings.kafka.topic_prefix)}/{at.partition}" for at in partitions}
    doubtful = [names[at] for at in partitions if not commits.get(at, (0, False))[1]]
    shown = await proof.search(settings.kafka, doubtful, give_way) if doubtful else {}
    # Ask for offsets last: during the search another owner may have written votes newer than an earlier answer, and
    # retention may have deleted records.
    first = await log.consumer.beginning_offsets(partitions)
    end = await log.ends(partitions)
    ours = {at: offset for at, (offset, is_ours) in commits.items() if is_ours}
    # A commit that intake does not trust says nothing about missing records either.
    cut = any(first[at] > ours.get(at, 0) for at in partitions)
    accepted = await _accepted(settings.kafka, partitions) if cut else {}
    positions: dict[TopicPartition, int] = {}
    foreign: dict[TopicPartition, int] = {}
    metrics.gap.clear()  # the new owner of a partition reports its gap
    for at in partitions:
        commit, is_ours = commits.get(at, (None, False))
        of_votes = at.topic == settings.kafka.topic(VOTES.name)
        proven, whole, other = None, 0, None
        if seen := shown.get(names[at]):
            # `models` is short, and its refused records left no notice in the ledger: read it from its start.
            proven, margin = seen.end, PROOF_MARGIN * settings.intake.fetch_records if of_votes else seen.end
            whole, other = await _look_back(log, at, seen, first[at], end[at], margin, give_way)
        known = KnownOffsets(names[at], first[at], end[at], commit, is_ours, proven, whole, other, accepted.get(at, 0))
        positions[at] = _begin(known, metrics)
        # A foreign commit that skips no records needs no warning.
        if commit is not None and not is_ours and of_votes and commit > (proven or first[at]):
            foreign[at] = commit
    for at, commit in foreign.items():  # only now: a rebalance above makes the take-over start over
        metrics.foreign_commits.inc()
        logger.warning(
            "%s: intake did not write the group's commit at %d and ignores it; it continues from %d, up to which the"
            " ledger has the votes",
            names[at], commit, positions[at],
        )  # fmt: skip
    return positions


def _begin(known: KnownOffsets, metrics: Metrics) -> int:
    gap = metrics.gap.labels(*known.place.split("/"))
    try:
        position = begin(known)
    except RecordsGone as error:
        gap.set(error.missing)
        raise
    gap.set(0)
    if known.commit is None and known.proven is None and known.first > 0:
        logger.warning(
            "%s was never read and begins at offset %d: earlier records are not counted", known.place, known.first
        )
    return position


async def _look_back(
    log: Log,
    at: TopicPartition,
    shown: LedgerProgress,
    first: int,
    end: int,
    margin: int,
    step: Callable[[], None],
) -> tuple[int, int | None]:
    """Return `whole` and `other` of `KnownOffsets`: the offset before which the ledger is complete, one that differs.

    A topic that was recreated, or restored from an older state, has other record times: the broker sets them. A record
    that the ledger names may be gone from the log, by retention or compaction, so several are compared.
    """
    start = min(shown.end, end)
    named = {offset for offset in shown.records if first <= offset < start}
    span, count, compared, other = margin, 0, False, None
    while start > first and (count < margin or (not compared and any(offset < start for offset in named))):
        below, start = start, max(first, start - span)
        span *= 2
        log.seek(at, start)
        while log.reached[at] < below:
            for record in (await log.fetch(at, timeout_ms=200, max_records=margin)).get(at, ()):
                count += record.offset < below
                if record.offset in named:
                    compared = True
                    # The oldest message format has no timestamp.
                    if shown.records[record.offset] != (-1 if record.timestamp is None else record.timestamp):
                        other = record.offset
            step()
            await asyncio.sleep(0)  # heartbeats
    log.unreadable.clear()  # the stage meets these batches again as it reads on
    if not compared:
        logger.warning(
            "%s/%d no longer has a record to which the end of the ledger refers: only its length can show whether it"
            " is the log that was read before",
            at.topic, at.partition,
        )  # fmt: skip
    return start, other


async def _accepted(settings: KafkaSettings, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offsets up to which an operator has accepted missing records."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings), client_id="isonomy-intake-accepted")
    await admin.start()
    try:
        group = settings.group(ACCEPTED_GROUP)
        found = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    finally:
        await admin.close()
    return {at: known.offset for at, known in found.items()}


async def rebuild(
    log: Log,
    positions: Mapping[TopicPartition, int],
    first: Mapping[TopicPartition, int],
    settings: IntakeSettings,
    metrics: Metrics,
    step: Callable[[], None],
    say: Callable[[str], None],
) -> dict[int, PartitionMemory]:
    """Return the memory of each partition; raises `Rebalanced` when the group moves partitions meanwhile.

    The caller then keeps nothing: a part would look complete.

    Parameters
    ----------
    positions
        Offset of the next record to process, of the partitions to rebuild.
    first
        Offset of the first record in the log.
    step, say
        Called for every piece of work, and with the progress in words, which are empty at the end.
    """
    started, known = time.monotonic(), 0
    tell_at = started + TELL_SECONDS
    rebuilt: dict[int, PartitionMemory] = {}
    pending: dict[TopicPartition, int] = {}
    short: dict[TopicPartition, int] = {}
    for partition, position in positions.items():
        window = max(settings.dedup_records, settings.dead_letter_window, settings.dead_letter_run)
        wanted = max(0, position - window)
        start = max(first[partition], wanted)
        rebuilt[partition.partition] = PartitionMemory(
            SeenIds(settings.dedup_records, settings.dedup_seconds),
            Refusals(settings.dead_letter_run, settings.dead_letter_ratio, settings.dead_letter_window),
            position,
        )
        log.seek(partition, start)
        short[partition] = start - wanted
        if start < position:
            pending[partition] = start
        else:
            _tell_short(partition, short.pop(partition), None, settings, metrics)
    total = sum(positions[at] - start for at, start in pending.items())
    while pending:
        batch = await log.fetch(*pending, timeout_ms=200, max_records=settings.fetch_records)
        for partition, fetched in batch.items():
            records = read(partition.partition, fetched)
            before = records.part(0, int(np.searchsorted(records.offset, positions[partition])))
            if len(before):
                if partition in short:
                    _tell_short(partition, short.pop(partition), int(before.recorded[0]) / 1000, settings, metrics)
                remember(before, decode(before), rebuilt)
                known += len(before)
                step()
            await asyncio.sleep(0)  # let heartbeats run during a long rebuild
        pending = {at: start for at, start in pending.items() if log.reached[at] < positions[at]}
        left = sum(positions[at] - log.reached[at] for at in pending)
        doing = f"rebuilding the id memory, {100 * (total - left) // max(total, 1)} %" if pending else ""
        say(doing)
        if pending and time.monotonic() >= tell_at:
            tell_at = time.monotonic() + TELL_SECONDS
            logger.info("%s", doing)
    log.unreadable.clear()  # these batches were parked when they were first read
    for partition, position in positions.items():
        rebuilt[partition.partition].position = position
    if known:
        logger.info("rebuilt the id memory from %d records in %.1f s", known, time.monotonic() - started)
    return rebuilt


def _tell_short(
    at: TopicPartition, missing: int, began: float | None, settings: IntakeSettings, metrics: Metrics
) -> None:
    """Warn when the log begins inside the horizon: repeats of older ids are not recognised.

    `began` is the record time, in seconds, of the first record left; None when none is left.
    """
    if began is not None and time.time() - began >= settings.dedup_seconds:
        missing = 0  # the missing records are older than the horizon
    metrics.memory_short.labels(str(at.partition)).set(missing)
    if missing:
        logger.warning(
            "%s/%d was shortened: the id memory lacks up to %d records of its horizon, and a vote from before that"
            " is sent again is counted again",
            at.topic, at.partition, missing,
        )  # fmt: skip
