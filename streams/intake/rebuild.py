"""Rebuilds the id memory of votes partitions: reads the window before each position again and writes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import numpy as np
from aiokafka import TopicPartition

from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import IntakeSettings
from streams.intake.accept import PartitionMemory, remember
from streams.intake.decode import decode
from streams.intake.dedup import SeenIds
from streams.intake.records import read
from streams.intake.reject_limit import Refusals
from streams.kafka.consumer import Log

logger = logging.getLogger(__name__)

TELL_SECONDS = 10.0
"""Seconds between progress messages of a long rebuild."""


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
