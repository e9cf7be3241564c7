"""HTTP as uvicorn speaks it, bounded: header bytes, time for a request to arrive, time for an answer to be read.

Uvicorn (0.54) reads headers without end, trailers too, waits for ever for the rest of a request, and for a client that
does not read. A few hundred sockets that say half a word each would hold all that a process may open.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEADER_BYTES = 16_384
"""Of one request, its line and its trailers included; bearer keys and cookies of proxies fit many times."""
ARRIVE_SECONDS, ARRIVE_BYTES = 12.0, 65_536
"""A request has so many seconds to arrive, and one more for each so many bytes that came: half a megabit a second."""
READ_SECONDS = 15.0
"""So long may a client not read what it is sent."""
LOOK_SECONDS = 1.0

ABORT = "isonomy.abort"
"""ASGI extension: cuts the connection at once, with what is not sent yet."""
OWN_PACE = "isonomy.own_pace"
"""ASGI extension: the application looks itself whether this answer is read; it may last."""


class Protocol(HttpToolsProtocol):
    """Uvicorn's, with bounds; and it can be told to hang up on a client that does not read what it is sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._allowed = 0.0
        self._came = self._header_bytes = 0
        self._in_headers = self._own_pace = False

    # --- what comes --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless its headers are too long."""
        self._came += len(data)
        begun = self._in_headers  # what a request begins in may hold the end of the one before it
        super().data_received(data)
        if begun and self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES:
                self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Offer the extensions to the application."""
        super().on_message_begin()
        extensions: Any = {ABORT: self.transport.abort, OWN_PACE: self._leave_pace}
        self.scope["extensions"] = extensions
        self._in_headers, self._own_pace = True, False
        self._came = self._header_bytes = 0
        if self._arriving is None:
            self._expect()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, which comes behind the body."""
        if not self._in_headers:
            self._header_bytes += len(name) + len(value) + 4
            if self._header_bytes > HEADER_BYTES:
                self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return  # trailers are nobody's
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the headers are too long after all."""
        length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if length > HEADER_BYTES:
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._in_headers, self._header_bytes = False, length
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, of a request that was not refused."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        if not self.transport.is_closing():
            super().on_message_complete()
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _expect(self) -> None:
        self._allowed = ARRIVE_SECONDS
        self._arriving = self.loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Look whether the request arrives in time; while we ourselves do not read, the time stands still."""
        if self.transport.is_closing():
            return
        if not self.flow.read_paused:
            self._allowed -= LOOK_SECONDS
        if self._allowed + self._came / ARRIVE_BYTES <= 0:
            if self._came:
                self._end(HTTPStatus.REQUEST_TIMEOUT)
            else:  # a browser that opened a connection in case it needs one
                self.transport.close()
            return
        self._arriving = self.loop.call_later(LOOK_SECONDS, self._look)

    def _end(self, status: HTTPStatus) -> None:
        """Say why, where nothing was said yet, and close."""
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle  # None before the first
        if cycle is None or cycle.response_complete:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n"
            more = b"".join(name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers)
            self.transport.write(head.encode() + more + b"\r\n")
            self.transport.close()
        else:
            self.transport.abort()

    # --- what goes ---------------------------------------------------------------------------------------------------

    def _leave_pace(self) -> None:
        self._own_pace = True

    def pause_writing(self) -> None:
        """The client reads slower than it is sent to."""
        super().pause_writing()
        if self._reading is None and not self._own_pace:
            self._reading = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        for timer in (self._arriving, self._reading):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
