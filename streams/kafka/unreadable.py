"""Finds a record batch that no client can read by its raw bytes, so that it can be parked and reading can continue.

The header of a batch is never compressed, so the offsets that it spans are known even when a codec is missing or the
payload is broken (format: kafka.apache.org, "Record Batch").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    IllegalOperation,
    KafkaError,
    UnsupportedCodecError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = struct.Struct(">qi")
_HEADER = struct.Struct(">qiibIhi")
"""Base offset, length, leader epoch, magic, checksum, attributes, last offset delta."""
_CODECS = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_READ_COMMITTED = 1
_NO_BATCHS = (KafkaError, ConsumerStoppedError, IllegalOperation, MemoryError, OSError, ImportError)
MOST_BYTES = 4 * 1024 * 1024
WAIT_MS = 500


@dataclass(frozen=True, slots=True)
class UnreadableBatch:
    """A batch as stored in the log, and why it cannot be read.

    `offset` and `last` are the offsets of its first and last record, `raw` its bytes, header included.
    """

    partition: TopicPartition
    offset: int
    last: int
    raw: bytes
    why: str


def is_of_a_batch(error: Exception) -> bool:
    """Whether a batch may have caused a fetch error; a codec library may raise any exception.

    Lack of memory, of files or of the library itself is a fault of this process: another may read the batch.

    >>> is_of_a_batch(ValueError("broken")), is_of_a_batch(CorruptRecordException()), is_of_a_batch(KafkaError())
    (True, True, False)
    >>> is_of_a_batch(ConsumerStoppedError()), is_of_a_batch(MemoryError())
    (False, False)
    """
    if isinstance(error, (UnsupportedCodecError, CorruptRecordException)):
        return True
    return not isinstance(error, _NO_BATCHS)


async def look(consumer: AIOKafkaConsumer, partition: TopicPartition, position: int) -> UnreadableBatch | None:
    """Fetch batches as bytes from a position on, and return the first that cannot be read; None when there is none.

    Batches before it hold nothing for a reader, which would have received it: they are of an aborted transaction, or
    the marker at the end of one.
    """
    leader = consumer._client.cluster.leader_for_partition(partition)
    if leader is None or leader < 0:
        return None
    while True:
        topics = [(partition.topic, [(partition.partition, position, MOST_BYTES)])]
        answer = await consumer._client.send(leader, FetchRequest(WAIT_MS, 1, MOST_BYTES, _READ_COMMITTED, topics))
        before = position
        for _, partitions in answer.topics:
            for _, error, _, *rest in partitions:
                if error:
                    raise for_code(error)(f"{partition.topic}/{partition.partition} at offset {position}")
                for batch in _batches(partition, rest[-1] or b""):
                    why = _fault(batch.raw) if batch.last >= position else None
                    if why is not None:
                        return UnreadableBatch(partition, batch.offset, batch.last, batch.raw, why)
                    position = max(position, batch.last + 1)
        if position == before:
            return None


def _batches(partition: TopicPartition, raw: bytes) -> Iterator[UnreadableBatch]:
    """Split the bytes of a fetch into batches; an incomplete last one is left out."""
    at = 0
    while at + _HEADER.size <= len(raw):
        base, length = _LENGTH.unpack_from(raw, at)
        end = at + _LENGTH.size + length
        if length <= 0 or end > len(raw):
            return
        magic, delta = _HEADER.unpack_from(raw, at)[3], _HEADER.unpack_from(raw, at)[6]
        # Before version 2 of the format, a batch is one record.
        yield UnreadableBatch(partition, base, base + (delta if magic >= 2 else 0), raw[at:end], "")
        at = end


def _fault(raw: bytes) -> str | None:
    """Why a batch cannot be read; None when it can."""
    attributes = _HEADER.unpack_from(raw)[5]
    codec = _CODECS.get(attributes & 7, f"unknown codec {attributes & 7}")
    try:
        batch = MemoryRecords(raw).next_batch()
        if not batch.validate_crc():
            return f"{len(raw)} bytes ({codec}): the checksum does not fit"
        for _ in batch:
            pass
    except Exception as error:
        if not is_of_a_batch(error):
            raise
        return f"{len(raw)} bytes ({codec}): {type(error).__name__}: {error}"
    return None
