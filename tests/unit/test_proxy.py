"""The proxy does to connections what it says, and heals."""

import socket
import threading
from collections.abc import Iterator

import pytest

from services.local.ports import HOST, free_port
from tests.support.eventually import eventually
from tests.support.proxy import Network, Proxy, Way


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy to a server that sends everything back."""
    with socket.create_server((HOST, 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        with Network({"echo": (free_port(), server.getsockname()[1])}) as network:
            yield network.proxies["echo"]
        server.shutdown(socket.SHUT_RDWR)


def serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(1024):
                connection.sendall(data)
            connection.sendall(b"end")
        except OSError:
            return


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connect(proxy) as client:
        yield client


def connect(proxy: Proxy) -> socket.socket:
    client = socket.create_connection((HOST, proxy.port), 5)
    client.settimeout(5)
    return client


def answered(client: socket.socket, data: bytes, within: float = 5.0) -> bytes:
    client.sendall(data)
    client.settimeout(within)
    return client.recv(1024)


def test_what_is_sent_comes_through_both_ways(client: socket.socket) -> None:
    assert answered(client, b"vote") == b"vote"


@pytest.mark.parametrize("way", list(Way))
def test_a_stalled_way_holds_the_bytes_until_it_heals(proxy: Proxy, client: socket.socket, way: Way) -> None:
    answered(client, b"before")
    proxy.stall(way)
    with pytest.raises(TimeoutError):
        answered(client, b"held", within=0.3)
    proxy.heal()
    client.settimeout(5)
    assert client.recv(1024) == b"held"


def test_a_delay_takes_as_long_as_it_says(proxy: Proxy, client: socket.socket) -> None:
    proxy.delay(0.4, Way.DOWN)
    with pytest.raises(TimeoutError):
        answered(client, b"late", within=0.2)
    client.settimeout(5)
    assert client.recv(1024) == b"late"


def test_a_cut_resets_what_is_open_and_what_is_opened_until_it_heals(proxy: Proxy, client: socket.socket) -> None:
    answered(client, b"before")
    assert proxy.connections == 1
    proxy.cut()
    assert hung_up(client)
    with connect(proxy) as second:
        assert hung_up(second)
    proxy.heal()
    with connect(proxy) as third:
        assert answered(third, b"after") == b"after"
    eventually(lambda: proxy.connections == 0)


def hung_up(client: socket.socket) -> bool:
    try:
        return answered(client, b"?") == b""
    except ConnectionError:
        return True


def test_a_half_closed_connection_still_brings_what_the_server_says(proxy: Proxy, client: socket.socket) -> None:
    answered(client, b"before")
    proxy.half_close(Way.UP)
    assert client.recv(1024) == b"end", "the server heard that no more comes, and could still answer"
