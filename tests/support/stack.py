"""The broker and the Redis that tests run against."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from services.local.broker import EmbeddedBroker
from services.local.redis import RedisServer
from services.local.server import LocalServer
from tests.support.kafka_cluster import KafkaCluster
from tests.support.kafka_node import KafkaNode


@dataclass(frozen=True)
class TestBroker:
    """A broker for tests.

    `server` is `None` for a broker from KAFKA_BOOTSTRAP_SERVERS, which belongs to somebody else.
    """

    __test__ = False  # its name is no test's

    bootstrap: str
    kind: str
    server: LocalServer | KafkaCluster | None = None

    @property
    def durable(self) -> bool:
        """Whether topics and offsets outlive a restart."""
        return self.kind in ("kafka", "kafka3")

    @property
    def replication(self) -> int:
        """How often topics can be stored."""
        return len(self.server.nodes) if isinstance(self.server, KafkaCluster) else 1

    def owned(self) -> LocalServer | KafkaCluster:
        """Return the server, to be stopped or frozen; skip the test if it is somebody else's."""
        if self.server is None:
            pytest.skip("the broker of KAFKA_BOOTSTRAP_SERVERS is not ours to stop")
        return self.server

    def restart(self) -> None:
        """Stop it cleanly and start it again on the same port, three one by one (the embedded one comes back empty)."""
        self.owned().restart()

    def crash(self) -> None:
        """Kill it with SIGKILL and start it again; of three, who leads the controllers, and most likely partitions."""
        server = self.owned()
        victim = server.nodes[server.controller()] if isinstance(server, KafkaCluster) else server
        victim.kill()
        victim.start()


@dataclass(frozen=True)
class TestRedis:
    """A Redis for tests; `server` is `None` for one from REDIS_URL."""

    __test__ = False

    url: str
    server: RedisServer | None = None

    def client(self) -> redis.Redis:
        """Return a new client that decodes nothing; close it after use."""
        return redis.Redis.from_url(self.url)

    def flush(self) -> None:
        """Delete everything; skip the test if it is somebody else's Redis."""
        if self.server is None:
            pytest.skip("the Redis of REDIS_URL is not ours to flush")
        with self.client() as client:
            client.flushall()


def make_broker(directory: Path) -> TestBroker:
    """Return the broker the environment asks for, not started yet."""
    kind = os.environ.get("ISONOMY_TEST_BROKER", "embedded")
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return TestBroker(bootstrap, "kafka")
    if kind == "embedded":
        embedded = EmbeddedBroker(directory)
        return TestBroker(embedded.bootstrap, kind, embedded)
    if kind == "kafka":
        node = KafkaNode(directory)
        return TestBroker(node.bootstrap, kind, node)
    if kind == "kafka3":
        cluster = KafkaCluster(directory)
        return TestBroker(cluster.bootstrap, kind, cluster)
    raise ValueError(f"ISONOMY_TEST_BROKER must be 'embedded', 'kafka' or 'kafka3', not {kind!r}")


def make_redis(directory: Path) -> TestRedis:
    """Return the Redis that REDIS_URL or ISONOMY_TEST_REDIS asks for (see `redis_binary`), not started yet."""
    if url := os.environ.get("REDIS_URL"):
        return TestRedis(url)
    server = RedisServer(directory)
    return TestRedis(server.url, server)
