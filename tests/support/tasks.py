"""Helper for asyncio tasks in tests."""

import asyncio

AGAIN_SECONDS, TIMES = 3.0, 10


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is done, as the worker does: a client may swallow a cancellation."""
    for _ in range(TIMES):
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_SECONDS)
        if task.done():
            return
    raise AssertionError(f"{task!r} does not end")
