"""Partitions are those of Kafka's own clients."""

import aiokafka.partitioner
import kafka.partitioner.default
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.partitioner import FEW, murmur2, murmur2_all, partitions_of

# From UtilsTest.testMurmur2 of the Java client.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
key_lists = st.lists(st.binary(max_size=70), max_size=3 * FEW)


@pytest.mark.parametrize(("key", "expected"), JAVA.items())
def test_java_client_agrees(key: bytes, expected: int) -> None:
    assert np.uint32(murmur2(key)).astype(np.int32) == expected


@given(st.binary(max_size=600))
def test_python_clients_agree(key: bytes) -> None:
    assert murmur2(key) == aiokafka.partitioner.murmur2(key) & 0xFFFFFFFF
    assert murmur2(key) == kafka.partitioner.default.murmur2(key) & 0xFFFFFFFF


@given(key_lists)
def test_many_at_once_are_the_same_as_one_by_one(keys: list[bytes]) -> None:
    assert murmur2_all(keys).tolist() == [murmur2(key) for key in keys]


@pytest.mark.parametrize("length", [*range(10), 36, 64, 255])
def test_keys_of_one_length(length: int) -> None:
    keys = [bytes([i % 256]) * length for i in range(300)]
    assert murmur2_all(keys).tolist() == [murmur2(key) for key in keys]


@given(key_lists, st.integers(1, 300))
def test_partitions_are_those_of_aiokafka(keys: list[bytes], count: int) -> None:
    default, everything = aiokafka.partitioner.DefaultPartitioner(), list(range(count))
    assert partitions_of(keys, count) == [default(key, everything, everything) for key in keys]
