"""Send queues: one attempt at a time for each subscription keeps its order, and a dead endpoint delays no other."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

RESEND = ""
"""The job that re-sends the firing alerts to an Alertmanager. Every other job is a message id."""


class SendLimits:
    """Limits on attempts under way: in total, per host, and to endpoints that did not answer last time.

    Endpoints that did not answer last time share a quarter of all places, so however many hang, three quarters remain
    for the others. One key may hold half of all places and half of those of each host, because all of its endpoints may
    be slow at the same time.
    """

    def __init__(self, total: int, per_host: int) -> None:
        self._rooms = {False: total - total // 4, True: max(1, total // 4)}
        self._all = {doubtful: asyncio.Semaphore(most) for doubtful, most in self._rooms.items()}
        self._per_host = per_host
        self._some: dict[tuple[str, ...], tuple[asyncio.Semaphore, int]] = {}
        self.under_way = 0

    @contextlib.asynccontextmanager
    async def slot(self, owner: str, host: str, *, doubtful: bool) -> AsyncIterator[None]:
        """Wait for a place. The narrowest limit comes first: an attempt that waits there holds no place of others."""
        async with contextlib.AsyncExitStack() as places:
            for place, most in (
                (("key", owner, host), self._per_host // 2),
                (("key", owner, "", str(doubtful)), self._rooms[doubtful] // 2),
                (("host", host), self._per_host),
            ):
                await places.enter_async_context(self._one_of(place, max(1, most)))
            await places.enter_async_context(self._all[doubtful])
            self.under_way += 1
            try:
                yield
            finally:
                self.under_way -= 1

    @contextlib.asynccontextmanager
    async def _one_of(self, place: tuple[str, ...], most: int) -> AsyncIterator[None]:
        """Wait for one of `most` places. The semaphore exists while somebody holds or waits for a place."""
        semaphore, users = self._some.get(place, (asyncio.Semaphore(most), 0))
        self._some[place] = (semaphore, users + 1)
        try:
            async with semaphore:
                yield
        finally:
            users = self._some[place][1] - 1
            if users:
                self._some[place] = (semaphore, users)
            else:
                del self._some[place]


class SendQueues:
    """One FIFO queue of jobs per subscription: sequential within a subscription, concurrent across subscriptions.

    Parameters
    ----------
    work
        Does one job; takes the subscription id and the job.
    """

    def __init__(self, work: Callable[[str, str], Awaitable[None]]) -> None:
        self._work = work
        self._jobs: dict[str, deque[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = True
        self.failure: BaseException | None = None

    def put(self, subscription: str, job: str) -> None:
        """Add a job. A second `RESEND` is dropped while one is queued."""
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
        except Exception as error:  # noqa: BLE001 -- the dispatcher raises it
            self.failure = error
        finally:
            del self._jobs[subscription]

    async def stop(self, grace: float) -> bool:
        """Start no further job. Jobs under way get `grace` seconds to finish, then they are cancelled.

        Returns
        -------
        Whether all of them finished in time.
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
