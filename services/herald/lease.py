"""Leader lease: may this herald still send? It checks before every attempt and every record.

The consumer group elects the herald, but a frozen process is the last to learn that another has replaced it. So the
leader writes a claim into `deliveries`, and several times a second asks Kafka for the end offset of that topic. Once
it has read up to there and found no other claim, it knows that nobody had taken over when it asked. This confirmation
holds for `LEASE` seconds. A new leader waits for the same time after its claim becomes visible before it sends
anything, unless the previous leader has released its claim.
"""

from __future__ import annotations

import asyncio
import time

LEASE = 2.0
"""Seconds for which a confirmation holds."""
CONFIRM_SECONDS = 0.4
"""Seconds between two renewals."""


def lease_time() -> float:
    """Seconds on the clock of leases. It keeps running while the host is suspended, if the platform has such a clock.

    Linux's monotonic clock stops during suspend: a host suspended right after a confirmation would wake up with a valid
    lease.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class HeraldFenced(Exception):  # noqa: N818 -- what happened
    """Another herald has taken over."""


class NotOurs(Exception):  # noqa: N818 -- what it says
    """The lease has expired: nothing may be sent now."""


class Lease:
    """The lease of one herald during one term."""

    def __init__(self) -> None:
        self._confirmed_at: float | None = None
        self._heard_at: float | None = None
        self._changed = asyncio.Event()
        self.fenced = False

    def confirm(self, asked_at: float) -> None:
        """Record that nobody had taken over at `asked_at`, on the clock of `lease_time`."""
        self._confirmed_at = asked_at
        self._heard_at = time.monotonic()
        self._changed.set()

    def fence(self) -> None:
        """Record that another herald has taken over."""
        self.fenced = True
        self._changed.set()

    @property
    def age(self) -> float:
        """Seconds since the last confirmed question was asked; 0 before the first."""
        return 0.0 if self._confirmed_at is None else lease_time() - self._confirmed_at

    @property
    def silence(self) -> float:
        """Seconds awake without a confirmation. Time in suspend does not count: it is not Kafka's fault."""
        return 0.0 if self._heard_at is None else time.monotonic() - self._heard_at

    def holds(self) -> bool:
        """Whether the herald may send now."""
        return not self.fenced and self._confirmed_at is not None and self.age <= LEASE

    async def wait(self) -> None:
        """Wait until the herald may send; raises `HeraldFenced` if another has taken over."""
        while not self.holds():
            if self.fenced:
                raise HeraldFenced
            self._changed.clear()
            await self._changed.wait()
