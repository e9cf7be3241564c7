"""The second look at an address: names are resolved here, and a socket is made only for an address that was looked at.

What a name resolves to a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from services.herald.channels.ssrf_guard import check_address

Found = list[tuple[socket.AddressFamily, str]]
Lookup = Callable[[str, int], Awaitable[Found]]


class Names:
    """Looks names up in threads of its own: a dead name server must not hold up anything else.

    Parameters
    ----------
    most
        Lookups at once, as many as attempts: one that hangs blocks a thread, and must not make the others wait.
    """

    def __init__(self, most: int) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="names")

    async def __call__(self, host: str, port: int) -> Found:
        """Every address of a host; raises `OSError` when there is none."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [(family, str(address[0])) for family, _, _, _, address in found]

    def close(self) -> None:
        """Let go of the threads, without waiting for lookups that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses all of a name when one of its addresses is not public.

    Parameters
    ----------
    lookup
        Asks for addresses.
    allow_private
        Lifts the guard.
    """

    def __init__(self, lookup: Lookup, *, allow_private: bool) -> None:
        self._lookup = lookup
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a host; raises `RefusedAddress`, or `OSError` when there is none."""
        found = await self._lookup(host, port)
        if not self._allow_private:
            for _, address in found:
                check_address(address)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Nothing to release; the lookup is another's."""


def guarded_socket(allow_private: bool) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Return what makes a socket for an address that is about to be connected to: the last look, whatever led here."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, address = info
        if not allow_private:
            check_address(str(address[0]))
        made = socket.socket(family, kind, proto)
        made.setblocking(False)
        return made

    return make
