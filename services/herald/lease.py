"""Whether this herald is still the one that delivers: asked before every attempt and every record.

Kafka's group chooses the herald, but a process that was frozen learns last that it is replaced. So the chosen one
writes a claim into `deliveries`, and several times a second asks Kafka for the end of that topic: when everything up to
there is read and no other's claim is in it, nobody had taken over when the question was asked. That holds for `LEASE`
seconds. A new owner waits as long after its claim can be seen before it sends anything, unless the one before has
released.
"""

from __future__ import annotations

import asyncio
import time

LEASE = 2.0
"""Seconds for which a confirmation holds."""
CONFIRM_SECONDS = 0.4
"""How often it is renewed."""


def lease_time() -> float:
    """Seconds of the clock of leases, which goes on while the host is suspended where there is such a clock.

    Linux' monotonic clock stands still then: whoever was suspended right after a confirmation would wake holding it.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Fenced(Exception):  # noqa: N818 -- what happened
    """Another herald has taken over."""


class NotOurs(Exception):  # noqa: N818 -- what it says
    """There is no confirmation that holds: nothing may be sent now."""


class Lease:
    """One herald's time as the owner."""

    def __init__(self) -> None:
        self._confirmed_at: float | None = None
        self._heard_at: float | None = None
        self._changed = asyncio.Event()
        self.fenced = False

    def confirm(self, asked_at: float) -> None:
        """Note that nobody had taken over at this time, by `lease_time`."""
        self._confirmed_at = asked_at
        self._heard_at = time.monotonic()
        self._changed.set()

    def fence(self) -> None:
        """Note that somebody has."""
        self.fenced = True
        self._changed.set()

    @property
    def age(self) -> float:
        """Seconds since the last confirmation was asked for; 0 before the first."""
        return 0.0 if self._confirmed_at is None else lease_time() - self._confirmed_at

    @property
    def silence(self) -> float:
        """Seconds that the host was awake without a confirmation: that it slept is no fault of Kafka's."""
        return 0.0 if self._heard_at is None else time.monotonic() - self._heard_at

    def holds(self) -> bool:
        """Whether something may be sent now."""
        return not self.fenced and self._confirmed_at is not None and self.age <= LEASE

    async def wait(self) -> None:
        """Wait until something may be sent; raises `Fenced` when that is never."""
        while not self.holds():
            if self.fenced:
                raise Fenced
            self._changed.clear()
            await self._changed.wait()
