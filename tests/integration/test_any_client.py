"""Whatever a correct client writes is read: every codec of Kafka, from every client, into every topic we read."""

import asyncio
from collections.abc import Callable, Iterable

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer as ConfluentProducer
from kafka import KafkaProducer

from streams.contracts.topics import LEDGER, MODELS, TOPICS, VOTES
from tests.support.eventually import eventually
from tests.support.pipeline import Pipeline, Worker, encode, make_votes
from tests.support.topics import create_topic

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
            send(pipeline.bootstrap, settings.topic(VOTES.name), [(v["id"].encode(), encode(v)) for v in votes], codec)
            counted += len(votes)
            model = f"{client}-{codec}"
            record = {
                "arena": "text", "model": model, "license": "proprietary", "visibility": "public", "status": "active",
                "weight": 1.0, "tstamp": 1.0, "provider": "Acme",
            }  # fmt: skip
            send(pipeline.bootstrap, settings.topic(MODELS.name), [(f"text/{model}".encode(), encode(record))], codec)
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
            pipeline.bootstrap, pipeline.settings.topic(topic.name), partitions=topic.partitions, settings=wanted
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
