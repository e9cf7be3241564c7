"""A simulated thread: its calls run on the loop in virtual time, so that a seed is reproducible."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from typing import Any

LONGEST_SECONDS = 3.0
"""Maximum duration of a call in a thread: longer than a slice, shorter than the time after the faults."""


class SimulatedThread:
    """Replaces `ThreadPoolExecutor(1)`: runs calls one after the other, each after some virtual seconds.

    It belongs to the process that created it, and is killed or frozen with it, like a thread.
    """

    def __init__(self, *_: Any, **__: Any) -> None:
        self._free_at = 0.0
        self._random: Random | None = None

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Schedule a call; the future has its result or exception."""
        loop, done = asyncio.get_running_loop(), Future[Any]()
        if self._random is None:
            self._random = Random(f"thread {loop.time()}")
        self._free_at = max(self._free_at, loop.time()) + self._random.random() ** 3 * LONGEST_SECONDS
        loop.call_at(self._free_at, self._do, done, call, args)
        return done

    @staticmethod
    def _do(done: Future[Any], call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            done.set_result(call(*args))
        except BaseException as error:  # noqa: BLE001 -- the future raises it
            done.set_exception(error)
