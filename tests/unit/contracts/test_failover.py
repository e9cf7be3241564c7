"""A failover behind an address: a client with a connection to the old master, which still runs, closes it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.board.redis_source import RedisSource, SourceAway
from streams.contracts.connect import FOLDING, async_redis_client
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import RedisSettings
from streams.contracts.settings import Settings
from streams.fold import runner as stage
from streams.fold.redis_store import FoldStore
from streams.ratings import elo
from streams.ratings.stage import RatingsStage

REPLICA = [
    "READONLY You can't write against a read only replica.",
    "ERR Error running script (call to f_1): @user_script:7: @user_script: 7: -READONLY You can't write against a read"
    " only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "LOADING Redis is loading the dataset in memory",
    "NOREPLICAS Not enough good replicas to write.",
]
GREETINGS = {
    b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    b"CLIENT": b"+OK\r\n",
    b"SELECT": b"+OK\r\n",
    b"HGETALL": b"%0\r\n",
}


class Server:
    """What a server says to every command but greetings and the question for a state, and how often it was asked."""

    def __init__(self, says: bytes) -> None:
        self.says, self.asked = says, 0


class Address:
    """An address behind which servers change; a connection stays with the server that it was made to."""

    def __init__(self, server: Server) -> None:
        self.server, self.url = server, ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}/0"
        try:
            yield
        finally:
            listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = self.server
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                length = int((await reader.readline())[1:])
                words.append((await reader.readexactly(length + 2))[:-2])
            greeting = GREETINGS.get(words[0].upper())
            server.asked += greeting is None
            writer.write(server.says if greeting is None else greeting)
        writer.close()


@pytest.mark.parametrize("said", REPLICA, ids=lambda said: said[:12])
async def test_a_fold_follows_its_address_to_the_new_master(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(elo, "compiled", lambda: elo.interpreted)
    old, new = Server(b"$1\r\n5\r\n"), Server(b"$1\r\n7\r\n")
    address = Address(old)
    async with address.listening():
        settings = Settings(redis=RedisSettings(url=address.url))
        async with async_redis_client(settings.redis, FOLDING) as redis:
            fold = RatingsStage(settings, Metrics())
            fold._redis, fold._store = redis, FoldStore(redis, settings.redis.keys, "ratings")
            async with asyncio.timeout(5):
                assert await fold._claim(["text"]) == {"text": (5, {})}
            old.says = f"-{said}\r\n".encode()
            address.server = new
            async with asyncio.timeout(5):
                assert await fold._claim(["text"]) == {"text": (7, {})}
    assert (old.asked, new.asked) == (2, 1)


async def test_a_fold_stays_connected_to_a_master_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elo, "compiled", lambda: elo.interpreted)
    master, other = Server(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"), Server(b"$1\r\n7\r\n")
    address = Address(master)
    async with address.listening():
        settings = Settings(redis=RedisSettings(url=address.url))
        async with async_redis_client(settings.redis, FOLDING) as redis:
            fold = RatingsStage(settings, Metrics())
            fold._redis, fold._store = redis, FoldStore(redis, settings.redis.keys, "ratings")
            waiting = asyncio.create_task(fold._claim(["text"]))
            while not master.asked:
                await asyncio.sleep(0.01)
            address.server, master.says = other, b"$1\r\n5\r\n"
            async with asyncio.timeout(5):
                assert await waiting == {"text": (5, {})}
    assert other.asked == 0


@pytest.mark.parametrize("said", REPLICA[2:4], ids=lambda said: said[:12])
async def test_the_board_follows_its_address_to_the_new_master(said: str) -> None:
    old, new = Server(b"*0\r\n"), Server(b"*0\r\n")
    address = Address(old)
    async with address.listening():
        source = RedisSource(RedisSettings(url=address.url))
        try:
            assert await source.names() == {}
            old.says = f"-{said}\r\n".encode()
            address.server = new
            with pytest.raises(SourceAway):
                await source.names()
            assert await source.names() == {}
        finally:
            await source.close()
    assert (old.asked, new.asked) == (2, 1)
