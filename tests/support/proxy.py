"""A network with faults: TCP proxies on loopback that stall, cut, half-close and delay connections."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import TracebackType
from typing import Self

from services.local.ports import HOST

CHUNK = 65_536
STARTED_WITHIN = 10.0


class Way(StrEnum):
    """A direction: `UP` to the server, `DOWN` to the client."""

    UP = "up"
    DOWN = "down"


class Proxy:
    """A proxy from one port to another.

    A `Network` creates it; its methods may be called from any thread and take effect before they return.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int, server_port: int) -> None:
        self.port, self.server_port = port, server_port
        self._loop = loop
        self._passes = {way: asyncio.Event() for way in Way}
        self._delay = dict.fromkeys(Way, 0.0)
        self._is_cut = False
        self._writers: dict[Way, set[asyncio.StreamWriter]] = {way: set() for way in Way}
        self._tasks: set[asyncio.Task[None]] = set()
        for event in self._passes.values():
            event.set()

    @property
    def connections(self) -> int:
        """Number of clients connected through the proxy."""
        return len(self._writers[Way.UP])

    def stall(self, *ways: Way) -> None:
        """Hold data in these directions; connections stay open, and new ones are stalled, too."""

        def clear() -> None:
            for way in ways:
                self._passes[way].clear()

        self._do(clear)

    def delay(self, seconds: float, *ways: Way) -> None:
        """Hold each chunk in these directions for `seconds`: a link with latency, and therefore slow."""
        self._do(lambda: self._delay.update(dict.fromkeys(ways, seconds)))

    def cut(self) -> None:
        """Reset every connection, and every new one until `heal`."""

        def act() -> None:
            self._is_cut = True
            self._abort()

        self._do(act)

    def half_close(self, way: Way) -> None:
        """Send EOF in one direction of every connection; the other direction stays open."""

        def act() -> None:
            for writer in self._writers[way]:
                if writer.can_write_eof() and not writer.is_closing():
                    writer.write_eof()

        self._do(act)

    def heal(self) -> None:
        """End all faults; half-closed connections stay half-closed until a peer closes them."""

        def act() -> None:
            self._is_cut = False
            self._delay = dict.fromkeys(Way, 0.0)
            for event in self._passes.values():
                event.set()

        self._do(act)

    def _do(self, act: Callable[[], object]) -> None:
        async def run() -> None:
            act()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(STARTED_WITHIN)

    def _abort(self) -> None:
        for writers in self._writers.values():
            for writer in writers:
                writer.transport.abort()

    async def serve(self) -> asyncio.Server:
        """Listen; in the loop."""
        return await asyncio.start_server(self._connected, HOST, self.port)

    async def close(self) -> None:
        """End every connection; in the loop."""
        self._abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._is_cut:
                await self._join(reader, writer)
        except OSError:
            pass  # the server is down, or one peer closed: the abort closes the other side
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(HOST, self.server_port)
        self._writers[Way.UP].add(server_writer)
        self._writers[Way.DOWN].add(writer)
        try:
            await asyncio.gather(self._pump(reader, server_writer, Way.UP), self._pump(server_reader, writer, Way.DOWN))
        finally:
            self._writers[Way.UP].discard(server_writer)
            self._writers[Way.DOWN].discard(writer)
            server_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        while data := await reader.read(CHUNK):
            if self._delay[way]:
                await asyncio.sleep(self._delay[way])
            await self._passes[way].wait()
            if writer.is_closing():
                raise ConnectionResetError("the other side is gone")
            with contextlib.suppress(RuntimeError):  # half-closed: this direction accepts no more data
                writer.write(data)
                await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


class Network:
    """Proxies by name, served by one thread while the context is open.

    Parameters
    ----------
    ports
        Name to the proxy's port and the server's.
    """

    def __init__(self, ports: Mapping[str, tuple[int, int]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self.proxies = {name: Proxy(self._loop, *pair) for name, pair in ports.items()}

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(STARTED_WITHIN):
            raise RuntimeError("the proxies do not listen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(STARTED_WITHIN)
        self._loop.close()

    def heal(self) -> None:
        """End the faults of all proxies."""
        for proxy in self.proxies.values():
            proxy.heal()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        servers = [await proxy.serve() for proxy in self.proxies.values()]
        self._ready.set()
        await self._over.wait()
        for server in servers:
            server.close()
        for proxy in self.proxies.values():
            await proxy.close()
