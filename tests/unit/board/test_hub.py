"""Events reach every client, once and in order; one that reconnects misses nothing; a slow one is disconnected."""

import asyncio
from typing import Any

import pytest

import services.board.sse_hub as hub_module
from services.board.sse_hub import Client, EventStream, Hub, Over
from services.http.errors import Refused
from services.http.uvicorn_protocol import ABORT
from streams.contracts.metrics import Metrics
from tests.support.eventually import eventually_async


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def hub(metrics: Metrics) -> Hub:
    return Hub(metrics.board_clients, metrics.board_clients_cut, run="r")


def ids(client: Client) -> list[tuple[str, str]]:
    """Id and kind of the waiting events, except the status that every client gets first."""
    found = []
    for text in client.waiting:
        fields = dict(line.split(": ", 1) for line in text.decode().strip().split("\n"))
        if "event" in fields and fields["event"] != "stream":
            found.append((fields["id"], fields["event"]))
    client.waiting.clear()
    return found


def tell(hub: Hub, count: int, arena: str = "text") -> None:
    for _ in range(count):
        hub.tell(arena, "board", b"{}")


def test_everyone_of_an_arena_is_told_and_nobody_else(hub: Hub) -> None:
    one, two, other = hub.join("text"), hub.join("text"), hub.join("vision")
    tell(hub, 2)
    assert ids(one) == ids(two) == [("r-1", "board"), ("r-2", "board")]
    assert ids(other) == []


def test_the_first_event_has_an_id_so_that_a_client_which_heard_nothing_more_can_come_back(hub: Hub) -> None:
    tell(hub, 3)
    client = hub.join("text")
    assert b"id: r-3\nevent: stream\n" in b"".join(client.waiting)


def test_who_comes_back_is_told_what_it_missed_and_nothing_twice(hub: Hub) -> None:
    tell(hub, 3)
    tell(hub, 2, arena="vision")
    assert ids(hub.join("text", "r-1")) == [("r-2", "board"), ("r-3", "board")]
    assert ids(hub.join("text", "r-3")) == ids(hub.join("text", "r-5")) == []


@pytest.mark.parametrize("last", ["x-1", "r-6", "r-", "nonsense", "r-²", "r-" + "9" * 5000, "r--1"])
def test_an_id_that_says_nothing_here_is_a_reset(hub: Hub, last: str) -> None:
    tell(hub, 5)
    assert ids(hub.join("text", last)) == [("r-5", "reset")]


def test_an_id_that_is_too_old_is_a_reset_and_the_oldest_that_is_not_is_none(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RING_EVENTS", 3)
    tell(hub, 5)
    assert ids(hub.join("text", "r-1")) == [("r-5", "reset")]
    assert ids(hub.join("text", "r-2")) == [("r-3", "board"), ("r-4", "board"), ("r-5", "board")]


def test_the_ring_is_bounded_in_bytes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RING_BYTES", 300)
    for _ in range(10):
        hub.tell("text", "alert", b'"' + b"x" * 80 + b'"')
    assert ids(hub.join("text", "r-1")) == [("r-10", "reset")]
    assert ids(hub.join("text", "r-9")) == [("r-10", "alert")]


def test_the_state_is_told_to_all_and_first_to_who_comes(hub: Hub) -> None:
    client = hub.join("text")
    client.waiting.clear()
    for arena in ("text", "vision"):
        hub.tell_state(arena, b'{"state":"live"}')
    assert b'event: stream\ndata: {"state":"live"}' in client.waiting[0]
    assert b'event: stream\ndata: {"state":"live"}' in b"".join(hub.join("vision").waiting)


async def test_who_does_not_take_is_cut_and_the_others_are_not(hub: Hub, metrics: Metrics) -> None:
    slow, quick = hub.join("text"), hub.join("text")
    for _ in range(hub_module.CLIENT_EVENTS + 10):
        hub.tell("text", "board", b"{}")
        await quick.take()
    assert (slow.over, quick.over) == (Over.CUT, None)
    value = metrics.registry.get_sample_value
    assert (value("isonomy_board_clients"), value("isonomy_board_clients_cut_total")) == (1, 1)


async def test_who_leaves_an_event_lying_for_too_long_is_cut(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    client = hub.join("text")
    await client.take()
    tell(hub, 1)
    monkeypatch.setattr(hub_module, "CLIENT_SECONDS", -1.0)
    tell(hub, 1)
    assert client.over is Over.CUT


def test_there_is_a_most_of_clients(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MOST_CLIENTS", 2)
    first = hub.join("text")
    hub.join("vision")
    with pytest.raises(Refused, match="no more event streams"):
        hub.join("text")
    hub.leave(first)
    hub.leave(first)  # twice is once
    hub.join("text")


async def test_silence_is_broken_by_comments(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "HEARTBEAT_SECONDS", 0.001)
    client = hub.join("text")
    await client.take()
    beating = asyncio.create_task(hub.beat())
    assert (await client.take()).startswith(b": ")
    beating.cancel()
    await asyncio.wait([beating])


class Wire:
    """An ASGI server's side of one request; it takes nothing while `full`."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.room, self.gone = asyncio.Event(), asyncio.Event()
        self.room.set()
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True
        self.gone.set()
        self.room.set()

    async def send(self, message: Any) -> None:
        await self.room.wait()
        self.sent.append(message)

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def serve(self, hub: Hub, client: Client) -> "asyncio.Task[None]":
        scope = {"type": "http", "extensions": {ABORT: self.abort}}
        return asyncio.create_task(EventStream(hub, client)(scope, self.receive, self.send))


async def test_a_stream_ends_whole_when_the_server_stops(hub: Hub) -> None:
    wire = Wire()
    serving = wire.serve(hub, hub.join("text"))
    await eventually_async(lambda: len(wire.sent) == 2)
    hub.stop()
    await asyncio.wait_for(serving, 2)
    assert wire.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    with pytest.raises(Refused):
        hub.join("text")


async def test_a_client_that_went_away_is_forgotten(hub: Hub, metrics: Metrics) -> None:
    wire = Wire()
    serving = wire.serve(hub, hub.join("text"))
    wire.gone.set()
    await asyncio.wait_for(serving, 2)
    assert metrics.registry.get_sample_value("isonomy_board_clients") == 0


async def test_a_client_that_reads_nothing_is_hung_up_on(hub: Hub) -> None:
    wire = Wire()
    serving = wire.serve(hub, hub.join("text"))
    await eventually_async(lambda: wire.sent)
    wire.room.clear()
    for _ in range(2 * hub_module.CLIENT_EVENTS):
        tell(hub, 1)
        await asyncio.sleep(0)
    await asyncio.wait_for(serving, 2)
    assert wire.aborted
