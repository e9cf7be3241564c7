"""Choose the port of each part of `isonomy up`: the requested one, or the usual one if it is free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.local.ports import free_port, is_free
from services.local.process import StartError
from streams.contracts.setting_groups import LAST_PORT
from streams.contracts.settings import Settings

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
