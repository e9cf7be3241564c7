"""`isonomy topics`: create the topics, compare them with the required settings, and repair them. With kafka-python."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

import click
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from services.cli.admission import require_kafka
from services.cli.common import format_option, read_settings
from services.cli.errors import KafkaAway, UserError
from streams.contracts.connect import kafka_python_options
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER, TOPICS, Finding, Found, Topic, Weight, Wish, config_of, judge

log = logging.getLogger(__name__)

ANSWER_MS = 10_000
FIRST_MS = 3_000

Configs = dict[str, dict[str, str | None]]
"""What kafka-python answers of a topic: the fields of each setting, `value` among them."""


@dataclass(frozen=True, slots=True)
class TopicCheck:
    """One topic as found: `state` is created, ok, missing or differs.

    `differences` lists how it differs, `loses` is whether a difference loses data, `warnings` lists what may be
    intended, and `repaired` what was altered.
    """

    topic: str
    state: str
    partitions: int
    differences: list[str] = field(default_factory=list)
    loses: bool = False
    warnings: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether the topic is as required."""
        return self.state in {"ok", "created"}


@contextmanager
def admin_of(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """Connect an admin client to Kafka; raises `KafkaAway`, or `UserError` if Kafka refuses."""
    try:
        client = KafkaAdminClient(
            **kafka_python_options(settings),
            client_id="isonomy-topics",
            request_timeout_ms=ANSWER_MS,
            bootstrap_timeout_ms=ANSWER_MS,
        )
    except (KafkaError, OSError) as error:
        raise KafkaAway(f"Kafka at {settings.bootstrap} cannot be reached: {error}") from error
    try:
        yield client
    except KafkaError as error:
        if error.retriable:
            raise KafkaAway(f"Kafka at {settings.bootstrap} does not answer: {error}") from error
        raise UserError(f"Kafka at {settings.bootstrap} refused: {error}") from error
    finally:
        client.close()


def wish_of(settings: Settings) -> Wish:
    """Return what the settings require of topics."""
    return Wish(settings.kafka.replication, settings.intake.dedup_seconds)


def ensure_topics(
    settings: Settings, *, create: bool, partitions: dict[str, int] | None = None, repair: bool = False
) -> list[TopicCheck]:
    """Create missing topics and compare all topics with what they must be.

    Parameters
    ----------
    create
        Whether to create missing topics.
    partitions
        Numbers of partitions by topic name, instead of the defaults.
    repair
        Whether to alter settings that differ. Partitions and replicas are left as they are.
    """
    wish = wish_of(settings)
    wanted = {settings.kafka.topic(topic.name): topic for topic in TOPICS}
    counts = {name: (partitions or {}).get(topic.name, topic.partitions) for name, topic in wanted.items()}
    with admin_of(settings.kafka) as admin:
        present = set(admin.list_topics())
        missing = [name for name in wanted if name not in present]
        if create and missing:
            _create(admin, {name: (wanted[name], counts[name]) for name in missing}, wish)
        names = [name for name in wanted if create or name in present]
        ledger = settings.kafka.topic(LEDGER.name)

        def look() -> dict[str, list[Finding]]:
            found.update(describe(admin, names))
            if ledger in names:
                found[ledger] = replace(found[ledger], first=begins_at(admin, ledger, found[ledger].partitions))
            return {name: judge(wanted[name], found[name], wish, counts[name]) for name in names}

        found: dict[str, Found] = {}
        findings = look()
        repaired: dict[str, list[str]] = {}
        if repair:
            repaired = {name: _repair(admin, name, findings[name]) for name in names}
            findings = look()
    return [_check(name, name in missing, found.get(name), findings, repaired) for name in wanted]


def _create(admin: KafkaAdminClient, topics: dict[str, tuple[Topic, int]], wish: Wish) -> None:
    admin.create_topics(
        {
            name: {
                "num_partitions": partitions,
                "replication_factor": wish.replication,
                "configs": config_of(topic, wish),
            }
            for name, (topic, partitions) in topics.items()
        },
        timeout_ms=ANSWER_MS,
    )
    admin.wait_for_topics(list(topics), timeout_ms=ANSWER_MS)


def describe(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, Found]:
    """Describe existing topics. What the broker does not report to this user stays unknown."""
    if not names:
        return {}
    brokers = len(admin.describe_cluster()["brokers"])
    described = {topic["name"]: topic["partitions"] for topic in admin.describe_topics(list(names))}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs: dict[str, Configs] = admin.describe_configs(resources, config_filter="all").get("topic", {})
    found = {}
    for name in names:
        told = {key: of["value"] for key, of in configs.get(name, {}).items() if of["value"] is not None}
        replicas = min((len(each["replica_nodes"]) for each in described[name]), default=None)
        found[name] = Found(len(described[name]), told, replicas, brokers)
    return found


def begins_at(admin: KafkaAdminClient, topic: str, partitions: int) -> int | None:
    """Return the highest start offset of the partitions; None if a partition has no leader to report it."""
    earliest = {TopicPartition(topic, number): OffsetSpec.EARLIEST for number in range(partitions)}
    try:
        found = admin.list_partition_offsets(earliest, timeout_ms=FIRST_MS)
    except KafkaError as error:
        log.info("the first offset of %s is unknown: %s", topic, error)
        return None
    return max((each.offset for each in found.values()), default=None)


def _repair(admin: KafkaAdminClient, name: str, findings: Sequence[Finding]) -> list[str]:
    """Alter all of a topic's differing settings, or none; return the result as text."""
    changes = dict(finding.repair for finding in findings if finding.repair is not None)
    if not changes:
        return []
    resource = ConfigResource(ConfigResourceType.TOPIC, name, dict(changes))
    answer = admin.alter_configs([resource], raise_on_unknown=False).get("topic", {}).get(name, "no answer")
    if answer != "OK":
        return [f"Kafka does not alter {', '.join(changes)}: {answer}"]
    return [f"{key} set to {value}" for key, value in changes.items()]


def _check(
    name: str,
    created: bool,
    found: Found | None,
    findings: dict[str, list[Finding]],
    repaired: dict[str, list[str]],
) -> TopicCheck:
    if found is None:
        return TopicCheck(name, "missing", 0)
    differences = [each.text for each in findings[name] if each.weight is not Weight.DOUBTFUL]
    warnings = [each.text for each in findings[name] if each.weight is Weight.DOUBTFUL]
    state = "differs" if differences else "created" if created else "ok"
    loses = any(each.weight is Weight.LOSES for each in findings[name])
    return TopicCheck(name, state, found.partitions, differences, loses, warnings, repaired.get(name, []))


@click.command("topics")
@click.option("--check", is_flag=True, help="Only check: create nothing.")
@click.option("--repair", is_flag=True, help="Change the settings that differ; partitions and replicas stay.")
@click.option(
    "--partitions", metavar="TOPIC=N", multiple=True, help="Partitions of a topic that is created, e.g. votes=12."
)
@format_option
def command(check: bool, repair: bool, partitions: tuple[str, ...], form: str) -> None:
    """Create missing topics, and compare the others with the required settings.

    Exit code 1 when a topic is still missing or different at the end.
    """
    if check and repair:
        raise click.UsageError("--check changes nothing: leave out --check or --repair")
    counts = _read_partitions(partitions)
    settings = read_settings()
    require_kafka(settings.kafka)
    found = ensure_topics(settings, create=not check, partitions=counts, repair=repair)
    if form == "json":
        click.echo(json.dumps([asdict(topic) for topic in found]))
    else:
        for topic in found:
            click.echo(f"{topic.topic:32} {topic.state:8} {topic.partitions:3} partitions")
            for line in (*topic.repaired, *topic.differences, *(f"warning: {text}" for text in topic.warnings)):
                click.echo(f"{'':32} {line}")
    if not all(topic.right for topic in found):
        raise SystemExit(1)


def _read_partitions(pairs: tuple[str, ...]) -> dict[str, int]:
    known = {topic.name: topic for topic in TOPICS}
    partitions = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in known or not number.isdecimal() or int(number) < 1:
            raise click.BadParameter(
                f"{pair!r} is not TOPIC=N, of {', '.join(sorted(known))}", param_hint="--partitions"
            )
        if known[name].single and int(number) > 1:
            raise click.BadParameter(f"{name} must have 1: {known[name].single}", param_hint="--partitions")
        partitions[name] = int(number)
    return partitions
