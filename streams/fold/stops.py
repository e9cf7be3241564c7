"""What holds a fold up: a stop of one arena, or of a ledger partition with all its arenas, and a wait for Redis.

Other arenas continue. A stop is reported in the log, in the metrics, and in Redis, where readers and the operator look.
The next owner retries from the last saved state, and so does this one when the operator releases the arena.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from streams.contracts.metrics import Metrics
from streams.contracts.redis_away import Away, cause_of
from streams.contracts.stopped import Stopped
from streams.contracts.topics import LEDGER
from streams.fold.partition import Owned, Partition
from streams.fold.redis_store import FoldStore
from streams.kafka.unreadable import UnreadableBatch

logger = logging.getLogger(__name__)


class Stops:
    """Stops arenas and partitions that cannot be folded, and reports them.

    Parameters
    ----------
    metrics
        Metrics of this process.
    fold
        Name of the fold.
    """

    def __init__(self, metrics: Metrics, fold: str) -> None:
        self._metrics, self._fold = metrics, fold

    def stop(self, arena: Owned, why: str) -> None:
        """Fold, publish and save nothing more of an arena."""
        arena.stopped, arena.stopped_at = why, time.time()
        self._metrics.stopped.labels(self._fold, arena.name).set(1)
        logger.error("%s: arena %s is stopped, the others continue: %s", self._fold, arena.name, why)

    def stop_partition(self, number: int, arenas: Iterable[Owned], why: str) -> None:
        """Stop a ledger partition with its arenas, including ones not seen yet: any of them may lack votes."""
        self._metrics.stopped.labels(self._fold, f"{LEDGER.name}/{number}").set(1)
        for arena in arenas:
            if not arena.stopped:
                self.stop(arena, why)
        logger.error(
            "%s: nothing more of ledger/%d is folded, the other partitions continue: %s", self._fold, number, why
        )

    def let_go(self, arenas: Mapping[str, Owned], partitions: Mapping[int, Partition]) -> None:
        """Remove the time series of the stopped arenas and partitions: the next owner reports whether they continue."""
        stopped = [name for name, arena in arenas.items() if arena.stopped]
        stopped += [f"{LEDGER.name}/{number}" for number, held in partitions.items() if held.stopped]
        for name in stopped:
            self._metrics.stopped.remove(self._fold, name)

    async def tell(self, arena: Owned, store: FoldStore, *, caught_up: bool) -> None:
        """Write to Redis whether an arena is stopped, if that changed; that it runs, only when it has caught up."""
        if arena.stopped != arena.told and (arena.stopped or caught_up):
            stopped = Stopped(arena.stopped_at, arena.stopped) if arena.stopped else None
            await store.tell_stopped(arena.name, arena.epoch, stopped, answers=not arena.answered)
            arena.told, arena.answered = arena.stopped, True

    async def released(self, arenas: Iterable[Owned], store: FoldStore) -> bool:
        """Whether the operator has released any of the stopped arenas."""
        found = [arena.name for arena in arenas if arena.stopped and await store.is_released(arena.name)]
        if found:
            logger.warning("%s: the operator has released %s, it is tried again", self._fold, ", ".join(found))
        return bool(found)


class Waiting:
    """Whether a stage waits for Redis, and why: one log line per cause, and a metric for as long as it lasts.

    Parameters
    ----------
    metrics
        Metrics of this process.
    stage
        Name of the stage.
    """

    def __init__(self, metrics: Metrics, stage: str) -> None:
        self._metrics, self._stage = metrics, stage
        self._cause: Away | None = None
        self._since = 0.0
        for cause in Away:
            metrics.redis_away.labels(stage, cause).set(0)

    def begin(self, error: Exception, what: str) -> None:
        """Note that `what` has to wait; log it only when the wait is new or its cause has changed."""
        cause = cause_of(error)
        if cause is self._cause:
            return
        if self._cause is None:
            self._since = time.monotonic()
        else:
            self._metrics.redis_away.labels(self._stage, self._cause).set(0)
        self._cause = cause
        self._metrics.redis_away.labels(self._stage, cause).set(1)
        logger.warning("%s, %s has to wait: %s", cause.words, what, error)

    def end(self) -> None:
        """Note that Redis answers again."""
        if self._cause is None:
            return
        self._metrics.redis_away.labels(self._stage, self._cause).set(0)
        self._cause = None
        logger.warning("Redis is back, %s waited for %.1f s", self._stage, time.monotonic() - self._since)


def why_unreadable(batch: UnreadableBatch) -> str:
    """Message: which batch of the ledger cannot be read."""
    return f"{LEDGER.name}/{batch.partition.partition} at offset {batch.offset} cannot be read: {batch.why}"


def why_cut(number: int, first: int) -> str:
    """Message: why a partition cannot be folded from its start; boards of the records left would lack votes."""
    return f"{LEDGER.name}/{number} begins at offset {first}: earlier records are gone"
