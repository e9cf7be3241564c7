"""Actions of operators and other writers: reset offsets, configure topics, write transactions."""

from __future__ import annotations

from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec

from streams.contracts.topics import ALERTS, INTAKE_GROUP, LEDGER, MODELS, VOTES
from tests.crash.faults.catalogue import Need, fault, mends
from tests.crash.scene import Scene
from tests.crash.transactions import transact
from tests.support.topics import admin


@fault("intake_earliest", "the offsets of intake are reset to earliest while it is down", seconds=12.0)
def _intake_earliest(scene: Scene) -> None:
    names = scene.running("intake")
    scene.hold(*names)
    with admin(scene.pipeline.bootstrap) as client:
        client.reset_group_offsets(_group(scene), dict.fromkeys(_partitions(scene), OffsetSpec.EARLIEST))
    scene.log.say("reset the group of intake to earliest")
    scene.release(*names)


@fault("intake_latest", "the offsets of intake are reset to latest, and put back after 15 s", seconds=30.0)
def _intake_latest(scene: Scene) -> None:
    """There are votes between the commit and the end: an intake that trusts any commit loses them for good."""
    names = scene.running("intake")
    scene.hold(*names)
    scene.watch(4.0)
    with admin(scene.pipeline.bootstrap) as client:
        committed = client.list_group_offsets([_group(scene)])[_group(scene)]
        client.reset_group_offsets(_group(scene), dict.fromkeys(_partitions(scene), OffsetSpec.LATEST))
    scene.log.say("reset the group of intake to latest")
    scene.release(*names)
    scene.watch(15.0)
    scene.hold(*names)
    with admin(scene.pipeline.bootstrap) as client:
        client.alter_group_offsets(_group(scene), {each: committed[each] for each in _partitions(scene)})
    scene.log.say("put the group of intake back")
    scene.release(*names)


@fault(
    "transactions",
    "votes in transactions, committed, aborted and open for 8 s, beside the others",
    need=Need.KAFKA,
    seconds=10.0,
)
def _transactions(scene: Scene) -> None:
    transact(scene)


CODECS = ("zstd", "lz4", "snappy", "gzip")


@fault("compression", "`compression.type` of a topic is set to zstd, lz4, snappy or gzip for 8 s", seconds=8.0)
def _compression(scene: Scene) -> None:
    topic, codec = scene.rng.choice((VOTES.name, LEDGER.name, MODELS.name, ALERTS.name)), scene.rng.choice(CODECS)
    _configure(scene, topic, "compression.type", codec)
    scene.log.say(f"{topic} is compressed with {codec}")
    scene.watch(8.0)


@mends("compression")
def _as_produced(scene: Scene) -> None:
    for topic in (VOTES.name, LEDGER.name, MODELS.name, ALERTS.name):
        _configure(scene, topic, "compression.type", "producer")


def _configure(scene: Scene, topic: str, name: str, value: str) -> None:
    resource = ConfigResource(
        ConfigResourceType.TOPIC, scene.pipeline.settings.kafka.topic(topic), configs={name: value}
    )
    with admin(scene.pipeline.bootstrap) as client:
        client.alter_configs([resource])


def _group(scene: Scene) -> str:
    return scene.pipeline.settings.kafka.group(INTAKE_GROUP)


def _partitions(scene: Scene) -> list[Any]:
    return [
        TopicPartition(scene.pipeline.settings.kafka.topic(VOTES.name), number) for number in range(VOTES.partitions)
    ]
