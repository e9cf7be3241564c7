"""Wait for a condition, with a deadline."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

DEADLINE = 15.0
EVERY = 0.02
PATIENCE = float(os.environ.get("ISONOMY_TEST_PATIENCE", "1"))
"""Factor on all deadlines. Deadlines only end failing tests, so a shared machine may use a larger one."""


def eventually(condition: Callable[[], T], deadline: float = DEADLINE, *, every: float = EVERY) -> T:
    """Call `condition` until it returns something true, and return that.

    An `AssertionError` raised by the condition counts as "not yet"; the last one is shown at the deadline.
    """
    end = time.monotonic() + deadline * PATIENCE
    while True:
        last: object = None
        try:
            last = value = condition()
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"not true within {deadline * PATIENCE:g} s: {_describe(condition)}; last: {last!r}")
        time.sleep(every)


@overload
async def eventually_async(
    condition: Callable[[], Awaitable[T]], deadline: float = DEADLINE, *, every: float = EVERY
) -> T: ...
@overload
async def eventually_async(condition: Callable[[], T], deadline: float = DEADLINE, *, every: float = EVERY) -> T: ...
async def eventually_async(
    condition: Callable[[], T | Awaitable[T]], deadline: float = DEADLINE, *, every: float = EVERY
) -> T:
    """Do what `eventually` does without blocking the event loop; the condition may be a coroutine function."""
    end = time.monotonic() + deadline * PATIENCE
    while True:
        last: object = None
        try:
            result = condition()
            value: T = await result if inspect.isawaitable(result) else result
            last = value
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"not true within {deadline * PATIENCE:g} s: {_describe(condition)}; last: {last!r}")
        await asyncio.sleep(every)


def _describe(condition: object) -> str:
    return getattr(condition, "__qualname__", repr(condition))
