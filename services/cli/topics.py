"""`isonomy topics`: create the topics, or check that they are as they must be. With kafka-python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import click
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from services.cli.admission import require_kafka
from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from streams.contracts.connect import kafka_python_options
from streams.contracts.settings import Settings
from streams.contracts.topics import TOPICS, Topic


@dataclass(frozen=True, slots=True)
class TopicCheck:
    """One topic as found: `state` is created, ok, missing or differs, and `differences` says how."""

    topic: str
    state: str
    partitions: int
    differences: list[str] = field(default_factory=list)


@contextmanager
def admin_of(settings: Settings) -> Iterator[KafkaAdminClient]:
    """Connect to Kafka as an administrator; raises `UserError` when it is away."""
    try:
        client = KafkaAdminClient(
            **kafka_python_options(settings), client_id="isonomy-topics", request_timeout_ms=10_000
        )
    except (KafkaError, OSError) as error:
        raise UserError(f"Kafka at {settings.kafka} cannot be reached: {error}") from error
    try:
        yield client
    except KafkaError as error:
        raise UserError(f"Kafka at {settings.kafka} refused: {error}") from error
    finally:
        client.close()


def ensure_topics(settings: Settings, *, create: bool, partitions: dict[str, int] | None = None) -> list[TopicCheck]:
    """Create what is missing and compare what is there with what it must be.

    Parameters
    ----------
    create
        False only looks.
    partitions
        Numbers of partitions by topic name, instead of the defaults.
    """
    wanted = {settings.topic(topic.name): topic for topic in TOPICS}
    counts = {name: (partitions or {}).get(topic.name, topic.partitions) for name, topic in wanted.items()}
    with admin_of(settings) as admin:
        present = set(admin.list_topics())
        missing = [name for name in wanted if name not in present]
        if create and missing:
            admin.create_topics(
                {
                    name: {
                        "num_partitions": counts[name],
                        "replication_factor": settings.replication,
                        "configs": dict(wanted[name].config),
                    }
                    for name in missing
                },
                timeout_ms=10_000,
            )
        found = _describe(admin, [name for name in wanted if create or name in present])
    return [_check(name, topic, counts[name], missing, found.get(name)) for name, topic in wanted.items()]


def _describe(admin: KafkaAdminClient, names: list[str]) -> dict[str, tuple[int, dict[str, str]]]:
    """Partitions and settings of topics."""
    if not names:
        return {}
    counts = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = admin.describe_configs(resources, config_filter="all")
    configs: dict[str, Any] = answer.get("topic", {})
    return {
        name: (counts.get(name, 0), {key: _value(of) for key, of in configs.get(name, {}).items()}) for name in names
    }


def _value(config: Any) -> str:
    return str(config["value"] if isinstance(config, dict) else config)


def _check(
    name: str, topic: Topic, partitions: int, missing: list[str], found: tuple[int, dict[str, str]] | None
) -> TopicCheck:
    if found is None:
        return TopicCheck(name, "missing", 0)
    count, config = found
    differences = [
        f"{key} is {config[key]}, must be {value}"
        for key, value in topic.config.items()
        if key in config and config[key] != value
    ]
    if count < partitions:
        differences.append(f"{count} partitions, expected {partitions}")
    return TopicCheck(name, "differs" if differences else "created" if name in missing else "ok", count, differences)


@click.command("topics")
@click.option("--check", is_flag=True, help="Only look; exit with 1 when a topic is missing or differs.")
@click.option(
    "--partitions", metavar="TOPIC=N", multiple=True, help="Partitions of a topic that is created, e.g. votes=12."
)
@format_option
def command(check: bool, partitions: tuple[str, ...], form: str) -> None:
    """Create the topics that are missing, and compare the others with what they must be."""
    settings = read_settings()
    require_kafka(settings)
    found = ensure_topics(settings, create=not check, partitions=_read_partitions(partitions))
    if form == "json":
        click.echo(json.dumps([asdict(topic) for topic in found]))
    else:
        for topic in found:
            click.echo(f"{topic.topic:32} {topic.state:8} {topic.partitions:3} partitions")
            for difference in topic.differences:
                click.echo(f"{'':32} {difference}")
    if check and any(topic.state != "ok" for topic in found):
        raise SystemExit(1)


def _read_partitions(pairs: tuple[str, ...]) -> dict[str, int]:
    known = {topic.name for topic in TOPICS}
    partitions = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in known or not number.isdecimal() or int(number) < 1:
            raise click.BadParameter(
                f"{pair!r} is not TOPIC=N, of {', '.join(sorted(known))}", param_hint="--partitions"
            )
        partitions[name] = int(number)
    return partitions
