"""The watchdog: exits on lag without progress or on a replaced log; the supervisor restarts the process.

It is a thread with its own client, because it guards against a blocked event loop.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.contracts.connect import kafka_python_options
from streams.contracts.kafka_record import PartitionName
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.kafka.end_offsets import EndsUnknown, ask_ends

logger = logging.getLogger(__name__)

EXIT_CODE = 70
POLL_SECONDS = 2.0
MOST_BETWEEN_LOOKS = 10.0
"""Most seconds that one check adds to a stage's age: five times the poll interval, because Kafka may answer slowly."""


class WatchedStage(Protocol):
    """The parts of a stage that the watchdog reads."""

    name: str

    @property
    def positions(self) -> dict[PartitionName, int]:
        """Offset of the next record in each owned partition."""

    @property
    def steps(self) -> int:
        """Grows with all work that does not move the positions: rebuilding, waiting for an unavailable store."""

    def told(self) -> str:
        """Describe what its last fetches brought."""


@dataclass(slots=True)
class Progress:
    """How long one stage has had lag without progress, counting only checks that Kafka answered; pure.

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
        """Return the age in seconds; `position` is any value that changes when the stage makes progress."""
        if self.position is None or lag <= 0 or position != self.position:
            self.position, self.age = position, 0.0
        elif self.looked_at is not None:
            # After a process freeze the stage may not have run yet: do not count the whole gap.
            self.age += min(now - self.looked_at, MOST_BETWEEN_LOOKS)
        self.looked_at = now
        return self.age

    def miss(self) -> None:
        """Note that Kafka did not answer: while it is down no stage can progress, so the time does not count."""
        self.looked_at = None


class Watchdog(threading.Thread):
    """Measures lag with kafka-python and ends the process when a stage hangs.

    Parameters
    ----------
    settings, metrics
        Settings and metrics of this process.
    stages
        Stages to check.
    """

    def __init__(self, settings: Settings, metrics: Metrics, stages: Sequence[WatchedStage]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._settings, self._metrics = settings, metrics
        self._progress = {stage.name: Progress() for stage in stages}
        self._stages = stages
        self._shown: dict[str, set[tuple[str, str]]] = {stage.name: set() for stage in stages}
        self._doubted: set[tuple[str, PartitionName]] = set()
        self._halt = threading.Event()

    def stop(self) -> None:
        """Stop checking and wait for the thread."""
        self._halt.set()
        self.join(timeout=5.0)

    def run(self) -> None:
        """Check every two seconds; a check without an answer from the broker does not count against a stage."""
        consumer = None
        while not self._halt.wait(POLL_SECONDS):
            try:
                if consumer is None:
                    options = kafka_python_options(self._settings.kafka)
                    consumer = KafkaConsumer(
                        **options, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
                    )
                self._look(consumer)
            except (KafkaError, EndsUnknown, OSError) as error:
                logger.warning("the watchdog cannot ask Kafka for its offsets: %s", error)
                self._missed(consumer)
                consumer = None
            except Exception:  # no error of its client may end the watchdog
                logger.exception("the watchdog failed and tries again")
                self._missed(consumer)
                consumer = None
        _close(consumer)

    def _missed(self, consumer: KafkaConsumer | None) -> None:
        for progress in self._progress.values():
            progress.miss()
        _close(consumer)

    def _look(self, consumer: KafkaConsumer) -> None:
        for stage in self._stages:
            positions, steps = dict(stage.positions), stage.steps
            self._forget(stage.name, positions)
            lag = self._lag(consumer, stage.name, positions)
            done = steps, tuple(sorted(positions.items()))
            age = self._progress[stage.name].observe(time.monotonic(), done, lag)
            self._metrics.watchdog_age.labels(stage.name).set(age)
            if age > self._settings.worker.watchdog_seconds > 0:
                _exit(f"{stage.name} has {lag} records to go and made no progress for {age:.0f} s ({stage.told()})")

    def _forget(self, group: str, positions: Mapping[PartitionName, int]) -> None:
        """Remove the lag metrics of partitions that the stage no longer owns."""
        held = {(at.topic, str(at.partition)) for at in positions}
        for topic, partition in self._shown[group] - held:
            self._metrics.lag.remove(group, topic, partition)
        self._shown[group] &= held

    def _lag(self, consumer: KafkaConsumer, group: str, positions: Mapping[PartitionName, int]) -> int:
        if not positions:
            return 0
        ends = ask_ends(consumer, [TopicPartition(at.topic, at.partition) for at in positions])
        total = 0
        for at, position in positions.items():
            lag = ends[TopicPartition(at.topic, at.partition)] - position
            if lag < 0:  # the position was read first, so the same log cannot end before it
                self._shorter(at, group)
                continue
            self._doubted.discard((group, at))
            self._metrics.lag.labels(group, at.topic, str(at.partition)).set(lag)
            self._shown[group].add((at.topic, str(at.partition)))
            total += lag
        return total

    def _shorter(self, at: PartitionName, group: str) -> None:
        """End the process when a log ends before the stage's position twice, the second time with a new client.

        The first answer may come from a broker that does not know yet that it is no longer the leader.
        """
        what = f"{at.topic}/{at.partition} ends before the offset that {group} has read"
        if (group, at) in self._doubted:
            _exit(f"{what}: it is another log")
        self._doubted.add((group, at))
        raise EndsUnknown(f"{what}: asking again")


def _exit(why: str) -> None:
    logger.critical("%s: exit", why)
    logging.shutdown()
    os._exit(EXIT_CODE)


def _close(consumer: KafkaConsumer | None) -> None:
    if consumer is not None:
        consumer.close()
