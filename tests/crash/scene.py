"""All processes of Isonomy over a broker and a Redis, and the operations that faults use."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.local.ports import HOST, free_port
from services.local.redis import RedisServer
from tests.crash.stack import EventLog, Stack
from tests.crash.workload import ARENAS, Books
from tests.support.board import board_process
from tests.support.fork_server import ForkedProcess
from tests.support.gateway import gateway_process
from tests.support.kafka_cluster import NODES, KafkaCluster
from tests.support.kafka_node import KafkaNode
from tests.support.pipeline import REPOSITORY, Pipeline, Vote, Worker
from tests.support.proxy import Network, Proxy
from tests.support.stack import TestBroker, TestRedis, make_broker

WORKERS = {
    "intake-1": "intake",
    "intake-2": "intake",
    "intake-3": "intake",
    "folds-1": "ratings,fairness",
    "folds-2": "ratings,fairness",
    "folds-3": "ratings,fairness",
}
SPARES = ("intake-3", "folds-3")
PROXIED = ("intake-1", "folds-1")
"""Workers that connect to the brokers through the proxies, if there are any."""
STARTED_WITHIN = 120.0
FAIRNESS = "[default]\nreview_battles = 1_000\nrepeat_reviews = 2\n"


@dataclass(frozen=True)
class Ground:
    """Infrastructure of a chaos run: a broker, proxies to it if it is an Apache Kafka, and a Redis."""

    broker: TestBroker
    network: Network | None
    proxied_bootstrap: str | None
    redis: TestRedis


@contextmanager
def ground(directory: Path) -> Iterator[Ground]:
    """Start the broker that ISONOMY_TEST_BROKER names, its proxies, and a Redis; tests may break all of them."""
    broker, server = make_broker(directory / "broker"), RedisServer(directory / "redis")
    nodes = nodes_of(broker)
    for node in nodes.values():
        node.proxy_port = free_port()
    network = Network({str(number): (node.proxy_port or 0, node.proxied_port) for number, node in nodes.items()})
    proxied = ",".join(f"{HOST}:{node.proxy_port}" for node in nodes.values()) or None
    if broker.server is None:
        raise ValueError("the broker of KAFKA_BOOTSTRAP_SERVERS is not ours to break")
    with broker.server, network, server:
        yield Ground(broker, network if nodes else None, proxied, TestRedis(server.url, server))


def nodes_of(broker: TestBroker) -> Mapping[int, KafkaNode]:
    """The Apache Kafka nodes of a broker, by number; empty for the embedded broker."""
    if isinstance(broker.server, KafkaCluster):
        return broker.server.nodes
    return {1: broker.server} if isinstance(broker.server, KafkaNode) else {}


class Scene(Stack):
    """Intakes, folds, gateway, board and herald on a ground."""

    def __init__(self, ground: Ground, pipeline: Pipeline, log: EventLog, rng: random.Random) -> None:
        self.ground, self.rng = ground, rng
        broker = ground.broker
        self.gateway = gateway_process(
            broker.bootstrap, pipeline.topic_prefix, pipeline.directory, ISONOMY_PRODUCE_TIMEOUT="3"
        )
        self.web = board_process(pipeline.environment, pipeline.directory)
        herald = ForkedProcess(
            "herald",
            [sys.executable, "-m", "services.cli.main", "herald", "--port", str(free_port())],
            log_path=pipeline.directory / "herald.log",
            env={**pipeline.environment, "ISONOMY_ALLOW_PRIVATE": "1", "ISONOMY_HERALD_RETRY_SECONDS": "1,2,5,10,10"},
            cwd=REPOSITORY,
        )
        others = {"gateway": self.gateway.process, "board": self.web.process, "herald": herald}
        super().__init__(broker, ground.redis, pipeline, log, WORKERS, others, SPARES)
        self.books = Books()
        self.own_votes: list[Vote] = []
        """The votes that faults send themselves; `books` has their state."""
        if ground.proxied_bootstrap is not None:
            for name in PROXIED:
                self._lead_through(ground.proxied_bootstrap, self.workers[name])

    @staticmethod
    def _lead_through(bootstrap: str, worker: Worker) -> None:
        assert worker.process.env is not None
        worker.process.env = {**worker.process.env, "KAFKA_BOOTSTRAP_SERVERS": bootstrap}

    def start(self) -> None:
        super().start()
        self.gateway.wait("/readyz")
        self.web.wait("/healthz")

    def counted(self) -> int:
        """Battles on the overall boards of all arenas."""
        boards = [self.pipeline.board(arena) for arena in ARENAS]
        return sum(board.battles for board in boards if board is not None)

    # --- processes ---------------------------------------------------------------------------------------------------

    def running(self, kind: str) -> list[str]:
        """Names of the running processes of a kind."""
        return [name for name, child in self.children.items() if name.startswith(kind) and child.alive]

    def wait_up(self, *names: str) -> None:
        """Wait until these workers are ready."""
        self.watch_until(lambda: all(self.workers[name].is_ready() for name in names), STARTED_WITHIN)

    # --- brokers -----------------------------------------------------------------------------------------------------

    @property
    def cluster(self) -> KafkaCluster:
        server = self.broker.server
        assert isinstance(server, KafkaCluster)
        return server

    @property
    def nodes(self) -> Mapping[int, KafkaNode]:
        return nodes_of(self.broker)

    def a_leader(self, topic: str) -> int:
        """The node that leads some partition of a topic, named without its prefix."""
        if len(self.nodes) < len(NODES):
            return next(iter(self.nodes))
        return self.cluster.leader(self.pipeline.settings.kafka.topic(topic), self.rng.randrange(4))

    def start_nodes(self, *numbers: int) -> None:
        """Start nodes again and wait until they answer; processes are supervised meanwhile."""
        for number in numbers:
            self.nodes[number].launch()
        for number in numbers:
            self.watch_until(lambda number=number: self._answers(number), STARTED_WITHIN)  # type: ignore[misc]
        self.log.say(f"broker {', '.join(map(str, numbers))} is back")

    def wait_in_sync(self) -> None:
        """Wait until all replicas are in sync; returns at once for a single node."""
        if len(self.nodes) == len(NODES):
            self.watch_until(self.cluster.in_sync, STARTED_WITHIN)

    def _answers(self, number: int) -> bool:
        try:
            return self.nodes[number].answers()
        except OSError:
            return False

    def proxy(self, node: int) -> Proxy:
        """The proxy between the workers in `PROXIED` and a node."""
        assert self.ground.network is not None
        return self.ground.network.proxies[str(node)]

    # --- Redis -------------------------------------------------------------------------------------------------------

    @property
    def redis_server(self) -> RedisServer:
        server = self.redis.server
        assert server is not None
        return server
