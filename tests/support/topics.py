"""Creates topics for tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kafka import KafkaAdminClient


def create_topic(bootstrap: str, name: str, *, partitions: int = 1, settings: Mapping[str, str] | None = None) -> None:
    """Create a topic and return once clients can use it."""
    with admin(bootstrap) as client:
        topic = {"num_partitions": partitions, "replication_factor": 1, "configs": dict(settings or {})}
        client.create_topics({name: topic}, timeout_ms=15_000)
        client.wait_for_topics([name], timeout_ms=15_000)


@contextmanager
def admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end of the context."""
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        yield client
    finally:
        client.close()
