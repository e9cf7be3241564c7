"""Three real brokers: what was acknowledged outlives the loss of any one of them."""

import contextlib
import os
import threading
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from services.local.ports import free_port
from streams.contracts.connect import close_kafka_python
from tests.support.eventually import eventually
from tests.support.kafka_cluster import NODES, KafkaCluster
from tests.support.proxy import Network

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        os.environ.get("ISONOMY_TEST_BROKER") not in ("kafka", "kafka3"),
        reason="ISONOMY_TEST_BROKER=kafka or kafka3 starts three Apache Kafka nodes",
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    proxy_ports = {node: free_port() for node in NODES}
    with KafkaCluster(tmp_path_factory.mktemp("cluster"), proxy_ports) as cluster:
        yield cluster


@pytest.fixture
def network(cluster: KafkaCluster) -> Iterator[Network]:
    ports = {str(number): (node.proxy_port or 0, node.proxied_port) for number, node in cluster.nodes.items()}
    with Network(ports) as network:
        yield network


@pytest.fixture
def topic(cluster: KafkaCluster, topic_prefix: str) -> Iterator[str]:
    """A topic of one partition on all three nodes; whatever a test has done, all are in sync again after it."""
    name = f"{topic_prefix}votes"
    with cluster.admin() as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": len(NODES)}}, timeout_ms=15_000)
        admin.wait_for_topics([name], timeout_ms=15_000)
    yield name
    for node in cluster.nodes.values():
        if node.running:
            node.process.thaw()
    cluster.start()
    cluster.wait_in_sync()


def send(cluster: KafkaCluster, topic: str, value: bytes, within: float = 30.0) -> int:
    """Write a record to all in-sync replicas; returns its offset."""
    settings = {"acks": "all", "request_timeout_ms": 3_000, "delivery_timeout_ms": int(within * 1_000)}
    settings["bootstrap_servers"] = cluster.answering()
    producer = KafkaProducer(**settings)
    try:
        return int(producer.send(topic, value).get(within + 5).offset)
    finally:
        close_kafka_python(producer, 2.0)


def read(cluster: KafkaCluster, topic: str, count: int) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    with contextlib.closing(KafkaConsumer(bootstrap_servers=cluster.answering())) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        found: list[bytes] = []

        def enough() -> bool:
            found.extend(record.value for each in consumer.poll(200).values() for record in each)
            return len(found) >= count

        eventually(enough, 30)
        return found


def test_when_the_leader_is_killed_another_has_every_record_and_takes_more(cluster: KafkaCluster, topic: str) -> None:
    send(cluster, topic, b"before")
    leader = cluster.leader(topic, 0)
    cluster.nodes[leader].kill()
    assert send(cluster, topic, b"after") == 1
    assert cluster.leader(topic, 0) != leader
    assert read(cluster, topic, 2) == [b"before", b"after"]


def test_when_the_controller_is_killed_another_is_elected(cluster: KafkaCluster, topic: str) -> None:
    controller = cluster.controller()
    cluster.nodes[controller].kill()

    def elected() -> bool:
        with contextlib.suppress(KafkaError, OSError):  # nobody leads yet
            return cluster.controller() != controller
        return False

    eventually(elected, 30, every=0.2)
    assert send(cluster, topic, b"vote") == 0


def test_a_frozen_leader_is_replaced_and_returns_as_a_follower(cluster: KafkaCluster, topic: str) -> None:
    send(cluster, topic, b"before")
    leader = cluster.leader(topic, 0)
    cluster.nodes[leader].process.freeze()
    assert send(cluster, topic, b"while frozen") == 1
    cluster.nodes[leader].process.thaw()
    cluster.wait_in_sync()
    assert read(cluster, topic, 2) == [b"before", b"while frozen"]


def test_with_two_of_three_away_nothing_is_acknowledged_and_with_them_back_all_goes_on(
    cluster: KafkaCluster, topic: str
) -> None:
    send(cluster, topic, b"before")
    for number in NODES[:2]:
        cluster.nodes[number].kill()
    threads = set(threading.enumerate())
    with pytest.raises(KafkaError):
        send(cluster, topic, b"too few", within=4.0)
    eventually(lambda: set(threading.enumerate()) <= threads)  # a producer that still holds a record is closed with it
    cluster.start()
    send(cluster, topic, b"after")
    found = read(cluster, topic, 2)
    assert (found[0], found[-1]) == (b"before", b"after")  # what was refused may have been stored or not


def test_a_wiped_node_copies_everything_back(cluster: KafkaCluster, topic: str) -> None:
    for number in range(10):
        send(cluster, topic, b"%d" % number)
    wiped = cluster.leader(topic, 0)
    cluster.wipe(wiped)
    others = [node for number, node in cluster.nodes.items() if number != wiped]
    others[0].kill()  # two stay, and one of them is the wiped one: it must be able to lead or to acknowledge
    assert send(cluster, topic, b"10") == 10
    assert read(cluster, topic, 11) == [b"%d" % number for number in range(11)]


def test_a_rolling_restart_keeps_topics_and_records(cluster: KafkaCluster, topic: str) -> None:
    send(cluster, topic, b"before")
    cluster.restart()
    assert send(cluster, topic, b"after") == 1
    assert read(cluster, topic, 2) == [b"before", b"after"]


def test_who_bootstraps_through_the_proxies_stays_behind_them(
    cluster: KafkaCluster, network: Network, topic: str
) -> None:
    settings = {"acks": "all", "request_timeout_ms": 2_000, "delivery_timeout_ms": 20_000}
    settings["bootstrap_servers"] = cluster.proxied_bootstrap.split(",")
    with contextlib.closing(KafkaProducer(**settings)) as producer:
        assert producer.send(topic, b"before").get(20).offset == 0
        leader = network.proxies[str(cluster.leader(topic, 0))]
        assert leader.connections >= 1
        leader.cut()
        pending = producer.send(topic, b"when it heals")
        assert send(cluster, topic, b"beside the proxies") == 1
        assert not pending.is_done
        leader.heal()
        assert pending.get(20).offset == 2
