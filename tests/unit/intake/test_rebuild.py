"""The id memory after a take-over: what is read again for it, and what the log says of that."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import IntakeSettings
from streams.intake.accept import accept
from streams.intake.records import read
from streams.intake.take_over import rebuild
from tests.unit.intake.making import ARRIVED_MS, votes

PLACE = TopicPartition("votes", 0)
RECORDS = [
    SimpleNamespace(key=key, value=value, offset=offset, timestamp=ARRIVED_MS)
    for offset, (key, value) in enumerate(votes(20))
]


class Log:
    """A stand-in for `Log` with the records of one partition, three a fetch."""

    def __init__(self) -> None:
        self.reached: dict[TopicPartition, int] = {}
        self.unreadable: list[Any] = []

    def seek(self, at: TopicPartition, offset: int) -> None:
        self.reached[at] = offset

    async def fetch(self, at: TopicPartition, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        begin = self.reached[at]
        self.reached[at] = begin + 3
        return {at: RECORDS[begin : begin + 3]}


async def rebuilt(position: int, **limits: int) -> Any:
    """The memory of votes/0 before a position."""
    settings = IntakeSettings(**limits)
    log: Any = Log()
    found = await rebuild(log, {PLACE: position}, {PLACE: 0}, settings, Metrics(), lambda: None, lambda _: None)
    return found[0]


async def test_it_knows_the_ids_before_the_position_and_no_others() -> None:
    memory = await rebuilt(10)
    assert memory.position == 10
    accepted = accept(read(0, RECORDS[5:15]), {0: memory})
    assert accepted.duplicates == 5
    [block] = accepted.blocks
    assert block.rows.offset.tolist() == list(range(10, 15))


async def test_it_says_how_many_records_it_read_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await rebuilt(10)
    assert "rebuilt the id memory from 10 records" in caplog.text
    caplog.clear()
    await rebuilt(10, dedup_records=4, dead_letter_window=3, dead_letter_run=2)
    assert "rebuilt the id memory from 4 records" in caplog.text, "no more than the memory holds"


async def test_it_says_nothing_where_there_was_nothing_to_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    memory = await rebuilt(0)
    assert memory.position == 0
    assert caplog.text == ""
