"""Keeps a log short that strangers write to: of each warning one line a minute, and how many there were meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SECONDS = 60.0


class Seldom(logging.Filter):
    """Lets a warning pass when the same one has not passed for a minute; anything else passes always.

    Uvicorn warns of every request that is no HTTP, or that asks for a WebSocket: a line for each, to anybody who likes.
    Its texts are a few and constant, so what is remembered is bounded.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is written; it says how many like it were not."""
        if record.levelno != logging.WARNING:
            return True
        text, now = str(record.msg), self._clock()
        if now - self._passed.get(text, float("-inf")) < SECONDS:
            self._held[text] = self._held.get(text, 0) + 1
            return False
        self._passed[text] = now
        if held := self._held.pop(text, 0):
            record.msg = f"{text} ({held} more since the last such line)"
        return True
