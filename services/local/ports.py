"""Loopback ports: find a free one, choose one for each part of the stack, and name the holder of a taken one."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.local.process import StartError
from streams.contracts.setting_groups import LAST_PORT
from streams.contracts.settings import Settings

HOST = "127.0.0.1"
LISTENING = "0A"  # the state column of /proc/net/tcp

# Below the kernel's range for outgoing connections (32768-60999 on Linux). Inside that range, a client that retries
# a restarting broker can get the broker's own port as its source port, connect to itself, and keep the broker from
# binding the port.
FIRST, LAST = 20_000, 31_999
TURNS = Path(tempfile.gettempdir()) / f"isonomy-ports-{os.getuid()}"
"""Holds the last port that `free_port` returned: a server starts to listen only some time after it got its port."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too, so connections of the previous run in TIME_WAIT do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port on which no process listens.

    All processes of a user take turns through one locked file: two that call before either listens get different ports.

    Raises
    ------
    StartError
        When every port is taken, or the file cannot be written.
    """
    count = LAST - FIRST + 1
    try:
        with open(os.open(TURNS, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            said = file.read()
            begin = int(said) + 1 if said.isdecimal() else random.randint(FIRST, LAST)  # noqa: S311 - no secret
            for step in range(count):
                port = FIRST + (begin - FIRST + step) % count
                if is_free(port):
                    file.seek(0)
                    file.truncate()
                    file.write(str(port))
                    return port
    except OSError as error:
        raise StartError(f"cannot record in {TURNS} which port was used last: {error}") from None
    raise StartError(f"found no free port between {FIRST} and {LAST} on {HOST}")


def require_free(port: int, purpose: str) -> None:
    """Raise `StartError` if the port is taken; the message names the holder if it can be found."""
    if not is_free(port):
        raise StartError(f"{purpose} cannot listen on {HOST}:{port}: it is in use by {holder(port)}")


def holder(port: int) -> str:
    """Name the process that listens on a port, if /proc shows it to this user."""
    inodes = _listening_inodes(port)
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _open_sockets(process):
            return f"process {process.name} ({_command(process)[:120]})"
    return f"a process that this user cannot see, perhaps another `isonomy up` (`ss -ltnp 'sport = :{port}'` tells)"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            column = line.split()
            if column[3] == LISTENING and int(column[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{column[9]}]")
    return inodes


def _open_sockets(process: Path) -> set[str]:
    sockets = set()
    with suppress(OSError):  # another user's process, or a process that has just ended
        for entry in (process / "fd").iterdir():
            with suppress(OSError):  # the file was closed in the meantime
                sockets.add(os.readlink(entry))
    return sockets


def _command(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return "it has just ended"


BROKER_PORT, REDIS_PORT = 9092, 6379
"""The usual ports of Kafka and of Redis."""


@dataclass(frozen=True)
class WantedPort:
    """A port, and the option or variable that requests it; empty if it is only the usual port. Port 0 means any."""

    port: int
    asked_by: str = ""


def worker_name(number: int) -> str:
    """Return the name of a worker: `number` counts from 0, the name from 1."""
    return f"worker-{number + 1}"


def wishes_of_processes(settings: Settings, environ: Mapping[str, str], workers: int) -> dict[str, WantedPort]:
    """Return the wanted port of each Isonomy process; a port counts as requested if `environ` sets its variable."""

    def wish(variable: str, port: int) -> WantedPort:
        return WantedPort(port, variable if environ.get(variable) else "")

    wishes = {
        "board": wish("ISONOMY_BOARD_PORT", settings.board.port),
        "gateway": wish("ISONOMY_GATEWAY_PORT", settings.gateway.port),
    }
    for number in range(workers):
        first = settings.worker.port
        wishes[worker_name(number)] = wish("ISONOMY_WORKER_PORT", first + number if first else 0)
    wishes["herald"] = wish("ISONOMY_HERALD_PORT", settings.herald.port)
    return wishes


def choose_ports(wishes: Mapping[str, WantedPort]) -> dict[str, int]:
    """Return a different port for every name.

    Requested ports are binding; a usual port is replaced by a free one if another part or program has it.

    Raises
    ------
    StartError
        When a requested port is taken, was requested twice, or does not exist.
    """
    chosen: dict[str, int] = {}
    asked_by: dict[int, str] = {}
    for name, wish in wishes.items():
        if not wish.asked_by or wish.port == 0:
            continue
        if wish.port > LAST_PORT:
            raise StartError(f"port {wish.port} of the {name} does not exist: {wish.asked_by} chooses another")
        if wish.port in asked_by:
            raise StartError(f"port {wish.port} is asked for twice: by {asked_by[wish.port]} and by {wish.asked_by}")
        if not is_free(wish.port):
            raise StartError(f"port {wish.port} of the {name} is taken: {wish.asked_by} chooses another")
        chosen[name] = wish.port
        asked_by[wish.port] = wish.asked_by
    for name, wish in wishes.items():
        if name in chosen:
            continue
        port = wish.port
        while port == 0 or port in chosen.values() or not is_free(port):
            port = free_port()
        chosen[name] = port
    return chosen
