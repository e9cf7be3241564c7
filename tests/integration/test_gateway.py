"""What the gateway has acknowledged is in Kafka, where every other client would have put it."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from kafka.partitioner.default import murmur2

from streams.contracts.topics import VOTES
from tests.support.eventually import eventually
from tests.support.gateway import GatewayProcess, create_topics, gateway_process, read_topic
from tests.support.http import PLAIN
from tests.support.stack import TestBroker


@pytest.fixture
def gateway(broker: TestBroker, topic_prefix: str, tmp_path: Path) -> Iterator[GatewayProcess]:
    create_topics(broker.bootstrap, topic_prefix)
    gateway = gateway_process(broker.bootstrap, topic_prefix, tmp_path, ISONOMY_BODY_LIMIT="2000000")
    with gateway.process:
        gateway.wait("/readyz")
        yield gateway


def vote(identity: str, **changes: object) -> bytes:
    fields = {"id": identity, "model_a": "x", "model_b": "y", "winner": "tie", "tstamp": time.time()}
    return msgspec.json.encode(fields | changes)


def votes_of(broker: TestBroker, topic_prefix: str) -> dict[bytes, bytes]:
    """Each vote's value by its key, with every record checked to be in its partition, and there once."""
    records = read_topic(broker.bootstrap, topic_prefix + "votes")
    for record in records:
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % VOTES.partitions
    found = {record.key: record.value for record in records}
    assert len(found) == len(records)
    return found


def test_acknowledged_votes_of_every_shape_are_in_their_partitions_as_they_were_sent(
    gateway: GatewayProcess, broker: TestBroker, topic_prefix: str
) -> None:
    sent = {f"vote-{i}".encode(): vote(f"vote-{i}", extra=i) for i in range(90)}
    values = list(sent.values())
    with gateway.client() as client:
        for value in values[:30]:
            assert client.post("/v1/votes", content=value).json() == {"accepted": 1, "rejected": []}
        array = b"[" + b" , ".join([*values[30:60], b"7"]) + b"]"
        assert client.post("/v1/votes", content=array).json()["accepted"] == 30
        lines = b"\n".join([b"oops", *values[60:]])
        answer = client.post("/v1/votes", content=lines, headers={"Content-Type": "application/x-ndjson"})
        assert answer.json()["accepted"] == 30
        assert [each["index"] for each in answer.json()["rejected"]] == [0]
    assert votes_of(broker, topic_prefix) == sent


def test_a_body_of_several_record_batches_keeps_its_order(
    gateway: GatewayProcess, broker: TestBroker, topic_prefix: str
) -> None:
    big = {"note": "n" * 60_000}  # thirty of them are one partition's batch and more
    values = [vote(f"vote-{i}", **big) for i in range(32)] + [vote(f"small-{i}") for i in range(500)]
    same_partition = [value for value in values if _partition(value) == _partition(values[0])]
    with gateway.client() as client:
        assert client.post("/v1/votes", content=b"\n".join(values)).json()["accepted"] == len(values)
    records = read_topic(broker.bootstrap, topic_prefix + "votes")
    assert len(records) == len(values)
    assert [each.value for each in records if each.partition == _partition(values[0])] == same_partition


def _partition(value: bytes) -> int:
    key: str = msgspec.json.decode(value)["id"]
    return (murmur2(key.encode()) & 0x7FFFFFFF) % VOTES.partitions


async def test_single_votes_of_many_connections_are_each_there_once(
    gateway: GatewayProcess, broker: TestBroker, topic_prefix: str
) -> None:
    sent = {f"vote-{i}".encode(): vote(f"vote-{i}") for i in range(200)}
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(
        base_url=gateway.url, headers=gateway.headers, timeout=30, **PLAIN, limits=limits
    ) as client:
        answers = await asyncio.gather(*(client.post("/v1/votes", content=value) for value in sent.values()))
    assert {answer.status_code for answer in answers} == {202}
    assert votes_of(broker, topic_prefix) == sent
    series = httpx.get(gateway.url + "/metrics", **PLAIN).text
    assert 'isonomy_gateway_votes_total{outcome="accepted"} 200.0' in series


def test_a_model_is_declared_and_its_removal_is_a_tombstone(
    gateway: GatewayProcess, broker: TestBroker, topic_prefix: str
) -> None:
    body = {"provider": "p", "license": "open_weight", "visibility": "public", "status": "active", "weight": 2}
    path = "/v1/arenas/text/models/meta-llama%2FLlama-3"
    with gateway.client() as client:
        assert client.put(path, json=body).status_code == 202
        assert client.delete(path.replace("%2F", "/")).status_code == 202
    declared, removed = read_topic(broker.bootstrap, topic_prefix + "models")
    assert declared.key == removed.key == b"text/meta-llama/Llama-3"
    assert msgspec.json.decode(declared.value)["weight"] == 2
    assert removed.value is None


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: 6000000\r\n", b"[" * 6_000_000),
        (b"Transfer-Encoding: chunked\r\n", b"3e8\r\n" + b"[" * 1000 + b"\r\n"),  # without an end
        (b"Content-Length: 10000000000\r\n", b""),
    ],
    ids=["as declared", "endless", "declared only"],
)
def test_a_body_over_the_limit_is_answered_and_does_no_harm(
    gateway: GatewayProcess, headers: bytes, body: bytes
) -> None:
    key = gateway.headers["Authorization"].encode()
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(b"POST /v1/votes HTTP/1.1\r\nHost: x\r\nAuthorization: " + key + b"\r\n" + headers + b"\r\n")
        answer = b""
        try:
            if headers.startswith(b"Transfer"):
                for _ in range(100_000):  # 100 MB, if they are taken
                    connection.sendall(body)
            elif body:
                connection.sendall(body)
            else:
                connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65_536):
                answer += more
        except (ConnectionResetError, BrokenPipeError):
            assert headers.startswith(b"Transfer")  # only who never ends is cut off
    if not headers.startswith(b"Transfer") and body:
        assert answer.startswith(b"HTTP/1.1 413")
        assert b'"reason":"body_too_large"' in answer
    with gateway.client() as client:
        assert client.post("/v1/votes", content=vote("after")).status_code == 202
    assert "Traceback" not in gateway.log()


def test_a_sender_that_does_not_read_what_is_wrong_may_send_again_when_it_has(
    broker: TestBroker, topic_prefix: str, tmp_path: Path
) -> None:
    create_topics(broker.bootstrap, topic_prefix)
    bounds = {"ISONOMY_BODIES_LIMIT": "0", "ISONOMY_BODY_LIMIT": "1000000"}  # a key holds as much as one largest body
    made = gateway_process(broker.bootstrap, topic_prefix, tmp_path, **bounds)
    body = b"[" + b"{}," * 20_000 + b",".join(vote(f"vote-{i}") for i in range(4_000)) + b"]"
    head = f"POST /v1/votes HTTP/1.1\r\nHost: x\r\nAuthorization: {made.headers['Authorization']}\r\n"
    with made.process, socket.socket() as connection, made.client() as client:
        made.wait("/readyz")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(30)
        address = urlsplit(made.url)
        connection.connect((address.hostname, address.port))
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = connection.recv(12)
        assert answer == b"HTTP/1.1 202"
        refused = client.post("/v1/votes", content=vote("meanwhile"))
        assert (refused.status_code, refused.json()["error"]["reason"]) == (429, "rate_limited")
        while not answer.endswith(b"]}"):
            answer += connection.recv(1_000_000)
        assert answer.count(b"missing_field") == 20_000
        eventually(lambda: client.post("/v1/votes", content=vote("after")).status_code == 202)
