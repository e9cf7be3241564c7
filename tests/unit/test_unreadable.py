"""Batches as bytes, cut out of a fetch, and the words for what is wrong with one."""

import struct

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c_py

from streams.kafka.unreadable import _HEADER, _LENGTH, _batches, _fault

AT = TopicPartition("votes", 2)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ATTRIBUTES = 21  # where they stand: base offset 8, length 4, leader epoch 4, magic 1, checksum 4


def batch(first: int = 100, count: int = 5, codec: int = 1) -> bytes:
    """A record batch as a producer of this codec writes it, numbered as a broker does."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number in range(count):
        builder.append(number, 1_700_000_000_000, b"key", b"value " * 20, [])
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, first)
    return bytes(raw)


def cut(raw: bytes) -> list[tuple[int, int, int, bytes]]:
    return [(each.partition, each.offset, each.last, each.raw) for each in _batches(AT, raw)]


def changed(raw: bytes, at: int, byte: int) -> bytes:
    return raw[:at] + bytes([byte]) + raw[at + 1 :]


def test_the_builder_s_attributes_stand_where_the_header_says() -> None:
    raw = batch(codec=CODECS["lz4"])
    assert raw[ATTRIBUTES + 1] & 7 == _HEADER.unpack_from(raw)[5] & 7 == CODECS["lz4"]


def test_a_fetch_is_cut_into_batches_with_the_offsets_that_they_span() -> None:
    one, two = batch(100, 5), batch(105, 1, codec=0)
    assert cut(one + two) == [(AT, 100, 104, one), (AT, 105, 105, two)]


@pytest.mark.parametrize("left", [1, _LENGTH.size - 1, _HEADER.size - 1, _HEADER.size, 90])
def test_a_batch_that_is_cut_off_is_left_out(left: int) -> None:
    one, two = batch(100, 5), batch(105, 5)
    assert cut(one + two[:left]) == [(AT, 100, 104, one)]
    assert cut(two[:left]) == []


@pytest.mark.parametrize("length", [0, -1, 2**31 - 1])
def test_a_length_that_cannot_be_ends_the_cutting(length: int) -> None:
    raw = bytearray(batch())
    struct.pack_into(">i", raw, 8, length)
    assert cut(bytes(raw)) == []


def test_nothing_is_no_batch() -> None:
    assert cut(b"") == []


@pytest.mark.parametrize("magic", [0, 1])
def test_before_version_2_of_the_format_a_batch_is_one_record(magic: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    builder.append(0, 1_700_000_000_000, b"key", b"value")
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, 77)
    assert cut(bytes(raw)) == [(AT, 77, 77, bytes(raw))]
    assert _fault(bytes(raw)) is None


@pytest.mark.parametrize("codec", CODECS)
def test_a_good_batch_of_any_codec_has_no_fault(codec: str) -> None:
    assert _fault(batch(codec=CODECS[codec])) is None


def test_a_checksum_that_does_not_fit_is_said() -> None:
    raw = batch()
    said = _fault(changed(raw, 17, raw[17] ^ 1))
    assert said == f"{len(raw)} bytes (gzip): the checksum does not fit"


def test_a_payload_that_was_changed_does_not_fit_its_checksum() -> None:
    raw = batch(codec=0)
    assert _fault(changed(raw, len(raw) - 3, raw[-3] ^ 1)) == f"{len(raw)} bytes (none): the checksum does not fit"


def with_checksum(raw: bytes) -> bytes:
    """The bytes with a length and a checksum that fit: broken before it was sent."""
    whole = bytearray(raw)
    struct.pack_into(">i", whole, 8, len(whole) - _LENGTH.size)
    struct.pack_into(">I", whole, 17, calc_crc32c_py(bytes(whole[ATTRIBUTES:])))
    return bytes(whole)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_payload_that_cannot_be_unpacked_is_said_with_its_codec(codec: str) -> None:
    raw = with_checksum(batch(codec=CODECS[codec])[:-12])
    said = _fault(raw)
    assert said is not None
    assert said.startswith(f"{len(raw)} bytes ({codec}): ")
    assert "checksum" not in said


@pytest.mark.parametrize("bits", [5, 6, 7])
def test_a_codec_that_nobody_knows_is_said_by_its_number(bits: int) -> None:
    raw = batch(codec=0)
    said = _fault(with_checksum(changed(raw, ATTRIBUTES + 1, bits)))
    assert said is not None
    assert said.startswith(f"{len(raw)} bytes (unknown codec {bits}): ")


def test_a_library_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    lz4 = batch(codec=CODECS["lz4"])
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    assert "(lz4): UnsupportedCodecError" in str(_fault(lz4))
