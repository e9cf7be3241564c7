"""What a client may take of a server: header bytes, time to send, time to read. Each bound, beside an honest client."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import services.http.uvicorn_protocol as bounds
from services.http.uvicorn_protocol import OWN_PACE, Protocol
from tests.support.eventually import PATIENCE, eventually_async

LARGE = 64 * 1024 * 1024


async def echo(request: Request) -> Response:
    return Response(str(len(await request.body())))


async def large(request: Request) -> Response:
    if "own" in request.query_params:
        request.scope["extensions"][OWN_PACE]()
    return Response(bytes(LARGE))


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds in tenths of seconds."""
    monkeypatch.setattr(bounds, "ARRIVE_SECONDS", 0.5 * PATIENCE)
    monkeypatch.setattr(bounds, "FIRST_SECONDS", 0.5 * PATIENCE)
    monkeypatch.setattr(bounds, "READ_SECONDS", 0.5 * PATIENCE)
    monkeypatch.setattr(bounds, "LOOK_SECONDS", 0.05)


class Site:
    def __init__(self, server: uvicorn.Server, port: int) -> None:
        self.server, self.port = server, port
        self.writers: list[asyncio.StreamWriter] = []

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2 * LARGE)
        self.writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self.writers), return_exceptions=True)

    async def ask(self, text: bytes = b"GET /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") -> bytes:
        reader, writer = await self.open()
        writer.write(text)
        answer = await reader.read()
        writer.close()
        return answer

    async def all_closed(self) -> None:
        await eventually_async(lambda: not self.server.server_state.connections)


@asynccontextmanager
async def served(keep_alive: int = 75) -> AsyncIterator[Site]:
    app = Starlette(routes=[Route("/echo", echo, methods=["GET", "POST"]), Route("/large", large)])
    config = uvicorn.Config(
        app,
        timeout_keep_alive=keep_alive,
        host="127.0.0.1",
        port=0,
        http=Protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        site = Site(server, server.servers[0].sockets[0].getsockname()[1])
        yield site
    finally:
        await site.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await server.shutdown()


async def drained(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_an_honest_request_is_answered_and_the_connection_kept() -> None:
    async with served() as site:
        reader, writer = await site.open()
        for size in (0, 5, 300_000):
            head = f"POST /echo HTTP/1.1\r\nhost: x\r\nx-long: {'h' * 8_000}\r\ncontent-length: {size}\r\n\r\n"
            writer.write(head.encode() + bytes(size))
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(str(size))) == str(size).encode()
        writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc" * 3)  # together
        for _ in range(3):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(1) == b"3"
        writer.close()


@pytest.mark.parametrize(
    "begin",
    [b"GET /echo HTTP/1.1\r\nhost: x\r\n", b"GET /echo HTTP/1.1\r\nx: ", b"GET /echo HTTP/1.1\r\n", b"GET /echo"],
    ids=["headers", "one header", "names", "line"],
)
async def test_headers_without_end_are_refused_after_their_bytes(begin: bytes) -> None:
    more = {b"GET /echo HTTP/1.1\r\nx: ": b"y" * 1_000, b"GET /echo": b"e" * 1_000}.get(begin, b"a: b\r\n" * 200)
    async with served() as site:
        reader, writer = await site.open()
        writer.write(begin)
        sent = 0
        try:
            while sent < 2_000_000:
                writer.write(more)
                await writer.drain()
                sent += len(more)
                await asyncio.sleep(0)
                if reader.at_eof() or site.server.server_state.connections == set():
                    break
        except ConnectionError:
            pass
        assert sent < 2_000_000
        answer = await drained(reader)
        assert not answer or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
        assert b"200 OK" in await site.ask()
        await site.all_closed()


async def test_headers_that_come_at_once_and_are_too_long_are_refused() -> None:
    async with served() as site:
        text = b"GET /echo HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x-%d: %s\r\n" % (at, b"y" * 50) for at in range(400))
        assert (await site.ask(text + b"\r\n")).startswith(b"HTTP/1.1 431")
        await site.all_closed()


async def test_trailers_without_end_are_refused() -> None:
    async with served() as site:
        reader, writer = await site.open()
        writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
        for at in range(4_000):
            writer.write(b"t-%d: %s\r\n" % (at, b"y" * 20))
        assert b"200 OK" not in await drained(reader)
        await site.all_closed()


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET",
        b"GET /echo HTTP/1.1\r\nhost:",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["nothing", "a word", "headers", "no body", "half a chunk"],
)
async def test_two_hundred_clients_that_say_half_are_let_go(half: bytes) -> None:
    async with served() as site:
        clients = [await site.open() for _ in range(200)]
        for _, writer in clients:
            writer.write(half)
        assert b"200 OK" in await site.ask()
        answers = await asyncio.gather(*(drained(reader) for reader, _ in clients))
        await site.all_closed()
        # Once the application has begun with a request, there is nobody left to say it.
        said = b"" if not half or b"\r\n\r\n" in half else b"HTTP/1.1 408 Request Timeout"
        assert {answer.partition(b"\r\n")[0] for answer in answers} == {said}
        for _, writer in clients:
            writer.close()


@pytest.mark.usefixtures("brief")
async def test_a_body_that_trickles_is_given_up_and_one_that_comes_steadily_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "ARRIVE_BYTES", 100_000)
    async with served() as site:
        slow, steady = await site.open(), await site.open()
        head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
        for _, writer in (slow, steady):
            writer.write(head)

        async def send(writer: asyncio.StreamWriter, piece: int) -> None:
            for _ in range(1_000_000 // 20_000):
                writer.write(bytes(piece))
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group:
            group.create_task(send(steady[1], 20_000))
            group.create_task(send(slow[1], 1))
        assert b"200 OK" in await steady[0].readuntil(b"\r\n\r\n")
        assert b"200 OK" not in await drained(slow[0])


@pytest.mark.usefixtures("brief")
async def test_who_does_not_read_is_cut_unless_the_answer_has_a_pace_of_its_own() -> None:
    async with served() as site:
        clients = {query: await site.open() for query in (b"", b"?own=1")}
        for query, (reader, writer) in clients.items():
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # a client that is busy with something else
            writer.write(b"GET /large%s HTTP/1.1\r\nhost: x\r\n\r\n" % query)
        await eventually_async(lambda: len(site.server.server_state.connections) == 1)
        assert b"200 OK" in await site.ask()
        reader = clients[b"?own=1"][0]
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.readexactly(LARGE)) == LARGE


async def test_a_trailer_that_does_not_end_is_refused_after_its_bytes() -> None:
    async with served() as site:
        reader, writer = await site.open()
        writer.write(b"POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: ")
        sent = 0
        try:
            while sent < 2_000_000 and site.server.server_state.connections:
                writer.write(b"y" * 1_000)
                await writer.drain()
                await asyncio.sleep(0)
                sent += 1_000
        except ConnectionError:
            pass
        assert sent < 500_000
        await drained(reader)
        await site.all_closed()


async def test_fourteen_thousand_requests_in_one_breath_are_not_queued() -> None:
    async with served() as site:
        reader, writer = await site.open()
        writer.write(b"GET /echo HTTP/1.1\r\n\r\n" * 14_000)
        answered = (await drained(reader)).count(b"200 OK")
        assert answered <= 2 * bounds.PIPELINED
        assert b"200 OK" in await site.ask()


@pytest.mark.parametrize("later", [b"\r\n", b"x"], ids=["a line's end", "the byte of a body"])
async def test_bytes_between_requests_do_not_keep_a_connection(later: bytes) -> None:
    length = b"content-length: 1\r\n" if later == b"x" else b""
    async with served(keep_alive=1) as site:
        clients = [await site.open() for _ in range(20)]
        for reader, writer in clients:
            writer.write(b"GET /nothing HTTP/1.1\r\nhost: x\r\n" + length + b"\r\n")
            assert b"404" in await reader.readuntil(b"\r\n\r\n")
            writer.write(later)
        await site.all_closed()


@pytest.mark.usefixtures("brief")
async def test_who_reads_slowly_but_reads_is_not_cut() -> None:
    async with served() as site:
        reader, writer = await site.open()
        transport: Any = reader._transport  # type: ignore[attr-defined]  # a client that reads a little at a time
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        size = 0
        for _ in range(12):
            transport.pause_reading()
            await asyncio.sleep(0.2)  # it is busy with what it has read
            transport.resume_reading()
            size += len(await reader.read(4_000_000))
        while piece := await reader.read(8_000_000):
            size += len(piece)
        assert size > LARGE


@pytest.mark.usefixtures("brief")
async def test_what_is_left_of_an_answer_that_nobody_reads_does_not_keep_a_connection() -> None:
    async with served() as site:
        reader, writer = await site.open()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        transport: Any = reader._transport  # type: ignore[attr-defined]
        transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        await site.all_closed()
