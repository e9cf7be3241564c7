"""The connection to Kafka is made again, even if closing the previous one fails."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.kafka import writer as module
from services.kafka.writer import Link
from streams.contracts.connect import close_in_time


class Producer:
    """One that answers nothing, and how it closes."""

    def __init__(self, closing: str) -> None:
        self.closing = closing
        self.client = SimpleNamespace(force_metadata_update=self._silent, close=self.stop)
        self.stopped = 0

    async def start(self) -> None:
        if self.closing == "gives up at the start":
            raise asyncio.CancelledError

    async def _silent(self) -> bool:
        return False

    async def stop(self) -> None:
        self.stopped += 1
        if self.closing == "ends in a cancellation":
            raise asyncio.CancelledError
        if self.closing == "raises":
            raise OSError("broken")
        if self.closing == "hangs":
            await asyncio.Event().wait()


@pytest.mark.parametrize("closing", ["cleanly", "ends in a cancellation", "raises", "hangs", "gives up at the start"])
async def test_a_producer_that_cannot_be_closed_is_dropped_and_another_one_made(
    monkeypatch: pytest.MonkeyPatch, closing: str
) -> None:
    for name in ("LOOK_SECONDS", "LOOK_AGAIN_SECONDS", "RENEW_SECONDS"):
        monkeypatch.setattr(module, name, 0.01)
    made: list[Any] = []

    def new_producer() -> Any:
        made.append(Producer(closing))
        return made[-1]

    link = Link(new_producer, ["votes"], 0.01)
    async with link.run(), asyncio.timeout(5):
        while len(made) < 3:
            await asyncio.sleep(0.005)
        assert link.away is not None
    assert all(producer.stopped for producer in made[:-1])
    assert link.producer is None


async def test_closing_ends_in_time_and_says_how(caplog: pytest.LogCaptureFixture) -> None:
    for closing, clean in (("cleanly", True), ("ends in a cancellation", False), ("raises", False), ("hangs", False)):
        assert await close_in_time(Producer(closing).stop, 0.01) is clean
    assert caplog.text.count("Producer did not close") == 3
