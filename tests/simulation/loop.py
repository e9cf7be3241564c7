"""An event loop in virtual time, shared by simulated processes that may be frozen or killed between any two steps.

Nothing waits: when no process has anything to do, the clock jumps to the next timer. Whose step a callback is, its
context says. Steps of one process keep their order, as in the loop of a real process; which process comes next, and for
how many steps, the seed decides.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

MOST_STEPS = 6
"""Steps that a process makes before another may have its turn, at the most."""


class Process:
    """One simulated process: its steps that are due, and what was done to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: deque[asyncio.Handle] = deque()
        self.alive = True
        self.frozen = False
        self.listed = False
        """Whether the loop knows that there are steps to make."""
        self.steps = 0
        self.doom: tuple[int, Callable[[], None]] | None = None
        """A fault, and before which step it strikes."""
        self.cut = False
        """Whether the network between this process and the brokers is cut."""
        self.skew = 0.0
        """Seconds by which its wall clock is wrong."""
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)


@dataclass(eq=False, slots=True)
class Running:
    """A stage in its process."""

    kind: str
    process: Process
    stage: Any
    task: asyncio.Task[None] | None = None


PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process")


class NothingToDo(RuntimeError):  # noqa: N818 -- what it is
    """No process has a step to make and no timer runs: what is awaited will never happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs the steps of all processes.

    Parameters
    ----------
    random
        Decides whose turn it is.
    """

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._now = 0.0
        self._random = random
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._serial = itertools.count()
        self._runnable: list[Process] = []
        self.world = Process("world")
        self.set_task_factory(_named_task)
        self.set_exception_handler(lambda loop, context: None)  # a killed process leaves tasks; that is no news

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Add a step to the process of the context."""
        handle = asyncio.Handle(callback, args, self, context)
        self._add(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Add a step to the process of the context when the time comes."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._serial), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Add a step after a while."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it in the heap; a cancelled handle is passed over."""

    def later(self, delay: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        """Let the world do something after a while, whatever becomes of the process that asks for it."""
        return self.call_at(self._now + delay, callback, *args, context=self.world.context)

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on."""
        process.frozen = False
        if process.queue:
            self._list(process)

    def kill(self, process: Process) -> list[asyncio.Task[Any]]:
        """End a process between two steps; returns its tasks, which must be kept, or they would clean up after all."""
        process.alive = False
        process.queue.clear()
        return [task for task in asyncio.all_tasks(self) if task.get_name() == process.name]

    def _add(self, handle: asyncio.Handle) -> None:
        process = handle._context.get(PROCESS, self.world)
        if process.alive:
            process.queue.append(handle)
            if not process.frozen:
                self._list(process)

    def _list(self, process: Process) -> None:
        if not process.listed:
            process.listed = True
            self._runnable.append(process)

    def _run_once(self) -> None:
        timers, now = self._timers, self._now
        while timers and timers[0][0] <= now:
            handle = heapq.heappop(timers)[2]
            if not handle._cancelled:
                self._add(handle)
        runnable = self._runnable
        if not runnable:
            if not timers:
                raise NothingToDo("no process has anything to do")
            self._now = max(now, timers[0][0])
            return
        place = int(self._random.random() * len(runnable))
        process = runnable[place]
        steps = 1 + int(self._random.random() * MOST_STEPS)
        queue = process.queue
        while steps and queue and process.alive and not process.frozen:
            if process.doom is not None and process.steps >= process.doom[0]:
                strike, process.doom = process.doom[1], None
                strike()
                continue
            handle = queue.popleft()
            if not handle._cancelled:
                process.steps += 1
                steps -= 1
                handle._run()
        if not queue or not process.alive or process.frozen:
            process.listed = False
            runnable[place] = runnable[-1]
            runnable.pop()


def _named_task(loop: asyncio.AbstractEventLoop, coroutine: Any, context: Any = None) -> asyncio.Task[Any]:
    """Make a task whose name is its process."""
    process = PROCESS.get(None) if context is None else context.get(PROCESS)
    name = "world" if process is None else process.name
    return asyncio.Task(coroutine, loop=loop, name=name, context=context)


def causes_of(error: BaseException | None) -> list[BaseException]:
    """List what a group of errors is made of."""
    if isinstance(error, BaseExceptionGroup):
        return [cause for each in error.exceptions for cause in causes_of(each)]
    return [] if error is None else [error]
