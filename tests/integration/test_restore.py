"""Kafka lost and restored from a copy of its data: what docs/operations/recover.md promises of a backup."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.kafka_node import KafkaNode
from tests.support.pipeline import Pipeline
from tests.support.stack import TestBroker, TestRedis

STAGES = "intake,ratings,fairness"


@pytest.fixture
def kafka(broker: TestBroker, tmp_path: Path) -> Iterator[KafkaNode]:
    if broker.kind != "kafka" or broker.server is None:
        pytest.skip("the embedded broker keeps nothing that could be copied: make test-kafka")
    with KafkaNode(tmp_path / "kafka") as node:
        yield node


def votes(first: int, count: int) -> list[dict[str, Any]]:
    winners = ("model_a", "model_b", "tie")
    return [
        {"id": f"v{i}", "model_a": f"m{i % 5}", "model_b": f"n{i % 3}", "winner": winners[i % 3], "tstamp": 1.7e9 + i}
        for i in range(first, first + count)
    ]


def board(pipeline: Pipeline, battles: int) -> dict[str, Any]:
    """The board when it has this number of battles, without fields that depend on where the solver began."""
    key = pipeline.settings.redis.keys.board("text", "overall")

    def counted() -> dict[str, Any] | None:
        with pipeline.redis as redis:
            found: dict[str, Any] = json.loads(redis.get(key) or b"{}")
        return found if found.get("battles") == battles else None

    found = eventually(counted, deadline=90)
    assert found is not None
    del found["solver"]
    return found


def without_elo(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Its lines, but for Elo, which depends on the order in which partitions are read."""
    return [{name: value for name, value in line.items() if name != "elo"} for line in board["models"]]


def test_boards_come_back_from_a_copy_of_kafka_and_follow_it_when_it_is_older_than_redis(
    kafka: KafkaNode, redis_server: TestRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path
) -> None:
    pipeline = Pipeline(kafka.bootstrap, redis_server.url, topic_prefix, redis_prefix, tmp_path).create_topics()
    try:
        worker = pipeline.worker("first", STAGES).start().wait_ready()
        pipeline.produce(votes(0, 3_000))
        before = board(pipeline, 3_000)
        assert worker.stop() == 0
        kafka.terminate()
        shutil.copytree(kafka.data, tmp_path / "copy")
        kafka.start()

        worker = pipeline.worker("second", STAGES).start().wait_ready()
        pipeline.produce(votes(3_000, 1_000))
        after = board(pipeline, 4_000)
        assert worker.stop() == 0
        kafka.terminate()
        shutil.rmtree(kafka.data)
        shutil.copytree(tmp_path / "copy", kafka.data)
        kafka.start()

        worker = pipeline.worker("third", STAGES).start().wait_ready()
        assert board(pipeline, 3_000) == before
        assert "its state is foreign" in worker.log()
        pipeline.produce(votes(3_000, 1_000))  # whoever sent them sends them again
        assert without_elo(board(pipeline, 4_000)) == without_elo(after)
        assert worker.stop() == 0
    finally:
        pipeline.stop()
