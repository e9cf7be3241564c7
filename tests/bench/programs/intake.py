"""Runs the real intake stage to the end of the votes topic: from its first fetch to its last acknowledgement."""

from __future__ import annotations

import asyncio
import cProfile
import os
import time

from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.contracts.topics import VOTES
from streams.intake.stage import IntakeStage
from streams.kafka.consumer import Batch, Log
from tests.bench.programs.begin import begin_at_the_start
from tests.bench.programs.talk import answer, given, like_a_worker


class Timed(IntakeStage):
    """Intake with the time of its first fetch, and an event when all votes are acknowledged."""

    def __init__(self, settings: Settings, metrics: Metrics, group: str, total: int) -> None:
        super().__init__(settings, metrics)
        self.name = group  # a new group for each run, so that each run reads the topic from its start
        self._total = total
        self._votes_topic = settings.kafka.topic(VOTES.name)
        self.first = 0
        self.began = self.cpu = 0.0
        self.done = asyncio.Event()

    async def process(self, log: Log, batch: Batch) -> None:
        """Process a batch as intake does, and note the time and the end."""
        if batch and not self.first:
            self.first = sum(map(len, batch.values()))
            self.began, self.cpu = time.perf_counter(), time.process_time()
        await super().process(log, batch)
        taken = sum(offset for at, offset in self.positions.items() if at.topic == self._votes_topic)
        if taken >= self._total:
            self.done.set()


async def measure(group: str, total: int) -> tuple[int, float, float, dict[str, float]]:
    """Votes after the first fetch, seconds, processor seconds, and the stage's own counts by outcome."""
    metrics, settings = Metrics(), Settings.from_env(os.environ)
    await begin_at_the_start(settings.kafka, group)
    stage = Timed(settings, metrics, group, total)
    running = asyncio.create_task(stage.run())
    ending = asyncio.create_task(stage.done.wait())
    await asyncio.wait([running, ending], return_when=asyncio.FIRST_COMPLETED)
    took = time.perf_counter() - stage.began, time.process_time() - stage.cpu
    if running.done():
        running.result()
    running.cancel()
    await asyncio.wait([running])
    outcomes = {
        sample.labels["outcome"]: sample.value
        for family in metrics.votes.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    return total - stage.first, *took, outcomes


def main() -> None:
    """Measure, and profile if asked to."""
    parameters = given()
    like_a_worker()
    profile = cProfile.Profile() if parameters.get("profile") else None
    if profile:
        profile.enable()
    votes, seconds, cpu_seconds, outcomes = asyncio.run(measure(parameters["group"], parameters["total"]))
    if profile:
        profile.dump_stats(parameters["profile"])
    answer(votes=votes, seconds=seconds, cpu_seconds=cpu_seconds, outcomes=outcomes)


if __name__ == "__main__":
    main()
