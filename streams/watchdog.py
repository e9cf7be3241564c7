"""The watchdog: lag without progress, or a log that was replaced, means exit; the supervisor starts the process again.

It is a thread, with a client of its own, because what it guards against is an event loop that stands still.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.contracts.connect import kafka_python_options
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.kafka.end_offsets import EndsUnknown, ask_ends

logger = logging.getLogger(__name__)

EXIT_CODE = 70
POLL_SECONDS = 2.0
MOST_BETWEEN_LOOKS = 10.0
"""Seconds that one look may add to a stage's age: five times what lies between two, for asking takes its time."""


class Watched(Protocol):
    """A stage, as far as the watchdog looks at it; `steps` grows with whatever it does besides moving."""

    name: str

    @property
    def positions(self) -> dict[Any, int]:
        """Next record of each partition held."""

    @property
    def steps(self) -> int:
        """Grows with whatever is done besides moving: rebuilding, waiting for a store that is away."""

    def told(self) -> str:
        """What its last fetches brought, in words."""


@dataclass(slots=True)
class Progress:
    """For how long one stage has had lag and done nothing, by looks that were answered; pure.

    >>> progress = Progress()
    >>> progress.observe(0.0, position=5, lag=10), progress.observe(9.0, position=5, lag=12)
    (0.0, 9.0)
    >>> progress.miss()
    >>> progress.observe(500.0, position=5, lag=11), progress.observe(502.0, position=5, lag=11)
    (9.0, 11.0)
    >>> progress.observe(504.0, position=6, lag=11)
    0.0
    """

    position: Hashable = None
    age: float = 0.0
    looked_at: float | None = None

    def observe(self, now: float, position: Hashable, lag: int) -> float:
        """Return the age, seconds; `position` is anything that differs when the stage has done something."""
        if self.position is None or lag <= 0 or position != self.position:
            self.position, self.age = position, 0.0
        elif self.looked_at is not None:
            # A process that was frozen may not have had a turn since: its absence is not the stage's.
            self.age += min(now - self.looked_at, MOST_BETWEEN_LOOKS)
        self.looked_at = now
        return self.age

    def miss(self) -> None:
        """Note that Kafka did not answer: while it is away no stage can move, so the time does not count."""
        self.looked_at = None


class Watchdog(threading.Thread):
    """Measures lag with kafka-python and ends the process when a stage hangs.

    Parameters
    ----------
    settings, metrics
        As everywhere.
    stages
        What to look at.
    """

    def __init__(self, settings: Settings, metrics: Metrics, stages: Sequence[Watched]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._settings, self._metrics = settings, metrics
        self._progress = {stage.name: Progress() for stage in stages}
        self._stages = stages
        self._shown: dict[str, set[tuple[str, str]]] = {stage.name: set() for stage in stages}
        self._doubted: set[tuple[str, Any]] = set()
        self._halt = threading.Event()

    def stop(self) -> None:
        """Stop looking."""
        self._halt.set()
        self.join(timeout=5.0)

    def run(self) -> None:
        """Look every two seconds; a broker that does not answer is no verdict, and its silence no stage's fault."""
        consumer = None
        while not self._halt.wait(POLL_SECONDS):
            try:
                if consumer is None:
                    options = kafka_python_options(self._settings)
                    consumer = KafkaConsumer(
                        **options, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
                    )
                self._look(consumer)
            except (KafkaError, EndsUnknown, OSError) as error:
                logger.warning("the watchdog cannot ask Kafka for its offsets: %s", error)
                self._missed(consumer)
                consumer = None
            except Exception:  # whatever its client does, the watchdog must not die of it
                logger.exception("the watchdog stumbled and looks again")
                self._missed(consumer)
                consumer = None
        _close(consumer)

    def _missed(self, consumer: Any) -> None:
        for progress in self._progress.values():
            progress.miss()
        _close(consumer)

    def _look(self, consumer: Any) -> None:
        for stage in self._stages:
            positions, steps = dict(stage.positions), stage.steps
            self._forget(stage.name, positions)
            lag = self._lag(consumer, stage.name, positions)
            done = steps, tuple(sorted(positions.items()))
            age = self._progress[stage.name].observe(time.monotonic(), done, lag)
            self._metrics.watchdog_age.labels(stage.name).set(age)
            if age > self._settings.watchdog_seconds > 0:
                _exit(f"{stage.name} has {lag} records to go and made no progress for {age:.0f} s ({stage.told()})")

    def _forget(self, group: str, positions: Mapping[Any, int]) -> None:
        """Show no lag of a partition that is another's by now."""
        held = {(at.topic, str(at.partition)) for at in positions}
        for topic, partition in self._shown[group] - held:
            self._metrics.lag.remove(group, topic, partition)
        self._shown[group] &= held

    def _lag(self, consumer: Any, group: str, positions: Mapping[Any, int]) -> int:
        if not positions:
            return 0
        ends = ask_ends(consumer, [TopicPartition(at.topic, at.partition) for at in positions])
        total = 0
        for at, position in positions.items():
            lag = ends[TopicPartition(at.topic, at.partition)] - position
            if lag < 0:  # the position was read first, so the same log cannot be shorter
                self._shorter(at, group)
                continue
            self._doubted.discard((group, at))
            self._metrics.lag.labels(group, at.topic, str(at.partition)).set(lag)
            self._shown[group].add((at.topic, str(at.partition)))
            total += lag
        return total

    def _shorter(self, at: Any, group: str) -> None:
        """End the process for a log that ends too early; at the second look, with another client.

        The first may have asked a broker that was the leader, and does not know yet that it is no more.
        """
        what = f"{at.topic}/{at.partition} ends before what {group} has read of it"
        if (group, at) in self._doubted:
            _exit(f"{what}: it is another log")
        self._doubted.add((group, at))
        raise EndsUnknown(f"{what}: asking again")


def _exit(why: str) -> None:
    logger.critical("%s: exit", why)
    logging.shutdown()
    os._exit(EXIT_CODE)


def _close(consumer: Any) -> None:
    if consumer is not None:
        consumer.close()
