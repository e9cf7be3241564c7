"""What processes do before they begin: they create nothing, refuse topics that lose data, and wait for Kafka."""

import asyncio
import json
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError as KafkaPythonError

from services.local.ports import HOST
from services.local.process import ChildProcess
from streams.contracts.connect import aiokafka_options, kafka_python_options
from streams.contracts.groups import refusal_of_group
from streams.contracts.topics import ALERTS, DEAD_LETTERS, HERALD_GROUP, INTAKE_GROUP, LEDGER, MODELS, TOPICS, VOTES
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess
from tests.support.http import PLAIN
from tests.support.kafka_jars import kafka_version
from tests.support.pipeline import REPOSITORY, Pipeline, encode, make_votes
from tests.support.stack import TestBroker, make_broker
from tests.support.topics import admin, create_topic

pytestmark = pytest.mark.integration


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[TestBroker]:
    """A broker of this test alone, not started yet."""
    made = make_broker(tmp_path / "own")
    yield made
    if made.server is not None:
        made.server.terminate()


def existing(bootstrap: str, prefix: str) -> set[str]:
    with admin(bootstrap) as client:
        return {name for name in client.list_topics() if name.startswith(prefix)}


def sentence(pipeline: Pipeline, *command: str) -> str:
    """What a command says that refuses to begin: one sentence, exit code 1, no stack trace."""
    done = pipeline.isonomy(*command, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return said


def process(pipeline: Pipeline, *command: str, **environ: str) -> ChildProcess:
    argv = [sys.executable, "-m", "services.cli.main", *command]
    log = pipeline.directory / f"{command[0]}.log"
    return ForkedProcess(command[0], argv, log_path=log, env={**pipeline.environment, **environ}, cwd=REPOSITORY)


# --- nothing is created -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["worker", "--port", "0"],
        ["gateway", "--port", "0"],
        ["board", "--port", "0"],
        ["herald", "--port", "0"],
        ["replay", "votes.jsonl"],
        ["replay", "votes.jsonl", "--follow"],
        ["simulate", "healthy", "--kafka", "--now"],
        ["dead-letters", "list"],
        ["dead-letters", "redrive", "--yes"],
        ["rebuild"],
    ],
    ids=" ".join,
)
def test_what_is_started_before_the_topics_exist_ends_with_a_sentence_and_creates_none(
    pipeline: Pipeline, tmp_path: Path, command: list[str]
) -> None:
    votes = tmp_path / "votes.jsonl"
    votes.write_bytes(encode(make_votes(1)[0]))
    said = sentence(pipeline, *(str(votes) if word == "votes.jsonl" else word for word in command))
    assert re.search(r"do(es)? not exist: `isonomy topics` creates (it|them)", said), said
    assert existing(pipeline.bootstrap, pipeline.topic_prefix) == set()


async def test_no_client_of_ours_has_a_topic_created_that_it_names(pipeline: Pipeline) -> None:
    """Also while it runs: a topic that is deleted stays deleted, instead of coming back with the broker's settings."""
    settings = pipeline.settings
    options = {**aiokafka_options(settings.kafka), "request_timeout_ms": 2_000}
    consumer = AIOKafkaConsumer(settings.kafka.topic("read"), **options, group_id=settings.kafka.group("any"))
    with pytest.raises(KafkaError):
        await consumer.start()
    await consumer.stop()
    async with AIOKafkaProducer(**options) as producer:
        with pytest.raises(KafkaError):
            await producer.send_and_wait(settings.kafka.topic("written"), b"x")

    def with_kafka_python() -> None:
        reader = KafkaConsumer(**kafka_python_options(settings.kafka), group_id=None)
        reader.subscribe([settings.kafka.topic("subscribed")])
        reader.poll(timeout_ms=1_000)
        reader.close()
        writer = KafkaProducer(**kafka_python_options(settings.kafka), max_block_ms=2_000)
        with pytest.raises(KafkaPythonError):
            writer.send(settings.kafka.topic("sent"), b"x").get(timeout=5)
        writer.close()

    await asyncio.to_thread(with_kafka_python)
    assert existing(pipeline.bootstrap, pipeline.topic_prefix) == set()


def test_the_broker_does_create_what_other_clients_name(broker: TestBroker, pipeline: Pipeline) -> None:
    """Or the test above would say nothing."""
    if broker.kind != "kafka":
        pytest.skip("the embedded broker creates in another way: make test-kafka")
    script = (
        "import sys; from kafka import KafkaProducer; p = KafkaProducer(bootstrap_servers=sys.argv[1]);"
        "p.send(sys.argv[2], b'x').get(timeout=30); p.close()"
    )
    named = pipeline.settings.kafka.topic("named")
    subprocess.run([sys.executable, "-c", script, pipeline.bootstrap, named], check=True, timeout=60)
    assert existing(pipeline.bootstrap, pipeline.topic_prefix) == {named}


# --- nothing runs on what loses data ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "config", "commands"),
    [
        (LEDGER, {"retention.ms": "604800000"}, ["worker", "rebuild"]),
        (VOTES, {"message.timestamp.type": "CreateTime"}, ["worker", "gateway"]),
        (VOTES, {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"}, ["worker", "gateway"]),
        (ALERTS, {"cleanup.policy": "delete", "retention.ms": "604800000"}, ["worker", "board", "herald"]),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else None,
)
def test_a_topic_that_would_lose_data_is_refused_in_a_sentence(
    pipeline: Pipeline, topic: object, config: dict[str, str], commands: list[str]
) -> None:
    name = pipeline.settings.kafka.topic(topic.name)  # type: ignore[attr-defined]  # of TOPICS
    create_topic(pipeline.bootstrap, name, partitions=topic.partitions, settings=config)  # type: ignore[attr-defined]
    pipeline.isonomy("topics", check=False)  # the others
    for command in commands:
        said = sentence(pipeline, command)
        assert f"data would be lost: {name}: " in said
        assert "`isonomy topics --repair`" in said
    assert f"topic {name} would lose data" in sentence(pipeline, "up", "--directory", str(pipeline.directory / "up"))


def test_differences_are_named_repaired_where_a_setting_can_and_then_gone(pipeline: Pipeline) -> None:
    settings = pipeline.settings
    create_topic(
        pipeline.bootstrap, settings.kafka.topic(LEDGER.name), partitions=2, settings={"retention.ms": "604800000"}
    )
    create_topic(
        pipeline.bootstrap, settings.kafka.topic(VOTES.name), partitions=4, settings={"retention.ms": "86400000"}
    )
    differs = pipeline.isonomy("topics", check=False)
    assert differs.returncode == 1  # without --check, too
    assert "retention.ms is 604800000, must be -1" in differs.stdout
    assert "shorter than the horizon of deduplication (7 days" in differs.stdout
    mended = pipeline.isonomy("topics", "--repair", "--format", "json", check=False)
    ledger, votes = (settings.kafka.topic(topic.name) for topic in (LEDGER, VOTES))
    repaired = {topic["topic"]: topic["repaired"] for topic in json.loads(mended.stdout)}
    assert "retention.ms set to -1" in repaired[ledger]
    assert "retention.ms set to 2592000000" in repaired[votes]
    # What would move arenas is not touched.
    assert mended.returncode == 1

    def mended_and_known() -> dict[str, Any] | None:
        """The topics, once nothing is left to repair: a busy broker reports the old settings for a moment."""
        told = json.loads(pipeline.isonomy("topics", "--repair", "--format", "json", check=False).stdout)
        return None if any(topic["repaired"] for topic in told) else {topic["topic"]: topic for topic in told}

    found = eventually(mended_and_known, deadline=60)
    assert len(found) == len(TOPICS)
    assert found[votes]["state"] == "ok"
    assert (found[ledger]["state"], found[ledger]["partitions"]) == ("differs", 2)
    (difference,) = found[ledger]["differences"]
    assert "would move arenas" in difference


def test_topics_as_they_must_be_end_with_0(pipeline: Pipeline) -> None:
    assert pipeline.isonomy("topics").returncode == 0
    assert pipeline.isonomy("topics", "--repair").stdout.count(" ok ") == len(TOPICS)


# --- a Kafka that is away is waited for -------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_waits_for_a_kafka_that_is_away_and_ends_cleanly_meanwhile(
    pipeline: Pipeline, own_broker: TestBroker, sent: signal.Signals
) -> None:
    pipeline.bootstrap = own_broker.bootstrap
    with process(pipeline, "worker", "--port", "0") as worker:
        eventually(lambda: "waiting for it" in worker.log_path.read_text(), deadline=60)
        worker.send(sent)
        assert worker.wait(30) == 0
    assert "Traceback" not in worker.log_path.read_text()


def test_a_worker_that_waited_begins_when_kafka_comes_and_any_port_is_told(
    pipeline: Pipeline, own_broker: TestBroker
) -> None:
    pipeline.bootstrap = own_broker.bootstrap
    own_broker.owned().start()
    pipeline.create_topics()
    own_broker.owned().process.freeze()
    with process(pipeline, "worker", "--port", "0", "--stages", "ratings") as worker:
        eventually(lambda: "waiting for it" in worker.log_path.read_text(), deadline=60)
        own_broker.owned().process.thaw()
        told = eventually(lambda: re.search(r"readiness at (http://\S+)", worker.log_path.read_text()), deadline=60)
        assert eventually(lambda: answers(f"{told[1]}/healthz"), deadline=60)
        worker.terminate(30)
        assert worker.poll() == 0


@pytest.mark.parametrize("command", ["gateway", "board", "herald"])
def test_any_port_is_served_and_told(pipeline: Pipeline, command: str) -> None:
    pipeline.create_topics()
    with process(pipeline, command, "--port", "0") as server:
        running = rf"running on (http://{HOST}:\d+)"
        told = eventually(lambda: re.search(running, server.log_path.read_text()), deadline=60)
        assert eventually(lambda: answers(f"{told[1]}/healthz"), deadline=30)
        server.terminate(30)
        assert server.poll() == 0


def test_a_gateway_that_began_without_kafka_ends_when_its_topics_would_lose_data(
    pipeline: Pipeline, own_broker: TestBroker
) -> None:
    pipeline.bootstrap = own_broker.bootstrap
    votes, models = pipeline.settings.kafka.topic(VOTES.name), pipeline.settings.kafka.topic(MODELS.name)
    with process(pipeline, "gateway", "--port", "0") as gateway:
        eventually(lambda: "running on" in gateway.log_path.read_text(), deadline=60)
        own_broker.owned().start()
        eventually(lambda: "Kafka answers" in gateway.log_path.read_text(), deadline=30)
        create_topic(own_broker.bootstrap, votes, settings={"message.timestamp.type": "CreateTime"})
        assert gateway.poll() is None  # for topics that are missing it waits
        create_topic(own_broker.bootstrap, models)
        assert gateway.wait(60) == 1
    log = gateway.log_path.read_text()
    assert "Error: data would be lost" in log
    assert "Traceback" not in log


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, **PLAIN).status_code == 200
    except httpx.TransportError:
        return False


# --- the protocol of consumer groups ----------------------------------------------------------------------------------


def test_a_group_of_the_new_protocol_is_refused_until_it_is_empty(broker: TestBroker, pipeline: Pipeline) -> None:
    if broker.kind != "kafka":
        pytest.skip("the embedded broker knows no group of the new protocol: make test-kafka")
    if kafka_version().startswith("3."):
        pytest.skip("Kafka 3.9 has the new protocol as a preview that is off: it refuses such members itself")
    pipeline.create_topics()
    for group, command in ((INTAKE_GROUP, "worker"), (HERALD_GROUP, "herald")):
        name = pipeline.settings.kafka.group(group)
        member = eventually(lambda name=name: heartbeat(pipeline, name, "", 0), deadline=60)
        assert refusal_of_group(name, "consumer", "Stable") in sentence(pipeline, command)
        heartbeat(pipeline, name, member, -1)
    worker = pipeline.worker().start().wait_ready()  # Kafka makes a classic group of it
    assert worker.partitions(VOTES.name) == {0, 1, 2, 3}
    assert worker.stop() == 0


def heartbeat(pipeline: Pipeline, group: str, member: str, epoch: int) -> str | None:
    """Join a group by the new protocol (epoch 0) or leave it (-1), by ConsumerGroupHeartbeat of version 0 (KIP-848).

    None of the clients we use can. Returns the member's id; None while the group has no coordinator.
    """

    def compact(text: str) -> bytes:
        return bytes([len(text.encode()) + 1]) + text.encode()

    with admin(pipeline.bootstrap) as client:
        client.list_group_offsets({group: []})  # has the broker make the topic of the groups
    topics = b"\x02" + compact(pipeline.settings.kafka.topic(DEAD_LETTERS.name))
    body = compact(group) + compact(member) + struct.pack(">i", epoch) + b"\x00\x00" + struct.pack(">i", 60_000)
    body += topics + b"\x00" + b"\x01" + b"\x00"
    head = struct.pack(">hhih", 68, 0, 1, -1) + b"\x00"
    host, port = pipeline.bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection, connection.makefile("rb") as answer:
        connection.sendall(struct.pack(">i", len(head + body)) + head + body)
        (size,) = struct.unpack(">i", answer.read(4))
        payload = answer.read(size)
    # Correlation id, tags, throttle time, error code, error message, member id.
    (error,) = struct.unpack_from(">h", payload, 9)
    if error in {14, 15, 16}:  # the coordinator loads, is not available, is another
        return None
    assert error == 0, payload
    at = 11 + max(1, payload[11])
    return payload[at + 1 : at + payload[at]].decode()
