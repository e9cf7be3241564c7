"""A vote is acknowledged or refused, whatever happens to Kafka or to the gateway."""

import asyncio
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support.eventually import PATIENCE, eventually, eventually_async
from tests.support.gateway import GatewayProcess, create_topics, gateway_process, read_topic
from tests.support.http import PLAIN
from tests.support.stack import TestBroker, make_broker

pytestmark = pytest.mark.integration

PRODUCE_TIMEOUT = 2.0
SLACK = 10.0
"""Seconds beyond produce_timeout for an answer, on a busy machine."""


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[TestBroker]:
    """A broker for one test, not started yet: the shared one is not for stopping."""
    broker = make_broker(tmp_path / "broker")
    if broker.server is None:
        pytest.skip("this broker is not ours to stop")
    try:
        yield broker
    finally:
        broker.server.terminate()


@pytest.fixture
def gateway(own_broker: TestBroker, topic_prefix: str, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that is started; its broker is not."""
    gateway = gateway_process(
        own_broker.bootstrap, topic_prefix, tmp_path, ISONOMY_PRODUCE_TIMEOUT=str(PRODUCE_TIMEOUT)
    )
    with gateway.process:
        gateway.wait("/healthz")
        yield gateway


@pytest.fixture
def ready(gateway: GatewayProcess, own_broker: TestBroker, topic_prefix: str) -> GatewayProcess:
    own_broker.owned().start()
    create_topics(own_broker.bootstrap, topic_prefix)
    gateway.wait("/readyz")
    return gateway


def vote(identity: str) -> dict[str, object]:
    return {"id": identity, "model_a": "x", "model_b": "y", "winner": "tie", "tstamp": time.time()}


def refused(client: httpx.Client, within: float = PRODUCE_TIMEOUT + SLACK) -> dict[str, str]:
    """Reason and detail of a vote that is refused in time."""
    began = time.monotonic()
    answer = client.post("/v1/votes", json=vote("refused"))
    assert time.monotonic() - began < within * PATIENCE
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    error: dict[str, str] = answer.json()["error"]
    return error


def accepted(client: httpx.Client, identity: str) -> bool:
    return client.post("/v1/votes", json=vote(identity)).status_code == 202


def keys_of(broker: TestBroker, topic_prefix: str) -> set[str]:
    return {record.key.decode() for record in read_topic(broker.bootstrap, topic_prefix + "votes")}


def test_it_starts_without_kafka_and_without_topics_and_takes_votes_when_they_come(
    gateway: GatewayProcess, own_broker: TestBroker, topic_prefix: str
) -> None:
    with gateway.client() as client:
        assert client.get("/readyz").status_code == 503
        assert refused(client, within=SLACK)["reason"] == "unavailable"
        own_broker.owned().start()
        eventually(lambda: "does not exist" in refused(client, within=SLACK)["detail"])
        assert "does not exist" in client.get("/readyz").text
        create_topics(own_broker.bootstrap, topic_prefix)
        eventually(lambda: accepted(client, "first"))
        assert client.get("/readyz").status_code == 200
    assert keys_of(own_broker, topic_prefix) == {"first"}


def test_when_kafka_stops_votes_are_refused_and_when_it_is_back_they_are_taken(
    ready: GatewayProcess, own_broker: TestBroker, topic_prefix: str
) -> None:
    with ready.client() as client:
        eventually(lambda: accepted(client, "before"), deadline=30)
        own_broker.owned().terminate()
        refused(client)
        eventually(lambda: refused(client)["reason"] == "unavailable")  # known by now, so said at once
        assert client.get("/readyz").status_code == 503
        own_broker.owned().start()
        if not own_broker.durable:
            create_topics(own_broker.bootstrap, topic_prefix)
        eventually(lambda: accepted(client, "after"), deadline=30)
    assert keys_of(own_broker, topic_prefix) >= {"after"}


def test_when_kafka_freezes_the_answer_comes_in_time_and_says_that_the_outcome_is_not_known(
    ready: GatewayProcess, own_broker: TestBroker, topic_prefix: str
) -> None:
    with ready.client() as client:
        eventually(lambda: accepted(client, "before"), deadline=30)
        own_broker.owned().process.freeze()
        error = refused(client)
        assert error["reason"] == "unconfirmed"
        assert "same ids" in error["detail"]
        own_broker.owned().process.thaw()
        eventually(lambda: accepted(client, "after"), deadline=30)
        # An unconfirmed vote is sent again with its id; it may then be there twice, and counts once.
        eventually(lambda: accepted(client, "refused"), deadline=30)
    assert keys_of(own_broker, topic_prefix) == {"before", "refused", "after"}


@dataclass
class Answers:
    """The responses that one sender got so far: acknowledged ids, and other statuses."""

    acknowledged: list[str] = field(default_factory=list)
    others: list[int] = field(default_factory=list)


async def send(gateway: GatewayProcess, name: str, answers: Answers, enough: asyncio.Event) -> None:
    """Post votes one after the other until there is enough, or the connection ends."""
    async with httpx.AsyncClient(base_url=gateway.url, headers=gateway.headers, timeout=30, **PLAIN) as client:
        number = 0
        while not enough.is_set():
            number += 1
            ids = [f"{name}-{number}-{i}" for i in range(1 if number % 2 else 20)]
            try:
                answer = await client.post("/v1/votes", json=[vote(each) for each in ids])
            except httpx.TransportError:
                return
            if answer.status_code == 202:
                assert answer.json()["accepted"] == len(ids)
                answers.acknowledged += ids
            else:
                answers.others.append(answer.status_code)


async def under_load(gateway: GatewayProcess) -> tuple[list[Answers], asyncio.Event, list[asyncio.Task[None]]]:
    """Start eight senders and return once each has had votes acknowledged."""
    answers, enough = [Answers() for _ in range(8)], asyncio.Event()
    senders = [asyncio.create_task(send(gateway, f"s{i}", each, enough)) for i, each in enumerate(answers)]
    await eventually_async(lambda: all(len(each.acknowledged) > 20 for each in answers), deadline=60)
    return answers, enough, senders


async def test_no_acknowledged_vote_is_lost_when_the_gateway_is_stopped_under_load(
    ready: GatewayProcess, own_broker: TestBroker, topic_prefix: str
) -> None:
    answers, _, senders = await under_load(ready)
    ready.process.send(signal.SIGTERM)
    await asyncio.gather(*senders)
    assert await asyncio.to_thread(ready.process.wait, 15) == 0
    acknowledged = {each for answer in answers for each in answer.acknowledged}
    assert {status for answer in answers for status in answer.others} <= {503}  # a busy Kafka may take two seconds
    assert acknowledged <= keys_of(own_broker, topic_prefix)
    assert "Traceback" not in ready.log()


async def test_every_request_under_load_is_answered_in_time_when_kafka_is_killed(
    ready: GatewayProcess, own_broker: TestBroker
) -> None:
    answers, enough, senders = await under_load(ready)
    own_broker.owned().kill()
    await eventually_async(lambda: all(each.others for each in answers), deadline=PRODUCE_TIMEOUT + SLACK)
    enough.set()
    await asyncio.wait_for(asyncio.gather(*senders), PRODUCE_TIMEOUT + SLACK)
    assert {status for each in answers for status in each.others} == {503}
    assert ready.process.alive


def test_a_stop_while_kafka_is_away_is_quick_and_clean(ready: GatewayProcess, own_broker: TestBroker) -> None:
    own_broker.owned().process.freeze()
    try:
        with ready.client() as client:
            refused(client)
        ready.process.send(signal.SIGTERM)
        assert ready.process.wait(3 * PRODUCE_TIMEOUT + SLACK) == 0
    finally:
        own_broker.owned().process.thaw()
