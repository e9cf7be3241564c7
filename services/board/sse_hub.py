"""Sends events to everyone who listens: a ring per arena for clients that reconnect, a bounded queue for each client.

Nothing here waits for a client: one that does not keep up is cut, and the others never notice.
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
"""Kept of one arena for who comes back: minutes of a busy arena."""
CLIENT_EVENTS = 500
"""So many events may wait for one client, beside what it was given when it came."""
CLIENT_SECONDS = 30.0
"""So long may an event wait for a client."""
MOST_CLIENTS = 5_000
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": still here\n\n"
UNKNOWN_STATE = b'{"state":"connecting","since":0}'
"""Of an arena that nobody has looked at yet: a quarter of a second."""


class Over(Enum):
    """Why a client's stream ended."""

    CUT = "cut"
    """It did not keep up."""
    STOPPED = "stopped"
    """The server stops."""


@dataclass(eq=False, slots=True)
class Client:
    """Who listens. `waiting` is sent as it is; `room` bounds it."""

    arena: str
    waiting: list[bytes]
    room: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    since: float = 0.0
    over: Over | None = None

    async def take(self) -> bytes:
        """All that waits, once there is something; empty when the stream is over."""
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
    """Number of the newest event that was let go."""
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
        How many listen, and how many were cut.
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
        """Hand an event to the arena's clients, now or when they come back."""
        self._number += 1
        text = event(kind, data, self._id(self._number))
        ring = self._rings.setdefault(arena, _Ring())
        ring.keep(self._number, text)
        self._offer(ring, text)

    def tell_state(self, arena: str, state: bytes) -> None:
        """Hand the state of an arena's stream to everyone who listens; who comes later is told it first."""
        self._states[arena] = state
        if arena in self._rings:
            self.tell(arena, "stream", state)

    def forget_state(self, arena: str) -> None:
        """Know no state of an arena that is gone."""
        self._states.pop(arena, None)

    def join(self, arena: str, last: str | None = None) -> Client:
        """Begin a stream: what was missed since event `last` (or `reset`, when that cannot be said), then what comes.

        Raises
        ------
        Refused
            When there are too many already, or the server stops.
        """
        if self._stopped or sum(len(ring.clients) for ring in self._rings.values()) >= MOST_CLIENTS:
            raise Refused(Refusal.UNAVAILABLE, "no more streams can be had here now", retry_after(5.0))
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
        """End every stream, and begin no more."""
        self._stopped = True
        for ring in self._rings.values():
            for client in ring.clients:
                client.end(Over.STOPPED)

    async def beat(self) -> None:
        """Send comments, for ever: proxies close what is silent."""
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
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
    OPEN,
]


class EventStream(Response):
    """Sends a client's events as they come.

    Parameters
    ----------
    hub
        Which the client leaves in the end.
    client
        Whose stream it is.
    """

    def __init__(self, hub: Hub, client: Client) -> None:
        super().__init__()
        self._hub, self._client = hub, client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it is over; how long it may last the hub says."""
        own_pace: Callable[[], None] | None = scope.get("extensions", {}).get(OWN_PACE)
        if own_pace is not None:
            own_pace()
        writing = asyncio.create_task(self._write(send))
        going = asyncio.create_task(_gone(receive))
        over = asyncio.create_task(self._client.ended.wait())
        try:
            await asyncio.wait({writing, going, over}, return_when=asyncio.FIRST_COMPLETED)
            if self._client.over is Over.CUT:
                # Writing hangs in a full buffer that this client does not empty: nothing more can be said to it.
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
