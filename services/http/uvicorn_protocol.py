"""Uvicorn's HTTP protocol with bounds: header bytes, time for a request to arrive, time for an answer to be read.

Uvicorn (0.54) limits neither headers nor trailers, and waits for ever for the rest of a request and for a client that
does not read. A few hundred sockets with half a request each would use up all that a process may open.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

HEADER_BYTES = 16_384
"""Limit of one request, its request line and trailers included: many times a bearer key and the cookies of proxies."""
ARRIVE_SECONDS, ARRIVE_BYTES = 12.0, 65_536
"""A request must arrive in ARRIVE_SECONDS, plus one second per ARRIVE_BYTES received: half a megabit a second."""
FIRST_SECONDS = 15.0
"""Longest time from the connection to its first byte."""
READ_SECONDS = 15.0
"""Longest time in which a client reads nothing of its answer."""
SEND_BYTES = 262_144
"""Bytes of an answer that the kernel buffers for a client."""
PIPELINED = 16
"""Maximum of pipelined requests that wait behind the current one."""
LOOK_SECONDS = 1.0

ABORT = "isonomy.abort"
"""ASGI extension: cuts the connection at once and drops what is not sent yet."""
OWN_PACE = "isonomy.own_pace"
"""ASGI extension: the application itself checks that this answer is read, so READ_SECONDS does not apply."""


class Protocol(HttpToolsProtocol):
    """Uvicorn's protocol with these bounds; the application can abort a connection whose client does not read."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._arriving: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._allowed = 0.0
        self._came = self._header_bytes = 0
        self._in_headers = self._own_pace = self._body_came = False
        self._unread = 0

    # --- receiving ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        super().connection_made(transport)
        # Any unsent byte pauses writing and starts the timer: even a few unread bytes would hold the connection.
        transport.set_write_buffer_limits(high=0)
        if (connection := transport.get_extra_info("socket")) is not None:
            # The socket is writable again once a third of this buffer is read: with the kernel's default of megabytes,
            # a client that reads slowly would look like one that does not read.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        self._expect(FIRST_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; refuse a request whose headers are too long."""
        self._came += len(data)
        begun = self._in_headers  # data in which a request begins may hold the end of the previous one
        self._body_came = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        # After the headers, bytes that are not body are chunk framing or a trailer, which the parser reports only when
        # it is complete.
        if (begun and self._in_headers) or (self._arriving and not self._in_headers and not self._body_came):
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES:
                self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._keep_alive_again()

    def _keep_alive_again(self) -> None:
        """Restart the keep-alive timer: uvicorn stops it at any byte, even at a newline between two requests."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first
        over = cycle is not None and cycle.response_complete and not self.pipeline
        if over and self._arriving is None and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Offer the extensions to the application."""
        super().on_message_begin()
        extensions: Any = {ABORT: self.transport.abort, OWN_PACE: self._leave_pace}
        self.scope["extensions"] = extensions
        self._in_headers, self._own_pace = True, False
        self._came = self._header_bytes = 0
        if self._arriving is None:
            self._expect(ARRIVE_SECONDS)
        self._allowed = ARRIVE_SECONDS

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer, after the body, is counted and dropped."""
        if not self._in_headers:
            self._header_bytes += len(name) + len(value) + 4
            if self._header_bytes > HEADER_BYTES:
                self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return  # no application reads trailers
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start to answer, unless the headers are too long or too many requests wait already."""
        if self.transport.is_closing():
            return
        if len(self.pipeline) >= PIPELINED:
            self.transport.abort()
            return
        length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if length > HEADER_BYTES:
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._in_headers, self._header_bytes = False, length
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, unless the connection is closing."""
        self._body_came = True
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the arrival timer: the request is complete."""
        if not self.transport.is_closing():
            super().on_message_complete()
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _expect(self, seconds: float) -> None:
        self._allowed = seconds
        self._arriving = self.loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Check that the request arrives in time; the time stops while the server has paused reading."""
        if self.transport.is_closing():
            return
        if not self.flow.read_paused:
            self._allowed -= LOOK_SECONDS
        if self._allowed + self._came / ARRIVE_BYTES <= 0:
            if self._came or self._in_headers:
                self._end(HTTPStatus.REQUEST_TIMEOUT)
            else:  # a browser that opened a spare connection
                self.transport.close()
            return
        self._arriving = self.loop.call_later(LOOK_SECONDS, self._look)

    def _end(self, status: HTTPStatus) -> None:
        """Send `status` and close; abort if another answer is pending."""
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

    # --- sending -----------------------------------------------------------------------------------------------------

    def _leave_pace(self) -> None:
        self._own_pace = True

    def pause_writing(self) -> None:
        """Start the read timer: the client reads slower than the server writes."""
        super().pause_writing()
        if self._reading is None and not self._own_pace:
            self._unread = self.transport.get_write_buffer_size()
            self._reading = self.loop.call_later(READ_SECONDS, self._look_reading)

    def _look_reading(self) -> None:
        """Abort a client that has read nothing since the last check; one that reads slowly may continue."""
        unread = self.transport.get_write_buffer_size()
        if unread >= self._unread:
            self.transport.abort()
            return
        self._unread = unread
        self._reading = self.loop.call_later(READ_SECONDS, self._look_reading)

    def resume_writing(self) -> None:
        """Stop the read timer: everything written has been sent."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel both timers."""
        for timer in (self._arriving, self._reading):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
