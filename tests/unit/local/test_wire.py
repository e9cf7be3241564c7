"""The two questions understand good answers, poor ones and none."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.local.ports import HOST, free_port
from services.local.wire import kafka_answers, redis_answers


@contextmanager
def replying(answer: bytes) -> Iterator[int]:
    """A server that gives everybody one answer; yields its port."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(answer)

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def metadata(*, brokers: int, controller: int, rack: bytes | None = None) -> bytes:
    host = b"127.0.0.1"
    end = struct.pack(">h", -1) if rack is None else struct.pack(f">h{len(rack)}s", len(rack), rack)
    one = struct.pack(f">ih{len(host)}si", 1, len(host), host, 9092) + end
    body = struct.pack(">ii", 7, brokers) + one * brokers + struct.pack(">ii", controller, 0)
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (metadata(brokers=1, controller=1), True),
        (metadata(brokers=2, controller=1, rack=b"rack-1"), True),
        (metadata(brokers=0, controller=1), False),
        (metadata(brokers=1, controller=-1), False),
    ],
)
def test_kafka_is_ready_with_a_broker_and_a_controller(answer: bytes, ready: bool) -> None:
    with replying(answer) as port:
        assert kafka_answers(HOST, port) is ready


@pytest.mark.parametrize(("answer", "ready"), [(b"+PONG\r\n", True), (b"-LOADING wait\r\n", False)])
def test_redis_is_ready_when_it_says_pong(answer: bytes, ready: bool) -> None:
    with replying(answer) as port:
        assert redis_answers(HOST, port) is ready


def test_an_answer_that_breaks_off_is_an_error() -> None:
    with replying(metadata(brokers=1, controller=1)[:10]) as port, pytest.raises(OSError, match="in the middle"):
        kafka_answers(HOST, port)


@pytest.mark.parametrize("ask", [kafka_answers, redis_answers])
def test_nobody_there_is_an_error(ask: Callable[[str, int], bool]) -> None:
    with pytest.raises(ConnectionRefusedError):
        ask(HOST, free_port())
