"""A rebalance in the middle of rebuilding the id memory: the next take-over rebuilds it, and no vote counts twice."""

import asyncio
from typing import Any

import pytest

from streams.contracts.metrics import Metrics
from streams.contracts.topics import LEDGER
from streams.intake.stage import IntakeStage
from streams.kafka.fetch import Rebalanced
from tests.support.pipeline import Pipeline, fold_ledger, make_votes
from tests.support.stack import TestBroker
from tests.support.tasks import end

pytestmark = pytest.mark.integration


def test_a_rebuild_that_a_rebalance_cuts_off_leaves_no_memory_that_seems_whole(
    broker: TestBroker, pipeline: Pipeline
) -> None:
    if not broker.durable:
        pytest.skip("the embedded broker does not keep whose a commit is: intake goes back, with nothing to rebuild")
    pipeline.create_topics()
    votes = make_votes(120, seed=71)
    pipeline.produce(votes)
    asyncio.run(follow(IntakeStage(pipeline.settings, Metrics()), 120, cut_off=False))
    pipeline.produce(votes)  # all of them again
    second = IntakeStage(pipeline.settings, Metrics())
    asyncio.run(follow(second, 240, cut_off=True))
    assert fold_ledger(pipeline.topic(LEDGER.name), pipeline.settings)["text"].boards["overall"].battles == 120


async def follow(stage: IntakeStage, records: int, *, cut_off: bool) -> None:
    """Run intake until it has read this many votes; `cut_off`: a rebalance interrupts its first rebuild at a fetch."""
    rebuild = stage._rebuild
    cuts = 1 if cut_off else 0

    async def cut(log, partitions, first) -> None:  # type: ignore[no-untyped-def]
        nonlocal cuts
        fetch = log.fetch

        async def fetch_once(*asked, **options: Any):  # type: ignore[no-untyped-def]
            nonlocal cuts
            if cuts:
                cuts -= 1
                raise Rebalanced
            return await fetch(*asked, **options)

        log.fetch = fetch_once
        await rebuild(log, partitions, first)

    stage._rebuild = cut  # type: ignore[method-assign]
    running = asyncio.create_task(stage.run())
    async with asyncio.timeout(60):
        while not running.done() and sum(stage.positions.values()) < records:
            await asyncio.sleep(0.05)
    await end(running)
    assert cuts == 0
