"""Three Apache Kafka nodes on loopback, each broker and controller: everything is stored three times."""

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
# A broker that does not answer for 3 s is no longer waited for, in place of 30 s: a test has no patience.
SETTINGS = replication(len(NODES), LEAST_IN_SYNC) | {
    "replica.lag.time.max.ms": "5000",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
}


class KafkaCluster:
    """Three nodes whose data survive whatever is done to them, for two of three hold every acknowledged record.

    `nodes` are servers of their own: `cluster.nodes[2].kill()`, `.start()`, `.process.freeze()`. What the cluster
    itself does, it does to all of them.

    Parameters
    ----------
    directory
        A directory for each node is made in it.
    proxy_ports
        Where a proxy to each node listens (see `KafkaNode`), by node; none: no proxies.
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
        """The bootstrap servers for a client: all three, for any may be away."""
        return ",".join(node.bootstrap for node in self.nodes.values())

    @property
    def proxied_bootstrap(self) -> str:
        """The bootstrap servers for a client that shall go through the proxies."""
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
        """Start every node that does not run; returns once all three know each other. Raises `StartError`."""
        down = [node for node in self.nodes.values() if not node.running]
        with ThreadPoolExecutor(len(NODES)) as pool:  # a JVM each; the nodes themselves must be this thread's children
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
        """Stop every node with SIGTERM, and SIGKILL after `deadline` seconds; no node has to wait for another."""
        with ThreadPoolExecutor(len(NODES)) as pool:
            list(pool.map(lambda node: node.terminate(deadline), self.nodes.values()))

    def kill(self) -> None:
        """Kill every node, as a power cut would."""
        for node in self.nodes.values():
            if node.running:
                node.kill()

    def restart(self) -> None:
        """Stop and start the nodes one after the other, each when all that is stored thrice is so again."""
        for node in self.nodes.values():
            node.restart()
            self.wait_in_sync()

    def poll(self) -> int | None:
        """Return the exit code of a node that has ended, or `None` while all run and before they ever ran."""
        return next((code for node in self.nodes.values() if (code := node.poll()) is not None), None)

    @property
    def process(self) -> Together:
        """The processes of all nodes, to be frozen together."""
        return Together(self)

    # --- who is who --------------------------------------------------------------------------------------------------

    def leader(self, topic: str, partition: int) -> int:
        """Return the node that leads a partition."""
        with self.admin() as admin:
            (described,) = admin.describe_topics([topic])
        return int(next(each["leader_id"] for each in described["partitions"] if _index(each) == partition))

    def controller(self) -> int:
        """Return the node that leads the controllers. What brokers call controller in metadata is any of them."""
        with self.admin() as admin:
            quorum = admin.describe_metadata_quorum()
        return int(quorum["topics"][0]["partitions"][0]["leader_id"])

    def in_sync(self) -> bool:
        """Whether every partition is stored on all of its nodes; not so while nobody tells."""
        with suppress(KafkaError, OSError), self.admin() as admin:  # what an election takes
            return _all_in_sync(admin)
        return False

    def wait_in_sync(self, within: float = IN_SYNC_WITHIN) -> None:
        """Wait until every partition is stored on all of its nodes; raises `StartError` when that takes too long."""
        self._wait(_all_in_sync, "are not in sync", within)

    def wipe(self, number: int) -> None:
        """Give a node an empty disk; returns once it has copied all from the other two."""
        self.discard(number)
        self.nodes[number].start()
        self.wait_in_sync()

    def discard(self, number: int) -> None:
        """Stop a node and take its disk away."""
        self.nodes[number].terminate()
        shutil.rmtree(self.nodes[number].data)

    def answering(self) -> list[str]:
        """List the nodes that answer now; a kafka-python client waits 30 s for a frozen one before it tries the next.

        Raises
        ------
        OSError
            When there is none.
        """
        found = []
        for node in self.nodes.values():
            with suppress(OSError):  # it does not answer, that is what is asked
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
        """Stop them from running until `thaw`."""
        for process in self._processes:
            process.freeze()

    def thaw(self) -> None:
        """Let them run on."""
        for process in self._processes:
            process.thaw()


def _index(partition: Mapping[str, Any]) -> int:
    return int(partition["partition_index"])


def _all_in_sync(admin: Any) -> bool:
    partitions = [each for topic in admin.describe_topics() for each in topic["partitions"]]
    return all(set(each["isr_nodes"]) == set(each["replica_nodes"]) for each in partitions)
