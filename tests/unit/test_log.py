"""What the log does when its client is slow, gives nothing, or does not start."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, GroupAuthorizationFailedError, IllegalStateError

from streams.contracts.setting_groups import KafkaSettings
from streams.kafka import consumer as module
from streams.kafka import fetch
from streams.kafka.consumer import Log
from streams.kafka.fetch import Rebalanced

VOTES = [TopicPartition("votes", number) for number in range(2)]


class Consumer:
    """A client that can be held up, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[TopicPartition, ...]] = []
        self.held_up = False
        self.stopped = False
        self.end: int | None = None
        self.stands: dict[TopicPartition, int] = {}
        self._client = SimpleNamespace(_conns={})
        self._subscription = SimpleNamespace(reassignment_in_progress=False)
        self._fetcher = SimpleNamespace(_fetch_max_wait_ms=0, _prefetch_backoff=0.1)

    def subscribe(self, topics: Sequence[str], listener: Any) -> None:
        pass

    def assignment(self) -> set[TopicPartition]:
        return set(VOTES)

    async def start(self) -> None:
        raise GroupAuthorizationFailedError("isonomy.intake")

    async def stop(self) -> None:
        self.stopped = True

    def highwater(self, at: TopicPartition) -> int | None:
        return self.end

    def last_stable_offset(self, at: TopicPartition) -> int | None:
        return self.end

    def seek(self, at: TopicPartition, offset: int) -> None:
        self.stands[at] = offset

    async def position(self, at: TopicPartition) -> int:
        if at not in VOTES:
            raise IllegalStateError("not assigned")
        return 0

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        self.asked.append(partitions)
        if self.held_up:
            await asyncio.Event().wait()
        return {}


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    made = Consumer()
    monkeypatch.setattr(module, "make_member", lambda settings, group: made)
    monkeypatch.setattr(fetch, "REBALANCE_GRACE", 0.01)
    return made


def make_log() -> Log:
    return Log(KafkaSettings(), "intake", ["votes"], None, max_records=10, evenly=True)  # type: ignore[arg-type]  # unused


async def test_where_every_partition_is_left_out_nothing_is_fetched_of_any(consumer: Consumer) -> None:
    """Asked for no partition, the client gives of all: what intake holds back would grow with the backlog."""
    log = make_log()
    log.leave_out(VOTES)
    assert await log._fetch_evenly(0) == {}
    assert consumer.asked
    assert not any(set(partitions) & set(VOTES) or not partitions for partitions in consumer.asked)


async def test_a_fetch_that_was_held_up_is_a_rebalance_only_when_there_is_one(consumer: Consumer) -> None:
    log = make_log()
    consumer.held_up = True
    assert await log.fetch(*VOTES, timeout_ms=0, max_records=1) == {}
    consumer._subscription.reassignment_in_progress = True
    with pytest.raises(Rebalanced):
        await log.fetch(*VOTES, timeout_ms=0, max_records=1)


async def test_a_client_that_does_not_start_is_stopped(consumer: Consumer) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await make_log().run()
    assert consumer.stopped


UNREADABLE = CorruptRecordException()


async def test_nothing_is_waited_for_where_the_last_fetch_has_said_that_nothing_is_there(consumer: Consumer) -> None:
    """One batch that cannot be read would hold everybody's votes up, for as long as `models` is empty."""
    log = make_log()
    for at in VOTES:
        log.seek(at, 0)
    consumer.end = 0
    assert await log._carefully(VOTES, 10, UNREADABLE) == {}
    assert consumer.asked == []
    consumer.end = 1
    log._careful_ms = 0
    assert await log._carefully(VOTES, 10, UNREADABLE) == {}
    assert consumer.asked == [(VOTES[0],), (VOTES[1],)]


async def test_a_rebalance_does_not_wait_for_a_careful_look(consumer: Consumer) -> None:
    log = make_log()
    for at in VOTES:
        log.seek(at, 7)
    consumer.stands.clear()
    consumer._subscription.reassignment_in_progress = True
    with pytest.raises(Rebalanced):
        await log._carefully(VOTES, 10, UNREADABLE)
    assert len(consumer.asked) == 1
    assert consumer.stands == dict.fromkeys(VOTES, 7), "what was read belongs to the next owner"


@pytest.mark.parametrize(("versions", "longest"), [((75,), 1_000), ((23, 75), 0)], ids=["embedded", "Kafka"])
async def test_in_a_take_over_the_embedded_broker_is_let_look_longer(
    consumer: Consumer, versions: tuple[int] | tuple[int, int], longest: int
) -> None:
    """It brings nothing until it has looked through all its batches, also to a worker that has just started."""
    consumer._client._conns[0] = SimpleNamespace(_versions=versions)
    log = make_log()
    for _ in range(10):
        await log.fetch(*VOTES, timeout_ms=0, max_records=1)
    assert consumer._fetcher._fetch_max_wait_ms == longest
    log.active = True
    consumer._fetcher._fetch_max_wait_ms = 7
    await log.fetch(*VOTES, timeout_ms=0, max_records=1)
    assert consumer._fetcher._fetch_max_wait_ms == 7, "in steady running each turn decides, not each fetch"
