"""Whatever a correct client writes is read: every codec of Kafka, from every client, into every topic we read."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer as ConfluentProducer
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from streams.contracts import unpack
from streams.contracts.connect import kafka_python_options
from streams.contracts.dead_letter import read_dead_letter
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import DEAD_LETTERS, LEDGER, MODELS, TOPICS, VOTES
from streams.kafka.end_offsets import ask_ends, partitions_of_topic
from tests.support.eventually import eventually
from tests.support.pipeline import Pipeline, Worker, encode, make_votes
from tests.support.stack import TestBroker
from tests.support.topics import admin, create_topic

pytestmark = pytest.mark.integration

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
Records = Iterable[tuple[bytes, bytes]]


def kafka_python(bootstrap: str, topic: str, records: Records, codec: str) -> None:
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, acks="all", compression_type=None if codec == "none" else codec
    )
    try:
        for future in [producer.send(topic, key=key, value=value) for key, value in records]:
            future.get(timeout=30)
    finally:
        producer.close()


def aiokafka(bootstrap: str, topic: str, records: Records, codec: str) -> None:
    async def send() -> None:
        kind = None if codec == "none" else codec
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type=kind) as producer:
            for key, value in records:
                await producer.send_and_wait(topic, value, key=key)

    asyncio.run(send())


def confluent(bootstrap: str, topic: str, records: Records, codec: str) -> None:
    producer = ConfluentProducer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "compression.type": codec,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
        }
    )
    failed: list[object] = []
    for key, value in records:
        producer.produce(topic, value, key, on_delivery=lambda error, message: failed.append(error) if error else None)
    assert producer.flush(30) == 0
    assert not failed


CLIENTS: dict[str, Callable[[str, str, Records, str], None]] = {
    "kafka-python": kafka_python,
    "aiokafka": aiokafka,
    "confluent-kafka": confluent,
}


def idle(worker: Worker, stages: Iterable[str] = ("intake", "ratings", "fairness")) -> bool:
    """No lag in any stage, as the watchdog sees it."""
    return all(worker.metric("consumer_lag", group=stage) == 0 for stage in stages)


def test_every_codec_of_every_client_is_counted(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    worker = pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
    settings, counted, declared = pipeline.settings, 0, 0
    for number, (client, send) in enumerate(CLIENTS.items()):
        for place, codec in enumerate(CODECS):
            # One vote, as an arena in its first minute would, and then many.
            votes = make_votes(1 if place % 2 else 40, seed=100 * number + place)
            send(
                pipeline.bootstrap,
                settings.kafka.topic(VOTES.name),
                [(v["id"].encode(), encode(v)) for v in votes],
                codec,
            )
            counted += len(votes)
            model = f"{client}-{codec}"
            record = {
                "arena": "text", "model": model, "license": "proprietary", "visibility": "public", "status": "active",
                "weight": 1.0, "tstamp": 1.0, "provider": "Acme",
            }  # fmt: skip
            send(
                pipeline.bootstrap,
                settings.kafka.topic(MODELS.name),
                [(f"text/{model}".encode(), encode(record))],
                codec,
            )
            declared += 1
            assert pipeline.wait_counted(counted, within=20).battles == counted
    eventually(lambda: worker.metric("intake_notices_total", outcome="counted") == declared)
    eventually(lambda: idle(worker), 20)
    assert pipeline.topic("dead-letters") == []
    assert worker.process.alive


@pytest.mark.parametrize("codec", CODECS[1:])
def test_every_topic_may_be_compressed_by_its_setting(pipeline: Pipeline, codec: str) -> None:
    for topic in TOPICS:
        wanted = {**topic.config, "compression.type": codec}
        create_topic(
            pipeline.bootstrap, pipeline.settings.kafka.topic(topic.name), partitions=topic.partitions, settings=wanted
        )
    worker = pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
    pipeline.declare("text", "model-1", provider="Acme")
    votes = make_votes(300, seed=7)
    pipeline.produce(votes)
    pipeline.produce_raw(VOTES.name, [(b"bad", b"no vote")])
    pipeline.wait_counted(len(votes))
    eventually(lambda: idle(worker), 20)
    eventually(lambda: worker.metric("dead_letters_total") == 1)
    assert worker.stop() == 0
    # What it wrote is read again, from the start of the ledger.
    with pipeline.redis as redis:
        redis.delete(*redis.keys(f"{pipeline.redis_prefix}*"))
    second = pipeline.worker("second", stages="intake,ratings,fairness").start().wait_ready()
    pipeline.wait_counted(len(votes))
    eventually(lambda: idle(second), 20)
    assert len(pipeline.topic(LEDGER.name)) >= 2


def test_a_refused_record_that_was_small_only_while_compressed_is_parked_and_holds_up_nobody(
    broker: TestBroker, pipeline: Pipeline
) -> None:
    pipeline.create_topics()
    worker = pipeline.worker().start().wait_ready()
    # Both fit into `votes` compressed; the noise of the second takes all that `dead-letters` has room for, and more.
    plain, noisy = b'{"id":"k","junk":"' + b"x" * 12_000_000, b"no vote" + random.Random(1).randbytes(5_000_000)
    asyncio.run(send_large(pipeline, plain, "gzip"))
    with admin(pipeline.bootstrap) as client:
        limit = ConfigResource(
            ConfigResourceType.TOPIC, pipeline.settings.kafka.topic(VOTES.name), {"max.message.bytes": "8000000"}
        )
        client.alter_configs([limit])
    asyncio.run(send_large(pipeline, noisy, None))
    votes = make_votes(50, seed=9)
    pipeline.produce(votes)
    pipeline.wait_counted(len(votes))
    assert worker.metric("stage_failures_total") == 0
    letters = [read_dead_letter(dict(record.headers), record.value) for record in eventually(lambda: two(pipeline), 20)]
    whole, cut = sorted(letters, key=lambda letter: letter.cut or 0)
    assert (whole.cut, whole.value, whole.key) == (None, plain, b"k")
    if not broker.durable:
        assert cut.value == noisy, "the embedded broker knows no limit"
        return
    assert cut.cut == len(noisy) + 1
    assert cut.value
    assert noisy.startswith(cut.value)
    told = pipeline.isonomy("dead-letters", "redrive", "--yes", check=False)
    assert f"only its beginning was kept: it had {cut.cut} bytes" in told.stdout + told.stderr


def two(pipeline: Pipeline) -> list[Any]:
    found = pipeline.topic(DEAD_LETTERS.name)
    return found if len(found) == 2 else []


async def send_large(pipeline: Pipeline, value: bytes, codec: str | None) -> None:
    options = {"bootstrap_servers": pipeline.bootstrap, "compression_type": codec, "max_request_size": 50_000_000}
    async with AIOKafkaProducer(**options) as producer:
        await producer.send_and_wait(pipeline.settings.kafka.topic(VOTES.name), value, key=b"k")


def test_a_partition_that_ends_in_a_batch_that_nobody_can_read_tells_its_end_again_and_again(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kafka-python keeps a batch whose decoder raised, and a watchdog that has no other partition asked for ever."""
    topic, found = f"{topic_prefix}one", list[int]()
    create_topic(broker.bootstrap, topic)
    aiokafka(broker.bootstrap, topic, [(b"key", b"x" * 1_000)], "zstd")
    options = kafka_python_options(KafkaSettings(bootstrap=broker.bootstrap))
    monkeypatch.setattr(unpack, "MOST_BYTES", 100)

    def look() -> None:
        consumer = KafkaConsumer(**options, group_id=None, enable_auto_commit=False, isolation_level="read_committed")
        for _ in range(3):
            found.extend(ask_ends(consumer, partitions_of_topic(consumer, topic)).values())
        consumer.close()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(30)
    assert found == [1, 1, 1]
