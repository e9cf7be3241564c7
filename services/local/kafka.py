"""One real Apache Kafka on loopback: a KRaft node that is broker and controller, run with `java`."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from services.local.kafka_jars import DESCRIPTION, kafka_libraries
from services.local.ports import HOST, free_port
from services.local.process import StartError
from services.local.server import Server
from services.local.wire import kafka_answers

FORMAT_WITHIN = 120.0
# One node cannot replicate. Few internal partitions and no wait for more members make it start and rebalance quickly.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the controller refuses the broker until its old session has expired: 3 s instead of 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]


class KafkaNode(Server):
    """A Kafka whose topics and offsets are in `directory` and survive a stop, a kill and a new start.

    Parameters
    ----------
    directory
        Its settings, log and data.
    port
        The port for clients, or `None` for a free one; clients need the same one after a restart.
    """

    name = "kafka"
    ready_within = 120.0  # 4 s on an idle machine, 30 s seen on one with four times the work it can do

    def __init__(self, directory: Path, port: int | None = None) -> None:
        super().__init__(directory, port)
        self.controller_port = free_port()

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers for a client."""
        return self.address

    def argv(self) -> list[str]:
        """Return the command, with the settings written and the storage formatted; raise `StartError` without Java."""
        java = shutil.which("java")
        if java is None:
            raise StartError("Apache Kafka needs Java 17, and there is no java: apt install default-jre-headless")
        run = [java, *JVM, f"-Dlog4j2.configurationFile={DESCRIPTION / 'log4j2.xml'}", "-cp", f"{kafka_libraries()}/*"]
        settings = self._write_settings()
        if not (self.data / "meta.properties").exists():
            _format(run, settings)
        return [*run, "kafka.Kafka", str(settings)]

    def answers(self) -> bool:
        """Whether it answers a metadata request and knows its controller."""
        return kafka_answers(HOST, self.port)

    @property
    def data(self) -> Path:
        """Where the topics are."""
        return self.directory / "data"

    def _write_settings(self) -> Path:
        client, controller = f"PLAINTEXT://{self.address}", f"CONTROLLER://{HOST}:{self.controller_port}"
        places = {
            "listeners": f"{client},{controller}",
            "advertised.listeners": client,
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "log.dirs": str(self.data),
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in (SETTINGS | places).items()))
        return path


def _format(run: list[str], settings: Path) -> None:
    tool = [*run, "kafka.tools.StorageTool", "format"]
    command = [*tool, "--cluster-id", cluster_id(), "--config", str(settings)]
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
