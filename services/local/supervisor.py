"""Keep named children running: start in order, restart what falls over, stop in reverse order."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.local.process import StartError


class ChildEvent(StrEnum):
    """What can happen to a child."""

    STARTED = "started"
    EXITED = "exited"
    START_FAILED = "start_failed"
    RESTARTED = "restarted"
    GAVE_UP = "gave_up"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ChildReport:
    """One happening.

    `code` is the exit code (negative for a signal), `restarts` how often the child has been restarted so far, `delay`
    the seconds until the next try, `detail` the message of a failed start, or the last line of what exited.
    """

    name: str
    what: ChildEvent
    restarts: int = 0
    code: int | None = None
    delay: float | None = None
    detail: str = ""


class GaveUpError(RuntimeError):
    """A child failed too often in a row."""


@dataclass(frozen=True)
class RestartPolicy:
    """When to try again and when to give up.

    A run shorter than `quick` seconds is a quick failure. The n-th quick failure in a row waits
    `first_delay · 2^(n-1)` seconds, at most `longest_delay`, and number `quick_failures` is the last one.
    """

    quick: float = 10.0
    quick_failures: int = 6
    first_delay: float = 0.2
    longest_delay: float = 10.0

    def delay(self, quick_failures: int) -> float:
        """Return the seconds to wait; none after a run that was not quick."""
        return min(self.longest_delay, self.first_delay * 2.0 ** (quick_failures - 1)) if quick_failures else 0.0


class Child(Protocol):
    """What the supervisor needs of a child; `ChildProcess` and `LocalServer` have it."""

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
    retry_at: float | None = None  # set while it is down and waits for its next try


class Supervisor:
    """Supervise children from the calling thread; it has no thread of its own.

    Parameters
    ----------
    children
        Name to child, in the order of starting.
    report
        Is told everything that happens.
    patience
        When to restart and when to give up.
    irreplaceable
        Children that are not restarted: when one exits, `check` gives up. A broker that keeps its log in memory is one,
        for the others would go on at offsets that no longer exist, and hear nothing.
    stop_within
        Seconds a child may take to stop before it is killed.
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
        """Start the children in order; if one cannot start, stop those before it and raise its error."""
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
        """Look at every child once, and restart the ones whose time has come.

        Raises
        ------
        GaveUpError
            If one child failed too often in a row, or is irreplaceable and failed; the caller stops the others.
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
            self._started.pop()  # only now: an interrupted stop may be called again and misses none
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
        # A start that failed counts as quick however long it took: waiting for an answer is no service.
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
