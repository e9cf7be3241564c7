"""What is packed comes out as it was; what holds more than the bound is refused before it is there."""

import gzip
import tracemalloc
from collections.abc import Callable
from typing import Any

import cramjam
import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.memory_records import _MemoryRecordsPy as PlainMemoryRecords
from kafka.record.memory_records import MemoryRecords as KafkaPythonRecords

from streams.contracts import unpack
from streams.contracts.connect import aiokafka_options, kafka_python_options
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.unpack import CannotUnpack

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
PACK = {
    "gzip_decode": gzip_encode,
    "lz4_decode": lz4_encode,
    "snappy_decode": snappy_encode,
    "zstd_decode": zstd_encode,
}
VOTES = b"".join(b'{"id":"%d","winner":"tie"}' % number for number in range(40_000))


def batch(codec: str, value: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], 0, -1, -1, -1, 1 << 30)
    builder.append(0, 1_700_000_000_000, b"key", value, [])
    return bytes(builder.build())


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("text", [b"", b"x", VOTES, bytes(3_000_000)], ids=["empty", "short", "votes", "zeros"])
def test_what_was_packed_comes_out(name: str, text: bytes) -> None:
    assert unpack.DECODERS[name](PACK[name](text)) == text


def test_raw_snappy_and_several_members_of_gzip_come_out() -> None:
    assert unpack.DECODERS["snappy_decode"](bytes(cramjam.snappy.compress_raw(VOTES))) == VOTES
    assert unpack.DECODERS["gzip_decode"](gzip.compress(VOTES) + gzip.compress(b"more")) == VOTES + b"more"


@pytest.mark.parametrize("name", PACK)
def test_what_is_broken_is_said_to_be_corrupt(name: str) -> None:
    packed = PACK[name](VOTES)
    with pytest.raises(CannotUnpack, match="broken"):
        unpack.DECODERS[name](packed[: len(packed) // 2])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    ("options", "read"),
    [
        (aiokafka_options, MemoryRecords),
        (aiokafka_options, PlainMemoryRecords),
        (kafka_python_options, KafkaPythonRecords),
    ],
)
def test_the_readers_of_batches_use_the_bound(
    codec: str,
    options: Callable[[KafkaSettings], object],
    read: Callable[[bytes], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options(KafkaSettings())
    raw = batch(codec, VOTES)
    assert [record.value for record in read(raw).next_batch()] == [VOTES]
    monkeypatch.setattr(unpack, "MOST_BYTES", len(VOTES) // 2)
    with pytest.raises(CannotUnpack, match="unpacked"):
        list(read(raw).next_batch())


@pytest.mark.parametrize("name", PACK)
def test_no_more_than_the_bound_is_ever_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MOST_BYTES", 1_000_000)
    packed = PACK[name](bytes(20_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(CannotUnpack, match="unpacked"):
            unpack.DECODERS[name](packed)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
