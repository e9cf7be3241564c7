"""What the stage makes of a fetch that holds votes and model records: blocks, notices, letters and positions."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.contracts.metrics import Metrics
from streams.contracts.reasons import Reason
from streams.contracts.settings import Settings
from streams.intake import stage as module
from streams.intake.accept import PartitionMemory
from streams.intake.dedup import SeenIds
from streams.intake.merge_by_time import Aligner
from streams.intake.reject_limit import Refusals
from streams.intake.stage import IntakeStage
from streams.ledger.codec import Block, Notice, decode
from tests.unit.intake.making import as_records, votes

SETTINGS = Settings()
VOTES = TopicPartition(SETTINGS.kafka.topic("votes"), 0)
MODELS = TopicPartition(SETTINGS.kafka.topic("models"), 0)
ARENA = "text"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stage that has taken over votes/0 and models/0."""
    monkeypatch.setattr(module, "warm", lambda: None)
    monkeypatch.setattr(module, "warm_scan", lambda: None)
    made: Any = IntakeStage(SETTINGS, Metrics())
    made.positions = {VOTES: 0, MODELS: 0}
    made._aligner = Aligner({VOTES: 0})
    made._sources = {0: PartitionMemory(SeenIds(100, 1e9), Refusals(10**9, 1.0, 10), 0)}
    return made


async def test_votes_become_blocks_and_model_records_notices_each_by_its_topic(stage: Any) -> None:
    log = SimpleNamespace(unreadable=[], reached={VOTES: 3, MODELS: 2})
    models = as_records([(f"{ARENA}/x".encode(), None), (f"{ARENA}/y".encode(), b"no JSON")])
    found = stage._decide(log, {MODELS: models, VOTES: as_records([*votes(2, arena=ARENA), (b"v9", b"no JSON")])})
    assert list(found.ledger) == [ARENA]
    notice, block = (decode(record) for record in found.ledger[ARENA])
    assert isinstance(notice, Notice)
    assert notice.name == "x"
    assert isinstance(block, Block)
    assert len(block.rows) == 2
    assert [(letter.topic, letter.offset) for letter in found.letters] == [(MODELS.topic, 1), (VOTES.topic, 2)]
    assert {letter.reason for letter in found.letters} == {Reason.INVALID_JSON}


async def test_a_fetch_of_model_records_alone_has_no_votes(stage: Any) -> None:
    log = SimpleNamespace(unreadable=[], reached={VOTES: 0, MODELS: 1})
    found = stage._decide(log, {MODELS: as_records([(f"{ARENA}/x".encode(), None)])})
    assert [type(decode(record)) for record in found.ledger[ARENA]] == [Notice]
    assert found.letters == []
    assert found.positions == {VOTES: 0, MODELS: 1}
    assert stage._decide(log, {}) is None, "nothing came, and the positions are decided"
