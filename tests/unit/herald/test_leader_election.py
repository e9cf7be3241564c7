"""Whether a herald that was fenced claims again: only while the group says that it is the chosen one."""

import asyncio

import pytest
from aiokafka import TopicPartition

from services.herald import leader_election as module
from services.herald.leader_election import Herald
from services.kafka.reader import SESSION_MS
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.topics import DELIVERIES

SETTINGS = Settings()
CHOSEN = [TopicPartition(SETTINGS.kafka.topic(DELIVERIES.name), 0)]


async def looked(herald: Herald) -> bool:
    """Whether the herald chooses itself a session after its term ended."""
    herald._chosen.clear()
    herald._choose_again()
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(SESSION_MS / 1000, over.set)  # right behind the herald's own look
    await over.wait()
    return herald._chosen.is_set()


@pytest.fixture
def herald(monkeypatch: pytest.MonkeyPatch) -> Herald:
    monkeypatch.setattr(module, "SESSION_MS", 20)
    return Herald(SETTINGS, Metrics())


async def test_it_claims_again_when_the_group_knows_no_other(herald: Herald) -> None:
    await herald.on_partitions_assigned(CHOSEN)
    assert await looked(herald)


async def test_it_stands_by_while_the_group_chooses(herald: Herald) -> None:
    """One that was frozen wakes, is fenced, and joins again: its client still has the old assignment."""
    await herald.on_partitions_assigned(CHOSEN)
    await herald.on_partitions_revoked(CHOSEN)
    assert not await looked(herald)


async def test_it_stands_by_when_the_group_chose_another(herald: Herald) -> None:
    await herald.on_partitions_assigned(CHOSEN)
    await herald.on_partitions_revoked(CHOSEN)
    await herald.on_partitions_assigned([])
    assert not await looked(herald)


async def test_no_term_begins_when_the_group_takes_it_back_at_once(
    herald: Herald, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Assigned and revoked at once: the waiting task has been woken by then."""
    begun: list[bool] = []

    async def one_term(*_: object) -> None:
        begun.append(herald._assigned)

    async def never(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(herald, "_one_term", one_term)
    monkeypatch.setattr(herald, "_poll", never)
    terms = asyncio.create_task(herald._terms(None, None))
    await asyncio.sleep(0.01)
    await herald.on_partitions_assigned(CHOSEN)
    await asyncio.sleep(0)  # what waited is woken, and has not run
    await herald.on_partitions_revoked(CHOSEN)
    await asyncio.sleep(0.01)
    assert begun == []
    await herald.on_partitions_assigned(CHOSEN)
    await asyncio.sleep(0.01)
    assert begun == [True]
    terms.cancel()
    await asyncio.wait({terms})
