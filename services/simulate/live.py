"""Send a simulation into a running stack, so that the ledger has votes and notices in the simulation's order.

Votes and model records are in different topics, and intake reads both independently. So before a change of the registry
the sender waits until intake has committed every earlier vote, and it sends no further vote until intake has committed
the change: the ledger then has every notice at its exact place. Votes between two changes are in Kafka's order: exact
within a partition, nearly so across partitions, because intake writes together what it fetched from each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.simulate.records import Recorder
from services.simulate.simulation import Simulation
from streams.ledger.codec import Block, Notice

SLICE = 2_000
"""Votes sent between two checks of the clock."""


class Stack(Protocol):
    """The part of a running stack that `send` uses."""

    async def send(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Send votes, in order."""

    async def declare(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Send model records, in order, and wait for their acknowledgement."""

    async def settle(self) -> None:
        """Wait until everything sent is acknowledged and in the ledger."""


@dataclass(slots=True)
class Pace:
    """Limits the sending rate to `rate` votes a second; None sends as fast as possible."""

    rate: float | None
    clock: Callable[[], float] = time.monotonic
    _began: float | None = None
    _sent: float = 0.0

    @property
    def slice(self) -> int:
        """Votes to send between two checks of the clock."""
        return SLICE if self.rate is None else max(1, min(SLICE, int(self.rate / 20)))

    async def after(self, votes: float) -> None:
        """Count `votes` as sent, and sleep until the rate allows the next ones."""
        if self._began is None:
            self._began = self.clock()
        self._sent += votes
        behind = self._began + self._sent / self.rate - self.clock() if self.rate else 0.0
        await asyncio.sleep(max(0.0, behind))


@dataclass(slots=True)
class Sent:
    """Numbers of votes and notices sent."""

    votes: int = 0
    notices: int = 0


async def send(
    simulation: Simulation, recorder: Recorder, stack: Stack, pace: Pace, advance: Callable[[int], None]
) -> Sent:
    """Send a whole simulation. With a rate, an outage is a pause as long as its missing votes would have taken."""
    sent = Sent()
    waiting: list[Notice] = []
    per_second = simulation.world.scenario.clock.per_day / 86_400
    for record in simulation:
        if isinstance(record, Notice):
            waiting.append(record)
            continue
        await _declare(waiting, recorder, stack, sent)
        silence = simulation.silence()
        if silence and pace.rate:
            await stack.settle()
            await pace.after(silence * per_second)
        await _send(record, recorder, stack, pace, sent)
        advance(simulation.drawn)
    await _declare(waiting, recorder, stack, sent)
    await stack.settle()
    return sent


async def _declare(waiting: list[Notice], recorder: Recorder, stack: Stack, sent: Sent) -> None:
    if not waiting:
        return
    await stack.settle()
    pairs = [recorder.model(notice) for notice in waiting]
    await stack.declare([(key.encode(), None if value is None else value.encode()) for key, value in pairs])
    await stack.settle()
    sent.notices += len(waiting)
    waiting.clear()


async def _send(block: Block, recorder: Recorder, stack: Stack, pace: Pace, sent: Sent) -> None:
    votes = recorder.votes(block)
    keys, values = [key.encode() for key in votes.keys], [value.encode() for value in votes.values]
    for start in range(0, len(keys), pace.slice):
        part = slice(start, start + pace.slice)
        await stack.send(keys[part], values[part])
        sent.votes += len(keys[part])
        await pace.after(len(keys[part]))
