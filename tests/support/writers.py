"""Writes like foreign clients: transactions, and batches in a codec that a process may lack."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

needs_transactions = pytest.mark.skipif(
    os.environ.get("ISONOMY_TEST_BROKER", "embedded") == "embedded",
    reason="the embedded broker has no transactions; ISONOMY_TEST_BROKER=kafka starts an Apache Kafka",
)

_UNPACKS_NOTHING = """
class Codec:
    def __getattr__(self, name):
        def fails(*_, **__):
            raise ValueError("this process unpacks nothing")
        return fails

snappy = lz4 = zstd = Codec()
class DecompressionError(Exception):
    pass
"""
Records = Iterable[tuple[bytes | None, bytes | None]]


@contextmanager
def transaction(bootstrap: str, topic: str, records: Records, *, commit: bool) -> Iterator[None]:
    """Write records in a transaction that is open inside the context, and committed or aborted when it ends."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"test-{secrets.token_hex(4)}")
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for future in [producer.send(topic, key=key, value=value) for key, value in records]:
            future.get(timeout=30)
        yield
        (producer.commit_transaction if commit else producer.abort_transaction)()
    finally:
        producer.close()


def committed(bootstrap: str, topic: str, records: Records) -> None:
    """Write records in one committed transaction."""
    with transaction(bootstrap, topic, records, commit=True):
        pass


def aborted(bootstrap: str, topic: str, records: Records) -> None:
    """Write records in one aborted transaction."""
    with transaction(bootstrap, topic, records, commit=False):
        pass


async def write_packed(bootstrap: str, topic: str, key: bytes, value: bytes) -> int:
    """Write a record in a batch compressed with snappy; returns its offset."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="snappy")
    await producer.start()
    try:
        offset: int = (await producer.send_and_wait(topic, value, key=key)).offset
        return offset
    finally:
        await producer.stop()


def without_codecs(directory: Path) -> dict[str, str]:
    """Environment of a process without the codec library (cramjam); a worker does not start in it."""
    (directory / "cramjam.py").write_text('raise ImportError("this process has none")\n')
    return {"PYTHONPATH": str(directory)}


def cannot_unpack(directory: Path) -> dict[str, str]:
    """Environment of a process that cannot decompress: every compressed batch is unreadable."""
    (directory / "cramjam.py").write_text(_UNPACKS_NOTHING)
    return {"PYTHONPATH": str(directory)}
