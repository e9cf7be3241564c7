"""Reports a stage that waits for Redis: one log line per cause, and a metric for as long as it lasts."""

from __future__ import annotations

import logging
import time

from streams.contracts.metrics import Metrics
from streams.contracts.redis_away import Away, cause_of

logger = logging.getLogger(__name__)


class Waiting:
    """Whether a stage waits for Redis, and why.

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
