"""How records of many requests share batches."""

import asyncio

import pytest

from services.kafka.partition_queue import Lane, Parcel, Record, pack

FULL = 3


class Builder:
    """A batch that takes three records, as aiokafka's takes a number of bytes."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, *, timestamp: float | None, key: bytes, value: bytes | None) -> object | None:
        if len(self.records) == FULL:
            return None
        self.records.append((key, value))
        return self


class Broker:
    """A producer that acknowledges batches one at a time, on request."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.answers: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.lane = Lane(Builder, self.send)

    async def send(self, builder: Builder) -> None:
        self.batches.append([key for key, _ in builder.records])
        answer = await self.answers.get()
        if answer is not None:
            raise answer

    async def answer(self, answer: Exception | None = None) -> None:
        self.answers.put_nowait(answer)
        for _ in range(5):
            await asyncio.sleep(0)


def records(names: str) -> list[Record]:
    return [(name.encode(), b"") for name in names]


async def test_what_comes_while_a_batch_is_away_goes_out_as_the_next() -> None:
    broker = Broker()
    first = broker.lane.put(records("a"))
    await asyncio.sleep(0)
    second, third = broker.lane.put(records("b")), broker.lane.put(records("c"))
    await broker.answer()
    assert (first.done(), second.done()) == (True, False)
    await broker.answer()
    await asyncio.gather(second, third)
    assert broker.batches == [[b"a"], [b"b", b"c"]]


async def test_a_parcel_is_done_when_the_last_of_its_batches_is() -> None:
    broker = Broker()
    small, large, last = (broker.lane.put(records(each)) for each in ("ab", "cdefg", "hi"))
    await asyncio.sleep(0)
    states = []
    for _ in range(3):
        await broker.answer()
        states.append((small.done(), large.done(), last.done()))
    assert broker.batches == [[b"a", b"b", b"c"], [b"d", b"e", b"f"], [b"g", b"h", b"i"]]
    assert states == [(True, False, False), (True, False, False), (True, True, True)]


async def test_a_batch_that_fails_fails_all_that_ride_in_it_and_no_other() -> None:
    broker = Broker()
    small, large, last = (broker.lane.put(records(each)) for each in ("ab", "cdef", "ghi"))
    await asyncio.sleep(0)
    await broker.answer()
    await broker.answer(OSError("away"))
    await broker.answer()
    await small
    await last
    with pytest.raises(OSError, match="away"):
        await large
    again = broker.lane.put(records("j"))
    await broker.answer()
    await again


async def test_a_parcel_that_fails_in_its_first_batch_does_not_succeed_by_its_last() -> None:
    broker = Broker()
    large = broker.lane.put(records("abcd"))
    await asyncio.sleep(0)
    await broker.answer(OSError("away"))
    await broker.answer()
    with pytest.raises(OSError, match="away"):
        await large


async def test_what_nobody_waits_for_any_more_is_not_sent() -> None:
    broker = Broker()
    first, given_up, kept = broker.lane.put(records("a")), broker.lane.put(records("b")), broker.lane.put(records("c"))
    given_up.cancel()
    await broker.answer()
    await asyncio.gather(first, kept)
    assert broker.batches == [[b"a", b"c"]]


async def test_no_parcel_waits_for_ever_when_no_batch_can_be_made() -> None:
    def away() -> Builder:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await Lane(away, Broker().send).put(records("a"))


async def test_nothing_left_is_no_batch() -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.cancel()
    assert list(pack([Parcel(records("a"), done)], Builder)) == []


async def test_what_nobody_waits_for_any_more_is_not_held_behind_a_batch_that_hangs() -> None:
    broker = Broker()
    first = broker.lane.put(records("a"))
    await asyncio.sleep(0)
    second, third = broker.lane.put(records("bc")), broker.lane.put(records("d"))
    parcel = broker.lane._waiting[0]
    second.cancel()
    await asyncio.sleep(0)
    assert len(parcel.records) == 0
    await broker.answer()
    await broker.answer()
    await asyncio.gather(first, third)
    assert broker.batches == [[b"a"], [b"d"]]
