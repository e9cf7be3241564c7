"""`isonomy intake`: show what intake has read of each partition, and accept missing records. With kafka-python."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import click
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from services.cli.admission import require_kafka
from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from streams.contracts.connect import kafka_python_options
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import ACCEPTED_GROUP, INTAKE_GROUP, MODELS, VOTES
from streams.kafka.clients import mark_of
from streams.kafka.end_offsets import EndsUnknown, ask_commits, ask_ends, ask_firsts, partitions_of_topic

ACCEPTED = "an operator accepted that records before this offset are missing"


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far intake has read a partition; None where unknown.

    `missing` counts records that intake never took and that are no longer in the log, according to the group's commit.
    It is None if the commit was not written by intake: then only the ledger shows what was taken.
    """

    topic: str
    partition: int
    first: int
    end: int
    committed: int | None
    ours: bool
    accepted: int | None
    missing: int | None


@click.group("intake")
def command() -> None:
    """Show what intake has read of `votes` and `models`, and let it continue past lost records."""


@command.command("show")
@format_option
def show(form: str) -> None:
    """Show for each partition what the log holds, what is committed and by whom, and what is missing."""
    settings = read_settings()
    require_kafka(settings.kafka)
    readings = read(settings.kafka)
    if form == "json":
        click.echo(json.dumps([asdict(reading) for reading in readings]))
        return
    click.echo(f"{'partition':24}{'log holds':>24}{'committed':>14}{'missing':>10}")
    for each in readings:
        place, holds = f"{each.topic}/{each.partition}", f"{each.first} to {each.end}"
        committed = "nothing" if each.committed is None else f"{each.committed}{'' if each.ours else ' (not ours)'}"
        missing = "unknown" if each.missing is None else f"{each.missing}"
        accepted = "" if each.accepted is None else f"   accepted up to {each.accepted}"
        click.echo(f"{place:24}{holds:>24}{committed:>14}{missing:>10}{accepted}")


@command.command("accept-gap")
@click.argument("place", metavar="TOPIC/PARTITION")
@click.option("--up-to", "offset", type=click.IntRange(min=1), required=True, help="First offset that intake may use.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept_gap(place: str, offset: int, yes: bool) -> None:
    """Let intake continue although records of a partition are gone that it never read; its log says when to use this.

    Records that are still in the log are read as usual. The topic is named without its prefix, e.g. votes/2.
    """
    topic, _, number = place.rpartition("/")
    if topic not in (VOTES.name, MODELS.name) or not (number.isascii() and number.isdecimal()):
        raise click.BadParameter(f"{place!r} is not votes/N or models/N", param_hint="TOPIC/PARTITION")
    settings = read_settings()
    require_kafka(settings.kafka)
    found = [each for each in read(settings.kafka) if (each.topic, each.partition) == (topic, int(number))]
    if not found:
        raise UserError(f"there is no partition {place}")
    if offset > found[0].first:
        raise UserError(
            f"{place} begins at {found[0].first}: nothing after that is missing, so there is nothing to accept up to"
            f" {offset}"
        )
    if not yes:
        click.confirm(f"Records of {place} before offset {offset} will never be counted. Accept?", abort=True)
    at = TopicPartition(settings.kafka.topic(topic), int(number))
    try:
        consumer = KafkaConsumer(
            **kafka_python_options(settings.kafka),
            group_id=settings.kafka.group(ACCEPTED_GROUP),
            enable_auto_commit=False,
        )
        try:
            consumer.assign([at])
            consumer.commit({at: OffsetAndMetadata(offset, ACCEPTED, -1)})
        finally:
            consumer.close()
    except KafkaError as error:
        raise UserError(f"Kafka at {settings.kafka.bootstrap} did not accept the commit: {error}") from None
    click.echo(f"accepted: intake continues with {place} at offset {offset} at its next check")


def read(settings: KafkaSettings) -> list[PartitionProgress]:
    """Read the progress of every partition that intake reads from Kafka; raises `UserError`."""
    options = kafka_python_options(settings)
    try:
        consumer = KafkaConsumer(**options, group_id=None, enable_auto_commit=False, isolation_level="read_committed")
        admin = KafkaAdminClient(**options)
        try:
            partitions = [
                at for topic in (VOTES, MODELS) for at in partitions_of_topic(consumer, settings.topic(topic.name))
            ]
            if not partitions:
                raise UserError("the topics do not exist: `isonomy topics` creates them")
            first, ends = ask_firsts(consumer, partitions), ask_ends(consumer, partitions)
            committed = ask_commits(admin, settings.group(INTAKE_GROUP), partitions)
            accepted = ask_commits(admin, settings.group(ACCEPTED_GROUP), partitions)
        finally:
            consumer.close()
            admin.close()
    except (KafkaError, EndsUnknown, OSError) as error:
        raise UserError(f"Kafka at {settings.bootstrap} cannot be reached: {error}") from None
    readings = []
    for at in partitions:
        commit, accept = committed.get(at), accepted.get(at)
        ours = commit is not None and commit.metadata == mark_of(at, commit.offset)
        reached = max(commit.offset if commit else 0, accept.offset if accept else 0)
        readings.append(
            PartitionProgress(
                topic=at.topic.removeprefix(settings.topic_prefix),
                partition=at.partition,
                first=first[at],
                end=ends[at],
                committed=commit.offset if commit else None,
                ours=ours,
                accepted=accept.offset if accept else None,
                missing=max(0, first[at] - reached) if ours else None,
            )
        )
    return readings
