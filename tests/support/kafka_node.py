"""One real Apache Kafka on loopback: a KRaft node that is broker and controller, run with `java`."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.local.ports import HOST, free_port
from services.local.process import StartError
from services.local.server import LocalServer
from services.local.wire import kafka_answers
from tests.support.kafka_jars import DESCRIPTION, kafka_libraries

FORMAT_WITHIN = 120.0
# Few internal partitions and no initial rebalance delay make starts and rebalances quick.
SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the controller refuses the broker until its old session has expired: 3 s instead of 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
# The compiler for long runs never pays off here: without it a start takes 8 s of a processor and not 13 s.
JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"]


def replication(factor: int, least_in_sync: int) -> dict[str, str]:
    """Return the settings for the replication factor of all topics, Kafka's own included, and min.insync.replicas."""
    return {
        "default.replication.factor": str(factor),
        "min.insync.replicas": str(least_in_sync),
        "offsets.topic.replication.factor": str(factor),
        "transaction.state.log.replication.factor": str(factor),
        "transaction.state.log.min.isr": str(least_in_sync),
        "share.coordinator.state.topic.replication.factor": str(factor),
        "share.coordinator.state.topic.min.isr": str(least_in_sync),
    }


@dataclass(frozen=True)
class Membership:
    """A node's part in its cluster.

    Parameters
    ----------
    node
        Number of the node.
    cluster
        Id of the cluster.
    controllers
        Node to the port of its controller, for all nodes.
    settings
        Settings of the cluster's nodes in addition to `SETTINGS`: `replication`, and those of a test.
    heap_mb
        Maximum heap in MB.
    """

    node: int
    cluster: str
    controllers: Mapping[int, int]
    settings: Mapping[str, str] = field(default_factory=dict)
    heap_mb: int = 512


def alone() -> Membership:
    """Return the membership of a single-node cluster, without replication."""
    return Membership(1, cluster_id(), {1: free_port()}, replication(1, 1))


class KafkaNode(LocalServer):
    """A Kafka node whose topics and offsets are in `directory` and survive a stop, a kill and a restart.

    Parameters
    ----------
    directory
        Directory of its settings, log and data.
    port
        The port for clients, or `None` for a free one; it stays the same after a restart.
    membership
        The node's part in a cluster, or `None` for a single-node cluster.
    proxy_port
        Port of a proxy to `proxied_port`. This listener advertises the proxy's port, so clients that bootstrap through
        the proxy keep using it. `None` for no such listener.
    """

    name = "kafka"
    ready_within = 120.0  # 4 s on an idle machine, 30 s seen on one with four times the work it can do

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        membership: Membership | None = None,
        proxy_port: int | None = None,
    ) -> None:
        super().__init__(directory, port)
        self.membership = membership or alone()
        self.proxy_port = proxy_port
        self.proxied_port = free_port()

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers for a client."""
        return self.address

    def argv(self) -> list[str]:
        """Write the settings, format the storage and return the command; raise `StartError` without Java."""
        settings = self._write_settings()
        self.format()
        return [*self._java(), "kafka.Kafka", str(settings)]

    def format(self) -> None:
        """Format the storage if it is not yet; raise `StartError` if that fails."""
        if not (self.data / "meta.properties").exists():
            _format(self._java(), self._write_settings(), self.membership.cluster)

    def answers(self) -> bool:
        """Whether the node answers a metadata request and knows its controller."""
        return kafka_answers(HOST, self.port)

    @property
    def data(self) -> Path:
        """Directory of the topics."""
        return self.directory / "data"

    def _java(self) -> list[str]:
        java = shutil.which("java")
        if java is None:
            raise StartError("Apache Kafka needs Java 17, and there is no java: apt install default-jre-headless")
        log = f"-Dlog4j2.configurationFile={DESCRIPTION / 'log4j2.xml'}"
        return [java, f"-Xmx{self.membership.heap_mb}m", *JVM, log, "-cp", f"{kafka_libraries()}/*"]

    def _write_settings(self) -> Path:
        member = self.membership
        controller = f"CONTROLLER://{HOST}:{member.controllers[member.node]}"
        listeners = advertised = f"PLAINTEXT://{self.address}"
        if self.proxy_port is not None:
            listeners += f",PROXIED://{HOST}:{self.proxied_port}"
            advertised += f",PROXIED://{HOST}:{self.proxy_port}"
        places = {
            "node.id": str(member.node),
            "listeners": f"{listeners},{controller}",
            "advertised.listeners": advertised,
            "controller.quorum.voters": ",".join(f"{node}@{HOST}:{port}" for node, port in member.controllers.items()),
            "log.dirs": str(self.data),
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "server.properties"
        settings = SETTINGS | dict(member.settings) | places
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return path


def _format(java: list[str], settings: Path, cluster: str) -> None:
    command = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(settings)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_WITHIN, check=False)
    except subprocess.TimeoutExpired as error:
        raise StartError(f"Kafka's storage was not formatted within {FORMAT_WITHIN:g} s") from error
    if done.returncode != 0:
        raise StartError(f"Kafka's storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")


def cluster_id() -> str:
    """Return a new id in Kafka's form, a UUID in URL-safe base 64, without a leading dash, which would be an option."""
    number = uuid.uuid4().bytes
    # Without its top bit the first byte encodes to a letter; one in 64 ids would start with "-" otherwise.
    return urlsafe_b64encode(bytes([number[0] & 0x7F]) + number[1:]).rstrip(b"=").decode()
