"""Three Apache Kafka nodes on loopback, each broker and controller, with replication factor 3."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from services.local.ports import HOST, free_port
from services.local.process import TERMINATE_WITHIN, StartError
from services.local.server import wait_until
from tests.support.kafka_node import KafkaNode, Membership, cluster_id, replication

NODES = (1, 2, 3)
LEAST_IN_SYNC = 2
HEAP_MB = 320
IN_SYNC_WITHIN = 120.0
LOOK_SECONDS = 0.2
# Replicas leave the ISR after 5 s (default 30 s), and controllers elect a new leader within seconds.
SETTINGS = replication(len(NODES), LEAST_IN_SYNC) | {
    "replica.lag.time.max.ms": "5000",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
}


class KafkaCluster:
    """Three nodes; the data survive the loss of any one, because two of three hold every acknowledged record.

    Each of `nodes` is a server: `cluster.nodes[2].kill()`, `.start()`, `.process.freeze()`. Methods of the cluster act
    on all nodes.

    Parameters
    ----------
    directory
        Parent of the directories of the nodes.
    proxy_ports
        Node to the port of its proxy (see `KafkaNode`); None for no proxies.
    """

    name = "kafka3"

    def __init__(self, directory: Path, proxy_ports: Mapping[int, int] | None = None) -> None:
        cluster, controllers = cluster_id(), {node: free_port() for node in NODES}
        self.nodes = {
            node: KafkaNode(
                directory / f"node-{node}",
                membership=Membership(node, cluster, controllers, SETTINGS, HEAP_MB),
                proxy_port=(proxy_ports or {}).get(node),
            )
            for node in NODES
        }

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers for a client: all three, because any may be down."""
        return ",".join(node.bootstrap for node in self.nodes.values())

    @property
    def proxied_bootstrap(self) -> str:
        """The bootstrap servers for a client that connects through the proxies."""
        return ",".join(f"{HOST}:{node.proxy_port}" for node in self.nodes.values())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    # --- all of them -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every node that is down; returns once all three have registered. Raises `StartError`."""
        down = [node for node in self.nodes.values() if not node.running]
        with ThreadPoolExecutor(len(NODES)) as pool:  # formatting runs a JVM each; this thread must launch the nodes
            list(pool.map(KafkaNode.format, down))
        try:
            for node in down:
                node.launch()
            for node in self.nodes.values():  # one alone has no quorum and does not answer
                wait_until(node.answers, node.ready_within, node.process)
            self._wait(lambda admin: len(admin.describe_cluster()["brokers"]) == len(NODES), "have not all registered")
        except BaseException:
            self.kill()
            raise

    def terminate(self, deadline: float = TERMINATE_WITHIN) -> None:
        """Stop all nodes in parallel with SIGTERM, and SIGKILL after `deadline` seconds."""
        with ThreadPoolExecutor(len(NODES)) as pool:
            list(pool.map(lambda node: node.terminate(deadline), self.nodes.values()))

    def kill(self) -> None:
        """Kill every node with SIGKILL, like a power cut."""
        for node in self.nodes.values():
            if node.running:
                node.kill()

    def restart(self) -> None:
        """Restart the nodes one by one; waits after each until all replicas are in sync."""
        for node in self.nodes.values():
            node.restart()
            self.wait_in_sync()

    def poll(self) -> int | None:
        """Return the exit code of a node that has ended, or `None` if none has ended (or was started)."""
        return next((code for node in self.nodes.values() if (code := node.poll()) is not None), None)

    @property
    def process(self) -> Together:
        """The processes of all nodes, to freeze them together."""
        return Together(self)

    # --- who is who --------------------------------------------------------------------------------------------------

    def leader(self, topic: str, partition: int) -> int:
        """Return the node that leads a partition."""
        with self.admin() as admin:
            (described,) = admin.describe_topics([topic])
        return int(next(each["leader_id"] for each in described["partitions"] if _index(each) == partition))

    def controller(self) -> int:
        """Return the active controller. The controller in broker metadata may be any node."""
        with self.admin() as admin:
            quorum = admin.describe_metadata_quorum()
        return int(quorum["topics"][0]["partitions"][0]["leader_id"])

    def in_sync(self) -> bool:
        """Whether all replicas of every partition are in sync; False when no node answers."""
        with suppress(KafkaError, OSError), self.admin() as admin:  # raised during an election
            return _all_in_sync(admin)
        return False

    def wait_in_sync(self, within: float = IN_SYNC_WITHIN) -> None:
        """Wait until all replicas of every partition are in sync; raises `StartError` when that takes too long."""
        self._wait(_all_in_sync, "are not in sync", within)

    def wipe(self, number: int) -> None:
        """Replace a node's disk by an empty one; returns once it has copied everything from the other two."""
        self.discard(number)
        self.nodes[number].start()
        self.wait_in_sync()

    def discard(self, number: int) -> None:
        """Stop a node and delete its data."""
        self.nodes[number].terminate()
        shutil.rmtree(self.nodes[number].data)

    def answering(self) -> list[str]:
        """List the nodes that answer; a kafka-python client would wait 30 s for a frozen one before it tries the next.

        Raises
        ------
        OSError
            When no node answers.
        """
        found = []
        for node in self.nodes.values():
            with suppress(OSError):  # this node does not answer
                if node.running and node.answers():
                    found.append(node.bootstrap)
        if not found:
            raise ConnectionError("no node of the cluster answers")
        return found

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """Connect as an administrator; raises `OSError` when no node answers."""
        client = KafkaAdminClient(bootstrap_servers=self.answering(), request_timeout_ms=5_000)
        try:
            yield client
        finally:
            client.close()

    def _wait(self, condition: Any, complaint: str, within: float = IN_SYNC_WITHIN) -> None:
        end = time.monotonic() + within
        while time.monotonic() < end:
            with suppress(KafkaError, OSError), self.admin() as admin:
                if condition(admin):
                    return
            time.sleep(LOOK_SECONDS)
        raise StartError(f"the nodes {complaint} after {within:g} s; see the logs in {self.nodes[1].directory.parent}")


class Together:
    """The processes of a cluster as if they were one."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._processes = [node.process for node in cluster.nodes.values()]

    def freeze(self) -> None:
        """Stop all processes (SIGSTOP) until `thaw`."""
        for process in self._processes:
            process.freeze()

    def thaw(self) -> None:
        """Continue all processes."""
        for process in self._processes:
            process.thaw()


def _index(partition: Mapping[str, Any]) -> int:
    return int(partition["partition_index"])


def _all_in_sync(admin: Any) -> bool:
    partitions = [each for topic in admin.describe_topics() for each in topic["partitions"]]
    return all(set(each["isr_nodes"]) == set(each["replica_nodes"]) for each in partitions)
