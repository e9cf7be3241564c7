"""A simulated thread: what is handed to it runs on the loop, in virtual time, so that a seed stays one story."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from typing import Any

LONGEST_SECONDS = 3.0
"""What is handed to a thread takes so long at the most: longer than a slice, shorter than what follows the faults."""


class SimulatedThread:
    """Stands in for `ThreadPoolExecutor(1)`: one thing after the other, each done after some virtual seconds.

    It belongs to the process that made it: killed or frozen with it, as threads are.
    """

    def __init__(self, *_: Any, **__: Any) -> None:
        self._free_at = 0.0
        self._random: Random | None = None

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Have something done; what it returned or raised is in the future."""
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
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is raised where the result is asked for
            done.set_exception(error)
