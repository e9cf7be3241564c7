"""A gateway as a real process, and a reader of its topics with another client library."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from services.http.api_keys import new_key
from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from streams.contracts.topics import MODELS, VOTES
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess
from tests.support.http import PLAIN

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCE_TIMEOUT = 20.0
"""Seconds: on a busy machine, the first write may take longer than the gateway's default timeout."""
SERVE = (
    "import os; from services.gateway.app import serve; from streams.contracts.settings import Settings; "
    "serve(Settings.from_env(os.environ))"
)


@dataclass
class GatewayProcess:
    """One gateway process.

    Parameters
    ----------
    process
        The process, to send signals to it.
    url
        URL of the gateway.
    headers
        Headers with a key for all arenas.
    """

    process: ChildProcess
    url: str
    headers: dict[str, str]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30, **PLAIN)

    def wait(self, path: str, status: int = 200) -> None:
        def answers() -> bool:
            assert self.process.alive, self.log()
            try:
                return httpx.get(self.url + path, **PLAIN).status_code == status
            except httpx.TransportError:
                return False

        eventually(answers, deadline=30)

    def log(self) -> str:
        return self.process.log_path.read_text()


def gateway_process(bootstrap: str, topic_prefix: str, directory: Path, **environ: str) -> GatewayProcess:
    """A gateway process that is not started yet."""
    secret, line = new_key("test", "*")
    keys = directory / "keys"
    keys.write_text(f"{line}\n")
    port = free_port()
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "ISONOMY_TOPIC_PREFIX": topic_prefix,
        "ISONOMY_API_KEYS_FILE": str(keys),
        "ISONOMY_GATEWAY_PORT": str(port),
        "ISONOMY_PRODUCE_TIMEOUT": str(PRODUCE_TIMEOUT),
        **environ,
    }
    process = ForkedProcess(
        "gateway", [sys.executable, "-c", SERVE], log_path=directory / "gateway.log", env=env, cwd=REPOSITORY
    )
    return GatewayProcess(process, f"http://{HOST}:{port}", {"Authorization": f"Bearer {secret}"})


def create_topics(bootstrap: str, topic_prefix: str) -> None:
    """Create the gateway's two topics as in the contract."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(topic_prefix + topic.name, topic.partitions, 1) for topic in (VOTES, MODELS)])
    finally:
        admin.close()


def read_topic(bootstrap: str, topic: str) -> list[Any]:
    """All records of a topic, partition by partition, each in its order."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    try:
        partitions = [TopicPartition(topic, each) for each in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[Any]] = {each: [] for each in partitions}

        quiet = 0

        def all_read() -> bool:
            nonlocal quiet
            fetched = consumer.poll(timeout_ms=300)
            for partition, records in fetched.items():
                found[partition] += records
            quiet = 0 if fetched else quiet + 1
            # The end offset is not enough: the embedded broker reports the first offset of the last batch plus one.
            return quiet >= 2 and all(consumer.position(each) >= ends[each] for each in partitions)

        eventually(all_read, deadline=90)
        return [record for each in partitions for record in found[each]]
    finally:
        consumer.close()
