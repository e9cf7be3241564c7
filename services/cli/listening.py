"""Whether a process can listen where it shall, asked before it begins: a taken port ends it with a sentence."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from services.cli.errors import UserError
from services.http.server import CannotListen
from streams.contracts.settings import Settings


@contextmanager
def listening(settings: Settings, process: str) -> Iterator[None]:
    """Run a server of `services.http` in the block; raises `UserError` when it cannot listen, now or when it tries."""
    require_address(settings, process)
    try:
        yield
    except CannotListen as error:
        raise UserError(_sentence(settings, process, error)) from None


def require_address(settings: Settings, process: str) -> None:
    """Bind as the server will, and let go again; raises `UserError` when that fails.

    It does not listen: nobody shall connect to a process that does not answer yet.
    """
    port: int = getattr(settings, f"{process}_port")
    try:
        found = socket.getaddrinfo(settings.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in set(found):
            with socket.socket(family, kind, protocol) as probe:
                if os.name == "posix":  # as asyncio does: what lingers of the previous run is no hindrance
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        raise UserError(_sentence(settings, process, error)) from None


def _sentence(settings: Settings, process: str, error: OSError) -> str:
    port = f"port {getattr(settings, f'{process}_port')} of {settings.host}"
    chooses = f"--port or ISONOMY_{process.upper()}_PORT chooses another"
    if error.errno == errno.EADDRINUSE:
        return f"{port} is taken: {chooses}"
    if error.errno == errno.EACCES:
        return f"{port} may not be listened on by this user: {chooses}"
    return f"{settings.host} is no address of this machine to listen on (ISONOMY_HOST): {error.strerror or error}"
