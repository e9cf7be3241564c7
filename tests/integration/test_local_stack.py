"""The brokers and the Redis of the local stack really start, serve, and come back."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaConsumer, KafkaProducer

from services.local.broker import EmbeddedBroker
from services.local.ports import HOST, free_port
from services.local.process import ChildProcess, StartError
from services.local.redis import PROGRAM, VALKEY, WHEEL, RedisServer, system_binary
from services.local.server import LocalServer
from services.local.supervisor import Supervisor
from services.local.wheels import wheel_program
from services.local.wire import kafka_answers
from tests.support.eventually import eventually, eventually_async
from tests.support.kafka_node import KafkaNode
from tests.support.pipeline import Pipeline
from tests.support.stack import TestBroker, TestRedis
from tests.support.topics import admin, create_topic

pytestmark = pytest.mark.integration

HOUR = 3_600_000
# The embedded broker lets every join of a group last half a session timeout. 6 s is the least that Kafka allows.
# A member that joins before its client has heard of a topic gets nothing of it until the client asks again.
MEMBER = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 500, "metadata_max_age_ms": 1_000}
needs_kafka = pytest.mark.skipif(
    os.environ.get("ISONOMY_TEST_BROKER") != "kafka", reason="ISONOMY_TEST_BROKER=kafka starts an Apache Kafka"
)


@asynccontextmanager
async def producing(bootstrap: str, **settings: object) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **settings)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(bootstrap: str, *topics: str, **settings: object) -> AsyncIterator[AIOKafkaConsumer]:
    defaults = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "fetch_max_wait_ms": 50}
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **(defaults | MEMBER | settings))
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read(consumer: AIOKafkaConsumer, count: int) -> list[Any]:
    """Read records until there are `count` of them."""
    records = []

    async def enough() -> bool:
        for batch in (await consumer.getmany(timeout_ms=200)).values():
            records.extend(batch)
        return len(records) >= count

    await eventually_async(enough)
    return records


def test_kafka_python_produces_and_consumes(broker: TestBroker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}votes"
    create_topic(broker.bootstrap, topic, partitions=3)
    with contextlib.closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        for number in range(30):
            producer.send(topic, key=b"%d" % number, value=b"v%d" % number, headers=[("reason", b"none")])
        producer.flush(10)
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap,
        group_id=f"{topic_prefix}g",
        auto_offset_reset="earliest",
        **MEMBER,
    )
    with contextlib.closing(consumer):
        records = []

        def enough() -> bool:
            for batch in consumer.poll(200).values():
                records.extend(batch)
            return len(records) >= 30

        eventually(enough)
    assert {record.key: record.value for record in records} == {b"%d" % n: b"v%d" % n for n in range(30)}
    assert all(record.headers == [("reason", b"none")] for record in records)


async def test_aiokafka_produces_and_consumes_in_order(broker: TestBroker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}votes"
    create_topic(broker.bootstrap, topic)
    async with producing(broker.bootstrap) as producer:
        for number in range(500):
            await producer.send(topic, b"%d" % number)
    async with consuming(broker.bootstrap, topic) as consumer:
        records = await read(consumer, 500)
    assert [record.value for record in records] == [b"%d" % number for number in range(500)]
    assert [record.offset for record in records] == list(range(500))


async def test_two_members_share_a_group_and_one_takes_over(broker: TestBroker, topic_prefix: str) -> None:
    topic, group = f"{topic_prefix}votes", f"{topic_prefix}g"
    create_topic(broker.bootstrap, topic, partitions=4)
    async with consuming(broker.bootstrap, topic, group_id=group) as stays:
        async with consuming(broker.bootstrap, topic, group_id=group) as leaves:

            async def shared() -> bool:
                await asyncio.gather(stays.getmany(timeout_ms=50), leaves.getmany(timeout_ms=50))
                return len(stays.assignment()) == len(leaves.assignment()) == 2

            await eventually_async(shared, 30)
            assert not stays.assignment() & leaves.assignment()

        async def alone() -> bool:
            await stays.getmany(timeout_ms=50)
            return len(stays.assignment()) == 4

        await eventually_async(alone, 30)


async def test_a_group_goes_on_from_its_commit(broker: TestBroker, topic_prefix: str) -> None:
    topic, group = f"{topic_prefix}votes", f"{topic_prefix}g"
    partition = TopicPartition(topic, 0)
    create_topic(broker.bootstrap, topic)
    async with producing(broker.bootstrap) as producer:
        for number in range(10):
            await producer.send_and_wait(topic, b"%d" % number)
    async with consuming(broker.bootstrap, topic, group_id=group) as first:
        await read(first, 10)
        await first.commit({partition: 4})
    async with consuming(broker.bootstrap, topic, group_id=group) as second:
        assert [record.offset for record in await read(second, 6)] == [4, 5, 6, 7, 8, 9]


async def test_record_times_are_the_producers_by_default(broker: TestBroker, topic_prefix: str) -> None:
    topic, then = f"{topic_prefix}votes", int(time.time() * 1000) - HOUR
    create_topic(broker.bootstrap, topic)
    async with producing(broker.bootstrap) as producer:
        await producer.send_and_wait(topic, b"old", timestamp_ms=then)
    async with consuming(broker.bootstrap, topic) as consumer:
        (record,) = await read(consumer, 1)
    assert (record.timestamp, record.timestamp_type) == (then, 0)


async def test_log_append_time_is_kafkas_alone(broker: TestBroker, topic_prefix: str) -> None:
    """Apache Kafka stamps the record; the embedded broker takes the setting and keeps the producer's time."""
    topic, now = f"{topic_prefix}votes", int(time.time() * 1000)
    create_topic(broker.bootstrap, topic, settings={"message.timestamp.type": "LogAppendTime"})
    async with producing(broker.bootstrap) as producer:
        await producer.send_and_wait(topic, b"old", timestamp_ms=now - HOUR)
    async with consuming(broker.bootstrap, topic) as consumer:
        (record,) = await read(consumer, 1)
    if broker.durable:
        assert record.timestamp_type == 1
        assert abs(record.timestamp - now) < 60_000
    else:
        assert (record.timestamp, record.timestamp_type) == (now - HOUR, 0)


async def test_offsets_for_times_means_record_time_only_in_kafka(broker: TestBroker, topic_prefix: str) -> None:
    """The embedded broker looks up the time of arrival, whole batches only, and answers (0, -1) for "none"."""
    topic, now = f"{topic_prefix}votes", int(time.time() * 1000)
    partition = TopicPartition(topic, 0)
    create_topic(broker.bootstrap, topic)
    async with producing(broker.bootstrap) as producer:
        for minutes in range(5):
            await producer.send_and_wait(topic, b"v", timestamp_ms=now - HOUR + minutes * 60_000)
    async with consuming(broker.bootstrap) as consumer:
        consumer.assign([partition])
        third = (await consumer.offsets_for_times({partition: now - HOUR + 120_000}))[partition]
        never = (await consumer.offsets_for_times({partition: now + HOUR}))[partition]
    if broker.durable:
        assert (third.offset, third.timestamp) == (2, now - HOUR + 120_000)
        assert never is None
    else:
        assert third.offset == 0
        assert (never.offset, never.timestamp) == (0, -1)


async def test_a_record_of_two_megabytes_passes(broker: TestBroker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}ledger"
    create_topic(broker.bootstrap, topic, settings={"max.message.bytes": "4194304"})
    block = os.urandom(2_000_000)
    async with producing(broker.bootstrap, max_request_size=4_194_304) as producer:
        await producer.send_and_wait(topic, block)
    async with consuming(broker.bootstrap, topic) as consumer:
        (record,) = await read(consumer, 1)
    assert record.value == block


async def test_clients_outlive_a_frozen_broker(broker: TestBroker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}votes"
    create_topic(broker.bootstrap, topic)
    process = broker.owned().process
    async with producing(broker.bootstrap) as producer:
        await producer.send_and_wait(topic, b"before")
        process.freeze()
        try:
            pending = await producer.send(topic, b"while frozen")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(pending), 0.5)
        finally:
            process.thaw()
        assert (await asyncio.wait_for(pending, 15)).offset == 1


@needs_kafka
@pytest.mark.parametrize("stop", [KafkaNode.terminate, KafkaNode.kill])
async def test_kafka_keeps_topics_and_offsets_through_a_stop_and_a_kill(
    broker: TestBroker, topic_prefix: str, stop: Callable[..., None] | Callable[[LocalServer], None]
) -> None:
    topic, group = f"{topic_prefix}votes", f"{topic_prefix}g"
    create_topic(broker.bootstrap, topic)
    async with (
        producing(broker.bootstrap) as producer,
        consuming(broker.bootstrap, topic, group_id=group) as consumer,
    ):
        await producer.send_and_wait(topic, b"before")
        await read(consumer, 1)
        await consumer.commit()
        stop(broker.owned())
        broker.owned().start()
        assert (await producer.send_and_wait(topic, b"after")).offset == 1
        assert [record.value for record in await read(consumer, 1)] == [b"after"]
    async with consuming(broker.bootstrap, topic, group_id=group) as again:
        assert await again.committed(TopicPartition(topic, 0)) == 1


@needs_kafka
def test_another_node_can_take_over_the_same_data(tmp_path: Path, topic_prefix: str) -> None:
    with KafkaNode(tmp_path) as first:
        create_topic(first.bootstrap, f"{topic_prefix}votes")
    with KafkaNode(tmp_path, first.port) as second, admin(second.bootstrap) as client:
        assert f"{topic_prefix}votes" in client.list_topics()


def test_the_embedded_broker_comes_back_empty_on_the_same_port(tmp_path: Path, topic_prefix: str) -> None:
    with EmbeddedBroker(tmp_path) as embedded:
        create_topic(embedded.bootstrap, f"{topic_prefix}votes")
        bootstrap = embedded.bootstrap
        embedded.kill()
        assert embedded.poll() == -9
        embedded.start()
        assert embedded.bootstrap == bootstrap
        with admin(bootstrap) as client:
            assert client.list_topics() == []


def test_a_broker_that_cannot_have_its_port_names_the_holder(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as first:
        second = EmbeddedBroker(tmp_path / "second", first.port)
        with pytest.raises(StartError, match=rf"cannot listen on {HOST}:{first.port}: .* process {first.process.pid} "):
            second.start()
        assert kafka_answers(HOST, first.port)


def test_a_server_that_exits_at_once_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = RedisServer(tmp_path)
    monkeypatch.setattr(server, "argv", lambda: ["sh", "-c", "echo bad settings; exit 3"])
    with pytest.raises(StartError, match=r"(?s)exited with 3 before it answered.*bad settings"):
        server.start()


def test_a_server_that_never_answers_is_killed_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = RedisServer(tmp_path)
    server.ready_within = 0.2
    monkeypatch.setattr(server, "argv", lambda: ["sleep", "60"])
    with pytest.raises(StartError, match=r"did not answer within 0\.2 s"):
        server.start()
    assert server.poll() == -9


@pytest.mark.parametrize("find", [lambda: system_binary(PROGRAM), lambda: wheel_program(WHEEL, VALKEY)])
def test_redis_serves_and_forgets(tmp_path: Path, find: Callable[[], Path | None]) -> None:
    binary = find()
    if binary is None:
        pytest.skip("not installed")
    with RedisServer(tmp_path, binary=binary) as server:
        assert server.process.argv[0] == str(binary)
        with redis.Redis.from_url(server.url) as client:
            client.set("board", b"1")
        server.restart()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("board") is None
    assert [path.name for path in tmp_path.iterdir()] == ["redis.log"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, server.port))


def test_an_append_only_redis_remembers_after_a_kill(tmp_path: Path) -> None:
    with RedisServer(tmp_path, append_only=True) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("board", b"1")
        server.kill()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("board") == b"1"


def test_a_supervised_server_is_back_after_a_kill(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    supervisor = Supervisor({"redis": server}, report=lambda report: None)
    supervisor.start()
    try:
        server.kill()
        eventually(lambda: supervisor.check() or supervisor.restarts() == {"redis": 1})
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
    finally:
        supervisor.stop()
    assert server.poll() == 0


FAULTY = """
import sys
from services.cli import listening
from services.cli.main import main
from streams.fairness.stage import FairnessStage

async def run(self):
    raise RuntimeError("a fault\\nof two lines")

if sys.argv[1] == "stage":
    FairnessStage.run = run
listening.require_address = lambda *_: None
main(["worker", "--stages", "fairness", "--port", sys.argv[2]])
"""
"""A worker whose stage fails at once, or whose port was taken after it was looked at."""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("stage", r"stage fairness failed, and with it this worker: RuntimeError: a fault of two lines"),
        ("port", r"this worker failed: OSError: .* address already in use"),
    ],
)
def test_the_last_line_of_a_worker_that_fails_is_its_cause(pipeline: Pipeline, fault: str, said: str) -> None:
    pipeline.create_topics()
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1] if fault == "port" else free_port()
        argv = [sys.executable, "-c", FAULTY, fault, str(port)]
        worker = ChildProcess("worker", argv, log_path=pipeline.directory / "faulty.log", env=pipeline.environment)
        with worker:
            assert worker.wait(60) == 1
    assert re.search(f" CRITICAL streams.app: {said}$", worker.last_line), worker.last_line


def test_up_takes_a_directory_over_from_one_that_was_killed(tmp_path: Path) -> None:
    ports = ("ISONOMY_WORKER_PORT", "ISONOMY_GATEWAY_PORT", "ISONOMY_BOARD_PORT", "ISONOMY_HERALD_PORT")
    environ = {**os.environ, **dict.fromkeys((*ports, "ISONOMY_BROKER_PORT", "ISONOMY_REDIS_PORT"), "0")}
    environ |= {"KAFKA_BOOTSTRAP_SERVERS": "", "REDIS_URL": ""}
    argv = [sys.executable, "-m", "services.cli.main", "up", "--directory", str(tmp_path / "up")]
    first, second, third = (
        ChildProcess("up", argv, log_path=tmp_path / f"{number}.log", env=environ) for number in range(3)
    )
    try:
        first.start()
        eventually(lambda: "the stack is up" in first.log_tail(), 90)
        second.start()
        assert second.wait(60) == 1
        assert f"is in use by process {first.pid} since " in second.last_line
        os.kill(first.pid, signal.SIGKILL)  # it alone: its children die of it
        first.wait(10)
        third.start()
        eventually(lambda: "the stack is up" in third.log_tail(), 90)
        third.terminate(30)
        assert (third.poll(), third.last_line) == (0, "stopping …")
    finally:
        for each in (first, second, third):
            each.terminate(30)


def test_the_fixtures_redis_serves_and_can_be_flushed(redis_server: TestRedis, redis_prefix: str) -> None:
    with redis_server.client() as client:
        client.set(f"{redis_prefix}board", b"1")
        assert client.get(f"{redis_prefix}board") == b"1"
        redis_server.flush()
        assert client.get(f"{redis_prefix}board") is None
