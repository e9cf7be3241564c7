"""Replaces clients, clock and settings in the real modules by simulated ones."""

from __future__ import annotations

import contextlib
import logging
import sys
import time as real_time
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

import streams.fairness.stage
import streams.fold.runner
import streams.intake.stage
import streams.intake.take_over
import streams.kafka.clients
import streams.ratings.publish
import streams.ratings.stage
from streams.contracts.vote import BOTH_BAD, TIE
from streams.fairness.settings import FairnessSettings, SettingsBook
from streams.ratings.leaderboard import Solution, solve_met
from streams.ratings.met import Met
from tests.simulation.loop import PROCESS
from tests.simulation.network import Network
from tests.simulation.producer import EPOCH_MS, SimulatedProducer
from tests.simulation.redis import SimulatedRedis
from tests.simulation.threads import SimulatedThread

if TYPE_CHECKING:
    from tests.simulation.world import World

CURRENT: list[World] = []
"""Stack of worlds; the last one is running."""
BOOK = SettingsBook(
    FairnessSettings(
        tick_battles=4,
        review_battles=8,
        window_reviews=2,
        ratings_reviews=2,
        repeat_reviews=2,
        undeclared_battles=3,
        retraction_votes=3,
        private_cap=0,
        stall_seconds=1e9,
    )
)
"""Settings under which a hundred votes are enough for alerts."""


class _Clock:
    """Replaces the module `time`."""

    @staticmethod
    def monotonic() -> float:
        return CURRENT[-1].loop.time()

    perf_counter = monotonic

    @staticmethod
    def time() -> float:
        return EPOCH_MS / 1000 + CURRENT[-1].loop.time() + PROCESS.get(CURRENT[-1].loop.world).skew


class _Admin:
    """Replaces the class `AIOKafkaAdminClient`."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def start(self) -> None:
        """Connect."""
        await self._network.until_answered(lambda: None)

    async def close(self) -> None:
        """Close."""

    async def list_consumer_group_offsets(self, group: str, partitions: Sequence[TopicPartition]) -> dict[Any, Any]:
        """Committed offsets of a group."""
        offsets = await self._network.until_answered(lambda: dict(self._network.broker.group(group).offsets))
        return {at: OffsetAndMetadata(*offsets.get(at, (-1, ""))) for at in partitions}


def _solve(met: Met, **options: Any) -> Solution:
    """Replaces `streams.ratings.leaderboard.solve_met` in most seeds by another function of the same counts.

    The simulation tests which votes are counted; ratings have their own tests, and solving would take most of the time.
    """
    if CURRENT[-1].plan.solve:
        return solve_met(met, **options)
    n = met.models
    ties, both_bad = met.counts[TIE], met.counts[BOTH_BAD]
    score = 1000.0 + met.per_model(met.won - met.lost, met.lost - met.won)
    score = score + met.per_model(0 * ties, ties) / 4 + met.per_model(both_bad, 0 * both_bad) / 16
    zeros = np.zeros(n)
    return Solution(
        theta=zeros,
        rating=score,
        lower=score,
        upper=score,
        rank=np.ones(n, np.int64),
        davidson=score,
        withheld=None,
        quasi_variance=score,
        provisional=np.zeros(n, np.bool_),
        reason=(None,) * n,
        anchored=False,
        least=1.0,
        dispersion=1.0,
        components=1,
        iterations=0,
        gradient_norm=0.0,
    )


def _make_redis(*_: Any, **__: Any) -> SimulatedRedis:
    """Replaces `streams.contracts.connect.async_redis_client`."""
    return SimulatedRedis(CURRENT[-1].server)


def make_consumer(*topics: str, **options: Any) -> Any:
    """Replaces the class `AIOKafkaConsumer`."""
    return CURRENT[-1].consumer(*topics, **options)


def make_producer(**_: Any) -> SimulatedProducer:
    """Replaces the class `AIOKafkaProducer`."""
    return CURRENT[-1].producer()


@contextlib.contextmanager
def simulated(more: Sequence[tuple[Any, str, Any]] = ()) -> Iterator[None]:
    """Put the simulated adapters, and `more` replacements, into the modules while the context is open."""
    changes: list[tuple[Any, str, Any]] = [
        *more,
        (streams.kafka.clients, "AIOKafkaConsumer", make_consumer),
        (streams.kafka.clients, "AIOKafkaProducer", make_producer),
        (streams.intake.take_over, "AIOKafkaAdminClient", lambda **_: _Admin(CURRENT[-1].network)),
        (streams.intake.stage, "SEEN_SECONDS", 1.0),  # gauges are not read here
        (streams.fold.runner, "RECORDS_A_TURN", 4),  # by default one turn would fold a ledger of a hundred votes
        (streams.ratings.publish, "solve_met", _solve),
        (streams.ratings.stage, "ThreadPoolExecutor", SimulatedThread),
        (streams.fold.runner, "async_redis_client", _make_redis),
        (streams.fairness.stage, "read_book", lambda settings: BOOK),
    ]
    changes += [
        (module, "time", _Clock)
        for name, module in sorted(sys.modules.items())
        if name.startswith(("streams.", "services.herald.")) and getattr(module, "time", None) is real_time
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    quiet = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        for module, name, value in changes:
            setattr(module, name, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # statistics of a few votes divide by zero
            yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        logging.disable(quiet)
