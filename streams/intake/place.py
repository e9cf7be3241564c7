"""Asks Kafka where intake begins in each partition that it takes over; the rule is `streams.intake.begin`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.contracts.connect import aiokafka_options
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.topics import ACCEPTED_GROUP, VOTES
from streams.intake.begin import Known, RecordsGone, begin
from streams.intake.proof import proven
from streams.log import Log

logger = logging.getLogger(__name__)

PROOF_MARGIN = 2
"""Fetches that are read again where only the ledger says how far they came: of its last one some arenas may be missing,
and the records of one millisecond may make it larger than it should be."""


async def positions_of(
    log: Log,
    partitions: Sequence[TopicPartition],
    first: Mapping[TopicPartition, int],
    settings: Settings,
    metrics: Metrics,
    step: Callable[[], None],
) -> dict[TopicPartition, int]:
    """Offset at which intake begins in each partition.

    Parameters
    ----------
    log, partitions, settings, metrics
        Of the stage.
    first
        Where each log begins.
    step
        Called for every piece of work: a search in a long ledger takes its time.

    Raises
    ------
    AnotherLog, RecordsGone
        As `streams.intake.begin.begin` does.
    """
    votes_topic = settings.topic(VOTES.name)
    commits = await log.commits(partitions)
    end = await log.ends(partitions)
    doubtful = [at for at in partitions if not commits.get(at, (0, False))[1]]
    votes = [at.partition for at in doubtful if at.topic == votes_topic]
    shown = await proven(settings, votes, step) if votes else {}
    accepted: dict[TopicPartition, int] = {}
    ours = {at: offset for at, (offset, is_ours) in commits.items() if is_ours}
    # A commit that is not believed says nothing of what is missing either.
    if any(first[at] > ours.get(at, 0) for at in partitions):
        accepted = await _accepted(settings, partitions)
    positions = {}
    metrics.gap.clear()  # of a partition that is another's by now, that one tells
    for at in partitions:
        commit, is_ours = commits.get(at, (None, False))
        place = f"{at.topic.removeprefix(settings.topic_prefix)}/{at.partition}"
        # Of `models` the ledger shows less, and it is short: it is read from its start.
        shows = shown.get(at.partition) if at.topic == votes_topic else None
        known = Known(place, first[at], end[at], commit, is_ours, shows, accepted.get(at, 0))
        gap = metrics.gap.labels(*place.split("/"))
        try:
            positions[at] = begin(known, PROOF_MARGIN * settings.fetch_records)
            gap.set(0)
        except RecordsGone as error:
            gap.set(error.missing)
            raise
        if commit is None and shows is None and first[at] > 0:
            logger.warning(
                "%s was never read and begins at offset %d: what was before is not counted", place, first[at]
            )
        # One that passes over nothing is no news.
        if commit is not None and not is_ours and at.topic == votes_topic and commit > (shows or first[at]):
            metrics.foreign_commits.inc()
            logger.warning(
                "%s: the group's commit at %d is not one of ours and is not believed; intake goes on from %d, up to"
                " where the ledger shows the votes to be counted",
                place, commit, positions[at],
            )  # fmt: skip
    return positions


async def _accepted(settings: Settings, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Up to which offsets an operator has accepted that records are missing."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings), client_id="isonomy-intake-accepted")
    await admin.start()
    try:
        group = settings.group(ACCEPTED_GROUP)
        found = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    finally:
        await admin.close()
    return {at: known.offset for at, known in found.items()}
