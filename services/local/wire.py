"""Minimal health checks: does a Kafka broker or a Redis answer requests?"""

import socket
import struct

METADATA, VERSION = 3, 1  # the oldest version in which an empty list requests no topics; every broker supports it
CORRELATION = 7
TIMEOUT = 2.0


def kafka_answers(host: str, port: int) -> bool:
    """Request metadata from a broker; true if the response names at least one broker and a controller.

    Raises
    ------
    OSError
        If no server listens there, or the connection closes in the middle of the response.
    """
    client = b"isonomy"
    body = struct.pack(f">hhih{len(client)}si", METADATA, VERSION, CORRELATION, len(client), client, 0)
    with socket.create_connection((host, port), TIMEOUT) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        (size,) = struct.unpack(">i", _read(connection, 4))
        answer = _read(connection, size)
    correlation, brokers = struct.unpack_from(">ii", answer)
    # Each broker is node, host, port, rack (a null string has length -1); the controller's id follows the last broker.
    position = 8
    for _ in range(brokers):
        (length,) = struct.unpack_from(">h", answer, position + 4)
        position += 4 + 2 + length + 4
        (rack,) = struct.unpack_from(">h", answer, position)
        position += 2 + max(rack, 0)
    (controller,) = struct.unpack_from(">i", answer, position)
    return bool(correlation == CORRELATION and brokers > 0 and controller >= 0)


def redis_answers(host: str, port: int) -> bool:
    """Send PING to a Redis; false while it still loads its data. Raises `OSError` if no server listens there."""
    with socket.create_connection((host, port), TIMEOUT) as connection:
        connection.sendall(b"PING\r\n")
        return _read(connection, 5) == b"+PONG"


def _read(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("the connection closed in the middle of an answer")
        received += part
    return bytes(received)
