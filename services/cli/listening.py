"""Check, before a process starts, that it can listen on its address; a taken port ends it with one sentence."""

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
    """Run a server of `services.http` in the block; raises `UserError` if it cannot listen, now or when it starts."""
    require_address(settings, process)
    try:
        yield
    except CannotListen as error:
        raise UserError(_sentence(settings, process, error)) from None


def require_address(settings: Settings, process: str) -> None:
    """Bind as the server will, then close the socket; raises `UserError` if binding fails.

    It does not listen, so no client connects to a process that does not answer yet.
    """
    port: int = getattr(settings, process).port
    try:
        found = socket.getaddrinfo(settings.http.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in set(found):
            with socket.socket(family, kind, protocol) as probe:
                if os.name == "posix":  # as asyncio does: connections of the previous run in TIME_WAIT do not block it
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        raise UserError(_sentence(settings, process, error)) from None


def _sentence(settings: Settings, process: str, error: OSError) -> str:
    port = f"port {getattr(settings, process).port} of {settings.http.host}"
    chooses = f"--port or ISONOMY_{process.upper()}_PORT chooses another"
    if error.errno == errno.EADDRINUSE:
        return f"{port} is taken: {chooses}"
    if error.errno == errno.EACCES:
        return f"this user may not listen on {port}: {chooses}"
    return f"{settings.http.host} is not an address of this machine (ISONOMY_HOST): {error.strerror or error}"
