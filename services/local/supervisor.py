"""Keep named children running: start them in order, restart those that exit, stop them in reverse order."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.local.process import StartError


class ChildEvent(StrEnum):
    """What happened to a child."""

    STARTED = "started"
    EXITED = "exited"
    START_FAILED = "start_failed"
    RESTARTED = "restarted"
    GAVE_UP = "gave_up"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ChildReport:
    """One event of one child.

    `code` is the exit code (negative for a signal), `restarts` the number of restarts so far, `delay` the seconds until
    the next try, `detail` the message of a failed start, or the last log line of a child that exited.
    """

    name: str
    what: ChildEvent
    restarts: int = 0
    code: int | None = None
    delay: float | None = None
    detail: str = ""


class GaveUpError(RuntimeError):
    """A child failed too often in a row, or an irreplaceable child failed."""


@dataclass(frozen=True)
class RestartPolicy:
    """When to restart a child and when to give up.

    A run shorter than `quick` seconds is a quick failure. After the n-th quick failure in a row the supervisor waits
    `first_delay · 2^(n-1)` seconds, at most `longest_delay`; after number `quick_failures` it gives up.
    """

    quick: float = 10.0
    quick_failures: int = 6
    first_delay: float = 0.2
    longest_delay: float = 10.0

    def delay(self, quick_failures: int) -> float:
        """Return the seconds to wait; 0 after a run that was not quick."""
        return min(self.longest_delay, self.first_delay * 2.0 ** (quick_failures - 1)) if quick_failures else 0.0


class Child(Protocol):
    """The interface of a supervised child; `ChildProcess` and `LocalServer` implement it."""

    def start(self) -> None: ...
    def poll(self) -> int | None: ...
    def terminate(self, deadline: float = ...) -> None: ...
    @property
    def last_line(self) -> str: ...


@dataclass
class _Ward:
    name: str
    child: Child
    started_at: float = 0.0
    restarts: int = 0
    quick_failures: int = 0
    retry_at: float | None = None  # set while the child is down and waits for its next start


class Supervisor:
    """Supervise children from the calling thread, without a thread of its own.

    Parameters
    ----------
    children
        Maps name to child, in start order.
    report
        Called with every event.
    patience
        When to restart and when to give up.
    irreplaceable
        Children that are not restarted: when one exits, `check` gives up. A broker that keeps its log in memory is one,
        because after its restart the others would wait at offsets that no longer exist, and receive nothing.
    stop_within
        Seconds that a child may take to stop before it is killed.
    """

    def __init__(
        self,
        children: Mapping[str, Child],
        *,
        report: Callable[[ChildReport], None],
        patience: RestartPolicy | None = None,
        irreplaceable: Collection[str] = (),
        stop_within: float = 10.0,
    ) -> None:
        self._wards = [_Ward(name, child) for name, child in children.items()]
        self._report = report
        self._patience = patience or RestartPolicy()
        self._irreplaceable = frozenset(irreplaceable)
        self._stop_within = stop_within
        self._started: list[_Ward] = []

    def start(self) -> None:
        """Start the children in order; if one cannot start, stop those started before it and raise its error."""
        for ward in self._wards:
            self._started.append(ward)
            try:
                ward.child.start()
            except BaseException:
                self.stop()
                raise
            ward.started_at = time.monotonic()
            self._report(ChildReport(ward.name, ChildEvent.STARTED))

    def check(self) -> None:
        """Poll every child once, and restart those whose delay is over.

        Raises
        ------
        GaveUpError
            If a child failed too often in a row, or an irreplaceable child failed; the caller stops the others.
        """
        for ward in self._started:
            if ward.retry_at is None:
                code = ward.child.poll()
                if code is not None:
                    self._fell(ward, ChildEvent.EXITED, code=code, detail=ward.child.last_line)
            if ward.retry_at is not None and time.monotonic() >= ward.retry_at:
                self._restart(ward)

    def stop(self) -> None:
        """Stop every child in reverse order; calling it again is harmless."""
        while self._started:
            ward = self._started[-1]
            ward.child.terminate(self._stop_within)
            self._started.pop()  # only now: after an interrupted stop, a second call still stops every child
            self._report(ChildReport(ward.name, ChildEvent.STOPPED, ward.restarts, ward.child.poll()))

    def restarts(self) -> dict[str, int]:
        """Return how often each child has been restarted."""
        return {ward.name: ward.restarts for ward in self._wards}

    def _restart(self, ward: _Ward) -> None:
        ward.retry_at = None
        ward.restarts += 1
        ward.started_at = time.monotonic()
        try:
            ward.child.start()
        except StartError as error:
            self._fell(ward, ChildEvent.START_FAILED, detail=str(error))
            return
        ward.started_at = time.monotonic()
        self._report(ChildReport(ward.name, ChildEvent.RESTARTED, ward.restarts))

    def _fell(self, ward: _Ward, what: ChildEvent, *, code: int | None = None, detail: str = "") -> None:
        now = time.monotonic()
        # A failed start counts as quick however long it took: the child served nothing while it was starting.
        quick = what is ChildEvent.START_FAILED or now - ward.started_at < self._patience.quick
        ward.quick_failures = ward.quick_failures + 1 if quick else 0
        if ward.name in self._irreplaceable or ward.quick_failures >= self._patience.quick_failures:
            self._report(ChildReport(ward.name, ChildEvent.GAVE_UP, ward.restarts, code, detail=detail))
            last = detail
            if code is not None:
                last = f"exit code {code}" + (f"; its last line: {detail}" if detail else "")
            raise GaveUpError(f"{ward.name} failed, after {ward.quick_failures} quick failures in a row: {last}")
        delay = self._patience.delay(ward.quick_failures)
        ward.retry_at = now + delay
        self._report(ChildReport(ward.name, what, ward.restarts, code, delay, detail))
