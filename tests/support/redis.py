"""Redis as operators run it: with other settings, full, or a master behind Sentinels."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from services.local.ports import HOST
from services.local.redis import RedisServer
from tests.support.eventually import eventually

FILLING = 8_000_000
"""Bytes of foreign data in a full Redis."""
SERVICE = "arena"
DOWN_MS = 1_000
"""Milliseconds without an answer after which a Sentinel considers the master down."""


class OwnRedis(RedisServer):
    """A Redis with additional settings, as arguments: `("--maxmemory", "3mb")`."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory)
        self.options = options

    def argv(self) -> list[str]:
        """The command."""
        return [*super().argv(), *self.options]

    def client(self) -> Redis:
        """A new client; close it after use."""
        return Redis.from_url(self.url)

    def fill(self) -> None:
        """Exceed maxmemory with a foreign key: Redis refuses all further writes."""
        with self.client() as client:
            client.setrange("not-ours", FILLING, b"x")  # a large SET would also count its buffers
            client.config_set("maxmemory", client.info("memory")["used_memory"] - FILLING // 2)

    def make_room(self) -> None:
        """Delete the foreign key."""
        with self.client() as client:
            client.delete("not-ours")


class Sentinel(RedisServer):
    """A Sentinel that monitors one master; the quorum is two."""

    name = "sentinel"

    def __init__(self, directory: Path, master: RedisServer) -> None:
        super().__init__(directory)
        self.master = master

    def argv(self) -> list[str]:
        """The command; a Sentinel rewrites its settings, so they are in a file."""
        binary = super().argv()[0]
        settings = self.directory / "sentinel.conf"
        settings.write_text(
            f"bind {HOST}\nport {self.port}\ndir {self.directory}\n"
            f"sentinel monitor {SERVICE} {HOST} {self.master.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_MS}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        return [binary, str(settings), "--sentinel"]


class Replicated:
    """A master, a replica, and three Sentinels."""

    def __init__(self, directory: Path) -> None:
        self.first = OwnRedis(directory / "first", "--repl-diskless-sync-delay", "0")
        self.second = OwnRedis(
            directory / "second", "--replicaof", HOST, str(self.first.port), "--repl-diskless-sync-delay", "0"
        )
        self.sentinels = [Sentinel(directory / f"sentinel-{number}", self.first) for number in range(3)]

    @property
    def url(self) -> str:
        """The value for REDIS_URL."""
        places = ",".join(sentinel.address for sentinel in self.sentinels)
        return f"redis+sentinel://{places}/{SERVICE}/0"

    def __enter__(self) -> Self:
        try:
            for server in (self.first, self.second, *self.sentinels):
                server.start()
            eventually(self._agreed, 30, every=0.1)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all servers."""
        for server in (*self.sentinels, self.second, self.first):
            server.terminate()

    def _agreed(self) -> bool:
        """Whether every Sentinel knows the replica and the other two Sentinels, which a failover requires."""
        return all(
            (master["num-slaves"], master["num-other-sentinels"]) == (1, 2) and "slave" not in master["flags"]
            for master in map(self._master, self.sentinels)
        )

    def _master(self, sentinel: Sentinel) -> dict[str, Any]:
        with Redis(port=sentinel.port) as client:
            return client.sentinel_master(SERVICE)

    def ask(self) -> None:
        """Request a failover to the replica while the master is healthy, as for an upgrade."""
        with Redis(port=self.sentinels[0].port) as client:
            client.execute_command("SENTINEL FAILOVER", SERVICE)

    def role(self, server: OwnRedis) -> str | None:
        """The role that a server reports: `master` or `slave`; None when it does not answer."""
        try:
            with Redis(port=server.port, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client:
                return str(client.info("replication")["role"])
        except RedisError:
            return None

    def promoted(self) -> bool:
        """Whether all Sentinels and the replica itself report it as the master."""
        told = {self._master(sentinel)["port"] for sentinel in self.sentinels}
        return told == {self.second.port} and self.role(self.second) == "master"
