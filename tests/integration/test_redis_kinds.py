"""What kind of Redis it is: a Redis Cluster is refused by every process in a sentence, an evicting one is warned of."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from services.local.ports import HOST, is_free
from tests.support.eventually import eventually
from tests.support.fork_server import run_isonomy
from tests.support.pipeline import COUNTED, Pipeline, make_votes
from tests.support.redis import OwnRedis
from tests.support.stack import TestBroker

pytestmark = pytest.mark.integration

SENTENCE = (
    "is a Redis Cluster, which is not supported: use a Redis with one master, or its Sentinels (redis+sentinel://)"
)

BUS = 10_000
"""A node's port for other nodes is so much above the one for clients."""
EPHEMERAL = 32_768
"""From here on any client may be given a port."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """The first of three nodes that share all slots."""
    nodes = [_node(tmp_path_factory.mktemp("node")) for _ in range(3)]
    try:
        for node in nodes:
            node.start()
        _join(nodes)
        yield nodes[0]
    finally:
        for node in nodes:
            node.terminate()


def _node(directory: Path) -> OwnRedis:
    while True:
        node = OwnRedis(directory, "--cluster-enabled", "yes")
        if node.port + BUS < EPHEMERAL and is_free(node.port + BUS):
            return node


def _join(nodes: list[OwnRedis]) -> None:
    slots = [range(5461), range(5461, 10_923), range(10_923, 16_384)]
    clients = [Redis(port=node.port) for node in nodes]
    try:
        for client, part in zip(clients, slots, strict=True):
            client.execute_command("CLUSTER", "ADDSLOTS", *part)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER", "MEET", HOST, node.port)

        def whole() -> bool:
            told = [client.execute_command("CLUSTER INFO") for client in clients]
            return all(each["cluster_state"] == "ok" and each["cluster_known_nodes"] == "3" for each in told)

        eventually(whole, 30, every=0.1)
    finally:
        for client in clients:
            client.close()


@pytest.fixture
def over_cluster(broker: TestBroker, cluster: OwnRedis, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(broker.bootstrap, cluster.url, topic_prefix, "isonomy", tmp_path)
    pipeline.create_topics()
    yield pipeline
    pipeline.stop()


@pytest.mark.parametrize(
    "command",
    [
        ("worker", "--stages", "ratings", "--port", "0"),
        ("worker", "--stages", "fairness"),
        ("board", "--port", "0"),
        ("rebuild",),
        ("alerts",),
        ("replay", "votes.jsonl", "--follow"),
    ],
    ids=" ".join,
)
def test_a_redis_cluster_is_refused_in_a_sentence(over_cluster: Pipeline, command: tuple[str, ...]) -> None:
    refused = over_cluster.isonomy(*command, check=False)
    assert refused.returncode == 1
    assert SENTENCE in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_intake_needs_no_redis_and_runs_beside_a_cluster(over_cluster: Pipeline) -> None:
    worker = over_cluster.worker(stages="intake").start().wait_ready()
    over_cluster.produce(make_votes(50, seed=51))
    eventually(lambda: worker.metric("intake_votes_total", outcome="counted") == 50, COUNTED)


def test_a_redis_that_throws_keys_away_is_warned_of_when_it_has_a_limit(tmp_path: Path) -> None:
    for limit, policy, warned in (
        ("100mb", "allkeys-lru", True),
        ("100mb", "volatile-ttl", True),
        ("100mb", "noeviction", False),
        ("0", "allkeys-lru", False),
    ):
        directory = tmp_path / f"{limit}-{policy}"
        with OwnRedis(directory, "--maxmemory", limit, "--maxmemory-policy", policy) as server:
            done = run_isonomy("alerts", env={**os.environ, "REDIS_URL": server.url}, timeout=60)
        assert done.returncode == 0, done.stderr
        assert (f"has maxmemory-policy {policy}: when it is full, boards and states vanish" in done.stderr) == warned
        assert done.stdout.strip() == "no arena has published anything yet: nothing was judged"
