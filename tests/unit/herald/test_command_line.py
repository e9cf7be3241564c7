"""`isonomy subscriptions` waits for both of its connections: the consumer and the producer."""

import pytest

from services.cli import subscriptions
from services.http.errors import Refusal, Refused


class Store:
    """One of its connections comes at once, the other after some looks."""

    def __init__(self, reads: int, writes: int) -> None:
        self.reads, self.writes = reads, writes

    def book(self) -> None:
        self.reads -= 1
        if self.reads >= 0:
            raise Refused(Refusal.UNAVAILABLE, "the subscriptions are being read")

    def writable(self) -> None:
        self.writes -= 1
        if self.writes >= 0:
            raise Refused(Refusal.UNAVAILABLE, "not connected to Kafka yet")


@pytest.mark.parametrize(("reads", "writes"), [(0, 3), (3, 0), (2, 2)])
async def test_a_command_waits_until_it_can_read_and_write(
    reads: int, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "LOOK_SECONDS", 0.0)
    store = Store(reads, writes)
    await subscriptions._read(store)  # type: ignore[arg-type]  # both connections, and nothing else
    assert (store.reads, store.writes) == (-1 - writes, -1)


async def test_a_command_that_cannot_write_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "READ_SECONDS", 0.0)
    with pytest.raises(Refused, match="not connected to Kafka yet"):
        await subscriptions._read(Store(0, 1))  # type: ignore[arg-type]
