"""A term's loop by itself: what it writes, and when."""

import asyncio
import contextlib
import math
import time
from types import SimpleNamespace

import msgspec

from services.herald.dispatcher import Dispatcher
from services.herald.lease import lease_time
from services.herald.rules.grouping import seal
from streams.contracts.alert import Status
from streams.contracts.delivery import State, delivery_id, encode_record
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from tests.support.herald import make_subscription
from tests.unit.herald.making import Producer, large, make_pending

S = make_subscription("s", "https://s.example.com/hook")


def make_term(producer):
    term = Dispatcher(Settings(), Metrics(), "me", None, producer, None, lambda _: True)
    term._not_before = 0.0
    term._next["forget"] = math.inf
    term._lease.confirm(lease_time())
    return term


async def follow(term, turns=3, then=lambda: None):
    """Let the loop go round some times, and some times more after something has come."""
    following = asyncio.create_task(term._follow([]))
    await asyncio.sleep(turns * 0.03)
    then()
    await asyncio.sleep(turns * 0.03)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


async def test_what_a_late_record_overtook_is_written_again_as_it_is_by_then():
    producer = Producer()
    term = make_term(producer)
    book = term._book
    book.take_subscription("s", S)
    (known,) = seal([make_pending(S)], 1.0)
    book.take(known.id, msgspec.structs.replace(known, attempt=1, by="me"), 5)
    late = msgspec.structs.replace(known, by="frozen")
    assert book.take(late.id, late, 6)
    term._inbox.arrived.overtaken.append(late.id)
    done = msgspec.structs.replace(known, state=State.DELIVERED, attempt=2, by="me")
    book.take(done.id, done, 7)  # by a lane, before the loop comes to it
    await follow(term)
    assert [record.state for record in producer.records] == [State.DELIVERED]


async def test_a_message_of_another_herald_that_came_late_is_sent(monkeypatch):
    """No herald is sending it: its herald is gone, and what this one has gathered is sent after it."""
    term = make_term(Producer())
    handed = []
    monkeypatch.setattr(term._sender, "put", lambda deliveries: handed.append([each.id for each in deliveries]))
    term._book.take_subscription("s", S)
    first = make_pending(S)
    sealed = [
        msgspec.structs.replace(each, by="frozen")
        for each in seal([first, msgspec.structs.replace(first, id="of another alert")], 1.0)
    ]
    mine = [msgspec.structs.replace(each, message="of mine", by="me") for each in sealed]

    def late() -> None:
        assert handed == []
        for offset, each in enumerate(sealed):
            term._inbox._delivery(SimpleNamespace(key=each.id.encode(), value=encode_record(each), offset=offset))
        for each in mine:
            term._book.take(each.id, each, 7)

    await follow(term, then=late)
    assert [sorted(each) for each in handed] == [sorted(each.id for each in sealed)]


async def test_what_was_forgotten_meanwhile_is_not_written_again():
    producer = Producer()
    term = make_term(producer)
    term._inbox.arrived.overtaken.append("gone")
    await follow(term)
    assert producer.records == []


async def test_a_delivery_that_is_too_large_is_dead_and_counted_and_its_end_waits_no_more():
    producer = Producer(most=1_000)
    term = make_term(producer)
    book = term._book
    book.take_subscription("s", S)
    firing = large(make_pending(S))
    end = msgspec.structs.replace(
        firing,
        id=delivery_id("s", firing.alert, Status.RESOLVED, firing.severity),
        status=Status.RESOLVED,
        state=State.WAITING,
        body=make_pending(S).body,
    )
    book.take(end.id, end, 0)
    term._notifier.gathering.add(firing, 0.0)
    await follow(term)
    states = {each.status: (each.state, each.body is None) for each in book.deliveries.values()}
    assert states == {Status.FIRING: (State.DEAD, True), Status.RESOLVED: (State.SKIPPED, False)}
    counted = term._metrics.herald_deliveries.labels("webhook", "dead")._value.get()
    assert counted == 1


async def test_a_take_over_ends_when_the_group_moves_on(monkeypatch):
    """The group waits for a session, and removes a member that takes longer: a long take-over must not exceed it."""
    term = Dispatcher(Settings(), Metrics(), "me", None, Producer(), None, lambda _: True)
    begun = asyncio.Event()

    async def for_ever():
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(term, "_take_over", for_ever)
    running = asyncio.create_task(term.run())
    await begun.wait()
    term.stop()
    async with asyncio.timeout(10):
        await running


async def test_what_an_attempt_leaves_to_do_is_done_at_once_and_not_at_the_next_look(monkeypatch):
    term = make_term(Producer())
    turned = asyncio.Event()
    original = term._turn

    async def counted(owed):
        turned.set()
        return await original(owed)

    monkeypatch.setattr(term, "_turn", counted)
    monkeypatch.setattr(term, "_idle_seconds", lambda: 600.0)
    following = asyncio.create_task(term._follow([]))
    async with asyncio.timeout(60):
        await turned.wait()
        turned.clear()
        await term._sender._work_and_wake("nobody", "no message")
        await turned.wait()
    following.cancel()
    await asyncio.wait({following})


async def test_a_delivery_that_was_given_up_is_handled_without_a_pause(monkeypatch):
    """Its resolved notice may wait for it."""
    term = make_term(Producer())
    turns = asyncio.Queue()

    async def turn(_):
        turns.put_nowait(list(term._delivery_log.given_up))
        term._delivery_log.given_up = [] if turns.qsize() > 1 else [make_pending(S)]
        return []

    monkeypatch.setattr(term, "_turn", turn)
    monkeypatch.setattr(term, "_idle_seconds", lambda: 600.0)
    following = asyncio.create_task(term._follow([]))
    async with asyncio.timeout(60):
        while turns.qsize() < 2:
            await asyncio.sleep(0)
    following.cancel()
    await asyncio.wait({following})
    assert [turns.get_nowait() for _ in range(2)] == [[], [make_pending(S)]]


async def test_with_nothing_to_do_the_loop_sleeps_until_something_is_due():
    term = make_term(Producer())
    term._next.update(keys=math.inf, resend=math.inf, show=time.monotonic() + 60)
    assert 59 < term._idle_seconds() <= 60
    term._sender.put(seal([make_pending(S)], time.time() + 30))
    assert 29 < term._idle_seconds() <= 30
    term._notifier.gathering.add(make_pending(S), time.monotonic() + 5)
    assert 5 < term._idle_seconds() <= 6  # its group closes a second later
    term._sender.put(seal([make_pending(make_subscription("t", "https://t.example.com/"))], 1.0))
    assert term._idle_seconds() == 0.0


async def test_what_a_turn_leaves_to_write_is_written_without_a_pause(monkeypatch):
    term = make_term(Producer())
    turns = []
    both = asyncio.Event()

    async def turn(owed):
        turns.append(list(owed))
        if len(turns) == 2:
            both.set()
        return [] if owed else [make_pending(S)]

    monkeypatch.setattr(term, "_turn", turn)
    monkeypatch.setattr(term, "_idle_seconds", lambda: 60.0)
    following = asyncio.create_task(term._follow([]))
    async with asyncio.timeout(60):
        await both.wait()
    await asyncio.sleep(0)
    following.cancel()
    await asyncio.wait({following})
    assert turns == [[], [make_pending(S)]]


async def test_who_delivers_says_so_by_a_one():
    term = make_term(Producer())
    assert term._metrics.herald_owner._value.get() == 0
    await follow(term, turns=1)
    assert term._metrics.herald_owner._value.get() == 1
