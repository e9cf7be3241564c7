"""Lanes: one attempt at a time for each subscription, so its order holds and a dead endpoint delays nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

RESEND = ""
"""The job of telling an Alertmanager again what fires; every other job is the id of a message."""


class Limits:
    """How many attempts may be under way: at all, to one host, and to endpoints that did not answer last time.

    The last is a quarter of all: however many endpoints hang, the others have the rest.
    """

    def __init__(self, total: int, per_host: int) -> None:
        self._sound = asyncio.Semaphore(total - total // 4)
        self._doubtful = asyncio.Semaphore(max(1, total // 4))
        self._per_host = per_host
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}
        self.under_way = 0

    @contextlib.asynccontextmanager
    async def slot(self, host: str, *, doubtful: bool) -> AsyncIterator[None]:
        """Wait for a place; the host's first, so that who waits for a busy host holds no place of others."""
        semaphore, users = self._hosts.get(host, (asyncio.Semaphore(self._per_host), 0))
        self._hosts[host] = (semaphore, users + 1)
        try:
            async with semaphore, self._doubtful if doubtful else self._sound:
                self.under_way += 1
                try:
                    yield
                finally:
                    self.under_way -= 1
        finally:
            users = self._hosts[host][1] - 1
            if users:
                self._hosts[host] = (semaphore, users)
            else:
                del self._hosts[host]


class Lanes:
    """The jobs of every subscription, worked off one after the other, each subscription beside the others.

    Parameters
    ----------
    work
        Does one job: subscription and job.
    """

    def __init__(self, work: Callable[[str, str], Awaitable[None]]) -> None:
        self._work = work
        self._jobs: dict[str, deque[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = True
        self.failure: BaseException | None = None

    def put(self, subscription: str, job: str) -> None:
        """Add a job; a further `RESEND` while there is one adds nothing."""
        jobs = self._jobs.get(subscription)
        if jobs is not None:
            if job != RESEND or RESEND not in jobs:
                jobs.append(job)
            return
        self._jobs[subscription] = deque([job])
        task = asyncio.create_task(self._run(subscription))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, subscription: str) -> None:
        jobs = self._jobs[subscription]
        try:
            while jobs and self._open:
                await self._work(subscription, jobs.popleft())
        except Exception as error:  # noqa: BLE001 -- the owner of the lanes raises it
            self.failure = error
        finally:
            del self._jobs[subscription]

    async def stop(self, grace: float) -> bool:
        """Begin nothing more; let what is under way end within `grace` seconds, then cancel it.

        Returns
        -------
        Whether all ended by themselves.
        """
        self._open = False
        tasks = set(self._tasks)
        if not tasks:
            return True
        _, late = await asyncio.wait(tasks, timeout=grace) if grace else (set(), tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return not late
