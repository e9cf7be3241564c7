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

    `server` is `None` for an external broker from KAFKA_BOOTSTRAP_SERVERS.
    """

    __test__ = False  # pytest would collect it by its name

    bootstrap: str
    kind: str
    server: LocalServer | KafkaCluster | None = None

    @property
    def durable(self) -> bool:
        """Whether topics and offsets outlive a restart."""
        return self.kind in ("kafka", "kafka3")

    @property
    def replication(self) -> int:
        """Maximum replication factor."""
        return len(self.server.nodes) if isinstance(self.server, KafkaCluster) else 1

    def owned(self) -> LocalServer | KafkaCluster:
        """Return the server, to stop or freeze it; skip the test if the broker is external."""
        if self.server is None:
            pytest.skip("the broker of KAFKA_BOOTSTRAP_SERVERS is not ours to stop")
        return self.server

    def restart(self) -> None:
        """Restart it cleanly on the same port, three nodes one by one (the embedded broker loses its data)."""
        self.owned().restart()

    def crash(self) -> None:
        """Kill it with SIGKILL and start it again; of three, the active controller, likely also a leader."""
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
        """Return a new client that returns bytes; close it after use."""
        return redis.Redis.from_url(self.url)

    def flush(self) -> None:
        """Delete everything; skip the test if Redis is external."""
        if self.server is None:
            pytest.skip("the Redis of REDIS_URL is not ours to flush")
        with self.client() as client:
            client.flushall()


def make_broker(directory: Path) -> TestBroker:
    """Return the broker that the environment selects, not started yet."""
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
    """Return the Redis that REDIS_URL or ISONOMY_TEST_REDIS selects (see `redis_binary`), not started yet."""
    if url := os.environ.get("REDIS_URL"):
        return TestRedis(url)
    server = RedisServer(directory)
    return TestRedis(server.url, server)
