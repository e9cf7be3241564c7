"""Sends events to SSE clients: a ring per arena for clients that reconnect, a bounded queue for each client.

Nothing here waits for a client: one that does not keep up is cut, without effect on the others.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from prometheus_client import Counter, Gauge
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.board.document import OPEN
from services.http.errors import Refusal, Refused, retry_after
from services.http.uvicorn_protocol import ABORT, OWN_PACE

RING_EVENTS, RING_BYTES = 1_000, 4 * 1024 * 1024
"""Events and bytes kept per arena for clients that reconnect: minutes of a busy arena."""
CLIENT_EVENTS = 500
"""Maximum of events that wait for one client, beside those it got when it joined."""
CLIENT_SECONDS = 30.0
"""Longest time that an event may wait for a client."""
MOST_CLIENTS = 5_000
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": still here\n\n"
UNKNOWN_STATE = b'{"state":"connecting","since":0}'
"""State of an arena before the first look at it, a quarter of a second at most."""


class Over(Enum):
    """Why a client's stream ended."""

    CUT = "cut"
    """It did not keep up."""
    STOPPED = "stopped"
    """The server stops."""


@dataclass(eq=False, slots=True)
class Client:
    """One SSE client. `waiting` holds encoded events; `room` bounds their number."""

    arena: str
    waiting: list[bytes]
    room: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    since: float = 0.0
    over: Over | None = None

    async def take(self) -> bytes:
        """Wait for events and return all of them; empty when the stream is over."""
        while not self.waiting and self.over is None:
            self.wake.clear()
            await self.wake.wait()
        text = b"".join(self.waiting)
        self.waiting.clear()
        self.room = CLIENT_EVENTS
        return text

    def end(self, over: Over) -> None:
        """End the stream."""
        self.over = self.over or over
        self.wake.set()
        self.ended.set()


@dataclass(slots=True)
class _Ring:
    events: deque[tuple[int, bytes]] = field(default_factory=deque)
    size: int = 0
    lost: int = 0
    """Number of the newest event that was dropped."""
    clients: set[Client] = field(default_factory=set)

    def keep(self, number: int, text: bytes) -> None:
        self.events.append((number, text))
        self.size += len(text)
        while len(self.events) > RING_EVENTS or self.size > RING_BYTES:
            self.lost, gone = self.events.popleft()
            self.size -= len(gone)


class Hub:
    """All rings and all clients of this process.

    Parameters
    ----------
    clients, cut
        Metrics: connected clients, and clients that were cut.
    run
        Name of this run of the process, a part of every event id: ids of another run are recognised.
    """

    def __init__(self, clients: Gauge, cut: Counter, run: str | None = None) -> None:
        self._count, self._cut = clients, cut
        self.run = run or secrets.token_hex(4)
        self._number = 0
        self._rings: dict[str, _Ring] = {}
        self._stopped = False
        self._states: dict[str, bytes] = {}

    def tell(self, arena: str, kind: str, data: bytes) -> None:
        """Send an event to the arena's clients, now or when they reconnect."""
        self._number += 1
        text = event(kind, data, self._id(self._number))
        ring = self._rings.setdefault(arena, _Ring())
        ring.keep(self._number, text)
        self._offer(ring, text)

    def tell_state(self, arena: str, state: bytes) -> None:
        """Send the state of an arena's stream to its clients; a client that joins later gets it first."""
        self._states[arena] = state
        if arena in self._rings:
            self.tell(arena, "stream", state)

    def forget_state(self, arena: str) -> None:
        """Forget the state of an arena that is gone."""
        self._states.pop(arena, None)

    def join(self, arena: str, last: str | None = None) -> Client:
        """Start a stream: the events missed since event `last` (or `reset`, when they are unknown), then new ones.

        Raises
        ------
        Refused
            When there are too many clients already, or the server stops.
        """
        if self._stopped or sum(len(ring.clients) for ring in self._rings.values()) >= MOST_CLIENTS:
            raise Refused(Refusal.UNAVAILABLE, "this board has no more event streams free", retry_after(5.0))
        ring = self._rings.setdefault(arena, _Ring())
        newest = self._id(self._number)
        first = [b"retry: 1000\n\n"]
        if last:
            missed = self._missed(ring, last)
            first += [event("reset", b"{}", newest)] if missed is None else missed
        first.append(event("stream", self._states.get(arena, UNKNOWN_STATE), newest))
        client = Client(arena, first, len(first) + CLIENT_EVENTS)
        client.since = time.monotonic()
        ring.clients.add(client)
        self._count.inc()
        return client

    def leave(self, client: Client) -> None:
        """End a client's stream."""
        clients = self._rings[client.arena].clients
        if client in clients:
            clients.remove(client)
            self._count.dec()

    def stop(self) -> None:
        """End every stream, and start no more."""
        self._stopped = True
        for ring in self._rings.values():
            for client in ring.clients:
                client.end(Over.STOPPED)

    async def beat(self) -> None:
        """Send comments, for ever: proxies close silent connections."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for ring in self._rings.values():
                self._offer(ring, HEARTBEAT)

    def _offer(self, ring: _Ring, text: bytes) -> None:
        now = time.monotonic()
        for client in list(ring.clients):
            if not client.waiting:
                client.since = now
            elif len(client.waiting) >= client.room or now - client.since > CLIENT_SECONDS:
                self._cut.inc()
                self.leave(client)
                client.end(Over.CUT)
                continue
            client.waiting.append(text)
            client.wake.set()

    def _missed(self, ring: _Ring, last: str) -> list[bytes] | None:
        run, _, digits = last.partition("-")
        if run != self.run or not (digits.isdecimal() and len(digits) < 20):
            return None
        since = int(digits)
        if not ring.lost <= since <= self._number:
            return None
        return [text for number, text in ring.events if number > since]

    def _id(self, number: int) -> str:
        return f"{self.run}-{number}"


def event(kind: str, data: bytes, identity: str) -> bytes:
    r"""Encode one server-sent event; JSON of msgspec holds no line break, so the data is one line.

    >>> event("board", b'{"boards":["overall"]}', "a-1")
    b'id: a-1\nevent: board\ndata: {"boards":["overall"]}\n\n'
    """
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (identity.encode(), kind.encode(), data)


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would buffer events
    OPEN,
]


class EventStream(Response):
    """Sends a client's events as they come.

    Parameters
    ----------
    hub
        The hub that the client leaves at the end.
    client
        The client of this stream.
    """

    def __init__(self, hub: Hub, client: Client) -> None:
        super().__init__()
        self._hub, self._client = hub, client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream is over; the hub decides when to cut a client that does not read."""
        own_pace: Callable[[], None] | None = scope.get("extensions", {}).get(OWN_PACE)
        if own_pace is not None:
            own_pace()
        writing = asyncio.create_task(self._write(send))
        going = asyncio.create_task(_gone(receive))
        over = asyncio.create_task(self._client.ended.wait())
        try:
            await asyncio.wait({writing, going, over}, return_when=asyncio.FIRST_COMPLETED)
            if self._client.over is Over.CUT:
                # Writing blocks on a full buffer that this client does not empty: nothing more can be sent to it.
                abort: Callable[[], None] | None = scope.get("extensions", {}).get(ABORT)
                if abort is not None:
                    abort()
                    await going
            elif self._client.over is Over.STOPPED:
                await asyncio.wait({writing, going}, return_when=asyncio.FIRST_COMPLETED, timeout=0.5)
        finally:
            self._hub.leave(self._client)
            for task in (writing, going, over):
                task.cancel()
            await asyncio.wait({writing, going, over})
        if not writing.cancelled() and writing.exception() is not None:
            raise writing.exception()  # type: ignore[misc]  # it is not None

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        while text := await self._client.take():
            await send({"type": "http.response.body", "body": text, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
