"""An event loop in virtual time, shared by simulated processes that may be frozen or killed between any two steps.

The loop never waits: when no process has a step to run, the clock jumps to the next timer. The context of a callback
identifies its process. Steps of one process keep their order, as in the loop of a real process; the seed decides which
process runs next, and for how many steps.
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
from weakref import WeakSet

MOST_STEPS = 6
"""Maximum number of steps of a process before another one may run."""


class Step:
    """A scheduled callback, like asyncio's `Handle` without its debugging data."""

    __slots__ = ("args", "callback", "cancelled_", "context", "due")

    def __init__(
        self, callback: Callable[..., Any], args: tuple[Any, ...], context: contextvars.Context | None, due: float
    ) -> None:
        self.callback, self.args, self.due = callback, args, due
        self.context = contextvars.copy_context() if context is None else context
        self.cancelled_ = False

    def cancel(self) -> None:
        """Skip this step."""
        self.cancelled_ = True
        self.args = ()

    def cancelled(self) -> bool:
        """Whether the step was cancelled."""
        return self.cancelled_

    def when(self) -> float:
        """Virtual seconds at which the step is due."""
        return self.due


class Process:
    """One simulated process: its due steps and its faults."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: deque[Step] = deque()
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.alive = True
        self.frozen = False
        self.listed = False
        """Whether the process is in the loop's list of runnable processes."""
        self.steps = 0
        self.doom: tuple[int, Callable[[], None]] | None = None
        """Number of the step before which a fault strikes, and the fault."""
        self.cut = False
        """Whether the network between this process and the brokers is cut."""
        self.skew = 0.0
        """Error of its wall clock in seconds."""
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


class NothingToDo(RuntimeError):  # noqa: N818 -- the name says it
    """No process has a step and no timer runs: the awaited event will never happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs the steps of all processes.

    Parameters
    ----------
    random
        Decides which process runs next.
    """

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._now = 0.0
        self._random = random
        self._timers: list[tuple[float, int, Step]] = []
        self._serial = itertools.count()
        self._runnable: list[Process] = []
        self.over = False
        """Whether the world has ended: coroutines that closing coroutines would start are closed, too."""
        self.world = Process("world")
        self.set_task_factory(_named_task)
        self.set_exception_handler(lambda loop, context: None)  # killed processes leave tasks behind

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> Step:
        """Add a step to the process of the context."""
        step = Step(callback, args, context, self._now)
        self._add(step)
        return step

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> Step:
        """Add a step to the process of the context at a time."""
        step = Step(callback, args, context, when)
        heapq.heappush(self._timers, (when, next(self._serial), step))
        return step

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> Step:
        """Add a step after a while."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Step:
        """Schedule a callback of the world, which runs even if the calling process ends."""
        return self.call_at(self._now + delay, callback, *args, context=self.world.context)

    def thaw(self, process: Process) -> None:
        """Let a frozen process continue."""
        process.frozen = False
        if process.queue:
            self._list(process)

    def kill(self, process: Process) -> list[asyncio.Task[Any]]:
        """End a process between two steps; returns its tasks, which must be kept, or their cleanup would run."""
        process.alive = False
        process.queue.clear()
        return [task for task in process.tasks if not task.done()]

    def _add(self, step: Step) -> None:
        process = step.context.get(PROCESS, self.world)
        if process.alive:
            process.queue.append(step)
            if not process.frozen:
                self._list(process)

    def _list(self, process: Process) -> None:
        if not process.listed:
            process.listed = True
            self._runnable.append(process)

    def _run_once(self) -> None:
        timers, now = self._timers, self._now
        while timers and timers[0][0] <= now:
            step = heapq.heappop(timers)[2]
            if not step.cancelled_:
                self._add(step)
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
            step = queue.popleft()
            if not step.cancelled_:
                process.steps += 1
                steps -= 1
                try:
                    step.context.run(step.callback, *step.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException:  # noqa: BLE001 -- like asyncio's loop, but without a handler
                    pass
        if not queue or not process.alive or process.frozen:
            process.listed = False
            runnable[place] = runnable[-1]
            runnable.pop()


def _named_task(loop: asyncio.AbstractEventLoop, coroutine: Any, context: Any = None) -> asyncio.Task[Any]:
    """Make a task with the name of its process."""
    if loop.over:  # type: ignore[attr-defined]  # a VirtualLoop
        coroutine.close()
        raise RuntimeError("this world is over")
    process = PROCESS.get(None) if context is None else context.get(PROCESS)
    if process is None:
        return asyncio.Task(coroutine, loop=loop, name="world", context=context)
    task = asyncio.Task(coroutine, loop=loop, name=process.name, context=context)
    process.tasks.add(task)
    return task


def causes_of(error: BaseException | None) -> list[BaseException]:
    """List the leaf exceptions of an exception group."""
    if isinstance(error, BaseExceptionGroup):
        return [cause for each in error.exceptions for cause in causes_of(each)]
    return [] if error is None else [error]
