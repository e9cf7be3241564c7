"""A light HTTP/1.1 client over asyncio: requests are prepared bytes, and of answers only the status is checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

from services.local.ports import HOST

LENGTH = b"content-length: "


def request(body: bytes, secret: str) -> bytes:
    """All bytes of a POST of votes."""
    head = (
        f"POST /v1/votes HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight at a time.

    Parameters
    ----------
    answered
        Called with the connection, whether the answer has the wanted status, and its time (monotonic seconds).
    wanted
        The wanted status.
    """

    def __init__(self, answered: Callable[[Connection, bool, float], None], wanted: int = 202) -> None:
        self._answered = answered
        self._wanted = b"HTTP/1.1 %d" % wanted
        self._received = b""
        self._transport: asyncio.Transport
        self.carries = -1
        """Number of the request in flight."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transport is no subclass

    def send(self, number: int, data: bytes) -> None:
        """Send a request."""
        self.carries = number
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Call `answered` when an answer is complete."""
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0 or len(received) < end + 4 + _length(received):
            self._received = received
            return
        self._received = b""
        self._answered(self, received.startswith(self._wanted), time.monotonic())

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


async def connect(
    port: int, count: int, answered: Callable[[Connection, bool, float], None], wanted: int = 202
) -> list[Connection]:
    """Open connections to a server on loopback."""
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: Connection(answered, wanted), HOST, port) for _ in range(count)]
    return [protocol for _, protocol in opened]


def _length(received: bytes) -> int:
    at = received.find(LENGTH)
    if received.startswith(b"HTTP/1.1 304"):  # has no body, and may lack the header
        return 0
    if at < 0:
        raise ValueError(f"an answer without a length: {received[:200]!r}")
    return int(received[at + len(LENGTH) : received.index(b"\r", at)])
