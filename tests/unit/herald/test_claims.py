"""Whose claim holds, and whom a release frees: docs/design/0012-models.md has the runs that made these rules."""

import asyncio
import math
from typing import Any, cast

import pytest

from services.herald.dispatcher import Dispatcher
from services.herald.lease import LEASE, Lease, lease_time
from services.herald.rules.delivery_state import Book
from streams.contracts.delivery import CLAIM_KEY, Claim, Record, decode_record
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings


def book_of(*claims: Claim) -> Book:
    book = Book()
    for offset, claim in enumerate(claims):
        book.take(CLAIM_KEY, claim, offset)
    return book


def test_a_release_ends_its_writer_s_own_claim() -> None:
    released = Claim(by="first", at=2.0, released=True)
    assert book_of(Claim(by="first", at=1.0), released).claim == released


def test_a_release_that_comes_behind_another_s_claim_ends_nothing() -> None:
    second = Claim(by="second", at=2.0)
    assert book_of(Claim(by="first", at=1.0), second, Claim(by="first", at=1.5, released=True)).claim == second


def test_a_release_whose_claim_was_compacted_away_still_counts() -> None:
    released = Claim(by="first", at=2.0, released=True)
    assert book_of(released).claim == released


class _Producer:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Record] = []

    async def send_and_wait(self, topic: object, value: bytes, key: object, partition: object) -> type:
        self.sent.append(decode_record(value))
        return type("Sent", (), {"offset": len(self.sent) - 1})


@pytest.mark.parametrize("waits", [True, False], ids=["before its wait is over", "after"])
async def test_who_stops_releases_only_after_its_wait(monkeypatch: pytest.MonkeyPatch, waits: bool) -> None:
    producer = _Producer()
    term = Dispatcher(Settings(), Metrics(), "second", None, producer, cast(Any, None), lambda _: True)

    async def take_over() -> list[Any]:
        term._not_before = math.inf if waits else lease_time()
        term.stop()
        return []

    async def nothing(*_args: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(term, "_take_over", take_over)
    monkeypatch.setattr(term, "_follow", nothing)
    monkeypatch.setattr(term._inbox, "read", nothing)
    monkeypatch.setattr(term._inbox, "confirm", nothing)
    await term.run()
    assert [claim.released for claim in producer.sent] == ([] if waits else [True])


class _Clocks:
    """A stand-in for the module `time` on Linux, whose monotonic clock stops while the host is suspended."""

    CLOCK_BOOTTIME = 7

    def __init__(self) -> None:
        self.awake = self.asleep = 0.0

    def monotonic(self) -> float:
        return self.awake

    def clock_gettime(self, clock: int) -> float:
        assert clock == self.CLOCK_BOOTTIME
        return self.awake + self.asleep


def test_a_host_that_slept_wakes_without_its_lease_and_does_not_blame_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = _Clocks()
    monkeypatch.setattr("services.herald.lease.time", clocks)
    lease = Lease()
    lease.confirm(lease_time())
    clocks.awake += LEASE / 2
    assert lease.holds()
    clocks.asleep += 3600
    assert not lease.holds()
    assert lease.silence == LEASE / 2


def test_a_platform_without_such_a_clock_has_the_monotonic_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = _Clocks()
    monkeypatch.delattr(_Clocks, "CLOCK_BOOTTIME")
    monkeypatch.setattr("services.herald.lease.time", clocks)
    clocks.awake = 5.0
    assert lease_time() == 5.0
