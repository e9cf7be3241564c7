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
# Few internal partitions and no wait for more members make it start and rebalance quickly.
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
JVM = ["-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]


def replication(factor: int, least_in_sync: int) -> dict[str, str]:
    """Return the settings of how often topics are stored, Kafka's own among them, and how many copies a write needs."""
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
    """What a node must know of the cluster that it is part of.

    Parameters
    ----------
    node
        Its number.
    cluster
        The cluster's id.
    controllers
        Where the controller of every node listens, by node.
    settings
        What the nodes of this cluster have beside `SETTINGS`: `replication`, and whatever a test wants.
    heap_mb
        The most memory of its heap.
    """

    node: int
    cluster: str
    controllers: Mapping[int, int]
    settings: Mapping[str, str] = field(default_factory=dict)
    heap_mb: int = 512


def alone() -> Membership:
    """Return the membership of a node that is its whole cluster: it cannot replicate."""
    return Membership(1, cluster_id(), {1: free_port()}, replication(1, 1))


class KafkaNode(LocalServer):
    """A Kafka whose topics and offsets are in `directory` and survive a stop, a kill and a new start.

    Parameters
    ----------
    directory
        Its settings, log and data.
    port
        The port for clients, or `None` for a free one; clients need the same one after a restart.
    membership
        The cluster it is part of, or `None` for one of its own.
    proxy_port
        Where a proxy listens that leads to `proxied_port`. Who bootstraps through the proxy is told to come back
        through it, for a Kafka client goes where brokers say that they are. `None`: there is no such listener.
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
        """Return the command, with the settings written and the storage formatted; raise `StartError` without Java."""
        settings = self._write_settings()
        self.format()
        return [*self._java(), "kafka.Kafka", str(settings)]

    def format(self) -> None:
        """Make an empty storage where there is none; raise `StartError` when that cannot be done."""
        if not (self.data / "meta.properties").exists():
            _format(self._java(), self._write_settings(), self.membership.cluster)

    def answers(self) -> bool:
        """Whether it answers a metadata request and knows its controller."""
        return kafka_answers(HOST, self.port)

    @property
    def data(self) -> Path:
        """Where the topics are."""
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
    """Return a new id as Kafka writes them, a UUID in URL-safe base 64; never with a leading dash, as in an option."""
    number = uuid.uuid4().bytes
    # Without its top bit the first byte encodes to a letter; one in 64 ids would start with "-" otherwise.
    return urlsafe_b64encode(bytes([number[0] & 0x7F]) + number[1:]).rstrip(b"=").decode()
