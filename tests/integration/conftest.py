"""The stream under prefixes of its own, for every test that wants one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pipeline import Pipeline
from tests.support.stack import TestBroker, TestRedis


@pytest.fixture
def pipeline(
    broker: TestBroker, redis_server: TestRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path
) -> Iterator[Pipeline]:
    """A pipeline whose topics do not exist yet; what a test leaves running is killed."""
    environ = {"ISONOMY_REPLICATION": str(broker.replication)}
    pipeline = Pipeline(broker.bootstrap, redis_server.url, topic_prefix, redis_prefix, tmp_path, environ)
    try:
        yield pipeline
    finally:
        pipeline.stop()
