"""A simulated Redis that runs the store's own Lua scripts, with faults: lost data, rollback, stalls, full memory."""

# Longer than most modules: the server, its commands and its client.

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from lupa.lua51 import LuaRuntime, lua_type
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.simulation.loop import PROCESS, Process, VirtualLoop

SOCKET_SECONDS = 5.0
"""Socket timeout of the folds' client."""
EPOCH = 1_700_000_000
_WRITES = {b"SET", b"HSET", b"SADD", b"HDEL", b"HINCRBY", b"INCR"}
_KINDS: dict[bytes, type] = {
    b"GET": bytes,
    **dict.fromkeys((b"SMEMBERS", b"SISMEMBER", b"SADD", b"SREM"), set),
    **dict.fromkeys((b"HSET", b"HGET", b"HMGET", b"HGETALL", b"HDEL"), dict),
}
"""Command to the type that an existing key must have; other commands accept any type."""
_LUA = LuaRuntime(encoding=None, unpack_returned_tuples=False)
_COMPILED: dict[str, Any] = {}
"""Text to compiled script, shared by all worlds."""
Value = bytes | dict[bytes, bytes] | set[bytes]


class Server:
    """The data of Redis, its commands and its faults.

    Parameters
    ----------
    loop
        Source of the time.
    random
        Decides durations and faults.
    """

    def __init__(self, loop: VirtualLoop, random: Random, note: Callable[..., None]) -> None:
        self.loop, self.random, self._note = loop, random, note
        self.data: dict[bytes, Value] = {}
        self.away = self.full = False
        self.stalled: list[Callable[[], None]] | None = None
        self.answer_lost = 0.0
        self.slow = 0.0
        self.written: list[Callable[[Process, bytes, Value | None], None]] = []
        """Callbacks for every written key: process, key and value."""
        self.claimed: list[Callable[[Process, bytes], None]] = []
        """Callbacks for every claim of a state: process and key."""
        self.claiming = False
        """Whether the running script is a claim."""
        self.faults: dict[str, int] = {}
        self._caller: Process = loop.world
        make = _LUA.eval(b"function(call, pcall) return {call = call, pcall = pcall} end")
        # A weak reference: Lua would keep the world alive, since no garbage collector sees cycles through both.
        this = weakref.ref(self)
        self._redis = make(
            lambda name, *arguments: this()._from_lua(name, *arguments),
            lambda name, *arguments: this()._from_lua_protected(name, *arguments),
        )

    def snapshot(self) -> dict[bytes, Value]:
        """Copy all data."""
        return {key: value if isinstance(value, bytes) else value.copy() for key, value in self.data.items()}

    def stall(self) -> None:
        """Stop answering; commands sent meanwhile run at `resume`, in any order."""
        self.stalled = []

    def resume(self) -> None:
        """Run the waiting commands, and answer again."""
        waiting, self.stalled = self.stalled or [], None
        self.random.shuffle(waiting)
        for each in waiting:
            each()

    # --- commands ----------------------------------------------------------------------------------------------------

    def script(self, text: str, keys: Sequence[Any], arguments: Sequence[Any], caller: Process) -> Any:
        """Run a script atomically."""
        compiled = _COMPILED.get(text)
        if compiled is None:
            body = b"function(KEYS, ARGV, redis)\n" + text.encode() + b"\nend"
            compiled = _COMPILED[text] = _LUA.eval(body)
        if self.full and any(f"'{name.decode()}'" in text for name in _WRITES):
            raise OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'.")
        self._caller, self.claiming = caller, "'TIME'" in text
        answer = compiled(
            _LUA.table_from([_bytes(key) for key in keys]),
            _LUA.table_from([_bytes(each) for each in arguments]),
            self._redis,
        )
        if self.claiming:
            self.claiming = False
            for told in self.claimed:
                told(caller, _bytes(keys[0]))
        return _from_table(answer)

    def _from_lua(self, name: bytes, *arguments: Any) -> Any:
        answer = self._do(bytes(name).upper(), [_bytes(each) for each in arguments], self._caller)
        if answer is None:
            return False
        if isinstance(answer, list):
            return _LUA.table_from([False if each is None else each for each in answer])
        return answer

    def _from_lua_protected(self, name: bytes, *arguments: Any) -> Any:
        try:
            return self._from_lua(name, *arguments)
        except ResponseError as error:
            return _LUA.table_from({b"err": str(error).encode()})

    def do(self, name: str, arguments: Sequence[Any], caller: Process) -> Any:
        """Run one command."""
        upper = name.upper().encode()
        if self.full and upper in _WRITES:
            raise OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'.")
        return self._do(upper, [_bytes(each) for each in arguments], caller)

    def _do(self, name: bytes, given: list[bytes], caller: Process) -> Any:
        data = self.data
        if name == b"TIME":
            now = EPOCH * 1_000_000 + int(self.loop.time() * 1_000_000)
            return [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]
        if name == b"PUBLISH":
            return 0
        if name in (b"DEL", b"UNLINK"):
            gone = [key for key in given if data.pop(key, None) is not None]
            for key in gone:
                self._tell(caller, key, None)
            return len(gone)
        key, *rest = given
        if key in data and not isinstance(data[key], _KINDS.get(name, object)):
            raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
        if name in (b"GET", b"SMEMBERS", b"HGETALL", b"HGET", b"HMGET", b"EXISTS", b"SISMEMBER"):
            return self._read(name, data.get(key), rest)
        if name == b"SET":
            data[key] = rest[0]
        elif name == b"HSET":
            data.setdefault(key, {}).update(zip(rest[::2], rest[1::2], strict=True))  # type: ignore[arg-type]
        elif name == b"HDEL":
            fields = data.get(key, {})
            gone = [each for each in rest if fields.pop(each, None) is not None]  # type: ignore[call-arg]
            if not fields:
                data.pop(key, None)
            if not gone:
                return 0
        elif name == b"SADD":
            data.setdefault(key, set()).update(rest)
        elif name == b"SREM":
            data.get(key, set()).difference_update(rest)
            if not data.get(key):
                data.pop(key, None)
        else:
            raise NotImplementedError(f"the simulated Redis has no {name.decode()}")
        self._tell(caller, key, data.get(key))
        return 1

    @staticmethod
    def _read(name: bytes, value: Any, rest: list[bytes]) -> Any:
        if name == b"GET":
            return value
        if name == b"EXISTS":
            return int(value is not None)
        if name == b"SMEMBERS":
            return sorted(value or ())
        if name == b"SISMEMBER":
            return int(rest[0] in (value or ()))
        fields = value or {}
        if name == b"HGET":
            return fields.get(rest[0])
        if name == b"HMGET":
            return [fields.get(each) for each in rest]
        return dict(fields)

    def _tell(self, caller: Process, key: bytes, value: Value | None) -> None:
        for told in self.written:
            told(caller, key, value)

    def count(self, kind: str) -> None:
        """Count a fault."""
        self.faults[kind] = self.faults.get(kind, 0) + 1


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).encode()


def _fields(field: Any, value: Any, mapping: Any) -> list[Any]:
    if mapping is None:
        return [field, value]
    return [each for pair in mapping.items() for each in pair]


def _from_table(answer: Any) -> Any:
    if lua_type(answer) == b"table" or lua_type(answer) == "table":
        return [_from_table(answer[place]) for place in range(1, len(answer) + 1)]
    if answer is False:
        return None
    return int(answer) if isinstance(answer, float) else answer


class SimulatedRedis:
    """A client of the simulated server, with the methods of `redis.asyncio.Redis` that the product uses."""

    def __init__(self, server: Server) -> None:
        self._server, self._process = server, PROCESS.get()

    async def aclose(self) -> None:
        """Close."""

    async def _ask(self, perform: Callable[[], Any]) -> Any:
        server = self._server
        loop = server.loop
        answer: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        def run() -> None:
            if server.away:
                settle(None, RedisConnectionError("Redis is away"))
                return
            try:
                result = perform()
            except ResponseError as error:
                settle(None, error)
                return
            if server.answer_lost and server.random.random() < server.answer_lost:
                server.count("Redis answer lost")
                settle(None, RedisConnectionError("Connection closed by server"))
                return
            settle(result, None)

        def arrive() -> None:
            if server.stalled is None:
                run()
            else:
                server.stalled.append(run)

        delay = 0.0003 + 0.003 * server.random.random()
        if server.slow and server.random.random() < server.slow:
            server.count("Redis slow")
            delay += 0.8 * server.random.random()
        loop.later(delay, arrive)
        timer = loop.call_later(SOCKET_SECONDS, settle, None, RedisTimeoutError("Timeout reading from Redis"))
        try:
            return await answer
        finally:
            timer.cancel()

    def register_script(self, text: str) -> Script:
        """Make a script callable."""

        return Script(text, lambda keys, args: self._ask(lambda: self._script(text, keys, args)))

    def _script(self, text: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        return self._server.script(text, keys, args, self._process)

    async def execute_command(self, name: str, *arguments: Any) -> Any:
        """Run one command."""
        return await self._ask(lambda: self._server.do(name, arguments, self._process))

    async def get(self, key: str) -> Any:
        return await self.execute_command("GET", key)

    async def set(self, key: str, value: Any) -> Any:
        return await self.execute_command("SET", key, value)

    async def delete(self, *keys: str) -> Any:
        return await self.execute_command("DEL", *keys)

    async def hgetall(self, key: str) -> Any:
        return await self.execute_command("HGETALL", key)

    async def hget(self, key: str, field: str) -> Any:
        return await self.execute_command("HGET", key, field)

    async def hset(self, key: str, field: Any = None, value: Any = None, mapping: Any = None) -> Any:
        return await self.execute_command("HSET", key, *_fields(field, value, mapping))

    async def smembers(self, key: str) -> Any:
        return set(await self.execute_command("SMEMBERS", key))

    async def sadd(self, key: str, *members: Any) -> Any:
        return await self.execute_command("SADD", key, *members)

    async def srem(self, key: str, *members: Any) -> Any:
        return await self.execute_command("SREM", key, *members)

    def pipeline(self, transaction: bool = True) -> Pipeline:
        """Collect commands to run atomically."""
        return Pipeline(
            self._ask, lambda name, arguments: self._server.do(name, arguments, self._process), self._script
        )


class Script:
    """A registered script; its SHA here is its text."""

    def __init__(self, text: str, run: Callable[[Sequence[Any], Sequence[Any]], Any]) -> None:
        self.script = self.sha = text
        self._run = run

    async def __call__(self, keys: Sequence[Any] = (), args: Sequence[Any] = ()) -> Any:
        return await self._run(keys, args)


class Pipeline:
    """Commands that are sent together.

    Parameters
    ----------
    ask
        Sends a function for the server to perform, and awaits the answer.
    do
        Performs one command on the server, by name and arguments.
    script
        Runs a script on the server, by text, keys and arguments.
    """

    def __init__(
        self,
        ask: Callable[[Callable[[], Any]], Any],
        do: Callable[[str, Sequence[Any]], Any],
        script: Callable[[str, Sequence[Any], Sequence[Any]], Any],
    ) -> None:
        self._ask, self._perform, self._script = ask, do, script
        self._commands: list[Callable[[], Any]] = []

    async def __aenter__(self) -> Pipeline:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._commands.clear()

    def _do(self, name: str, *arguments: Any) -> None:
        self._commands.append(lambda: self._perform(name, arguments))

    def evalsha(self, sha: str, keys: int, *rest: Any) -> None:
        self._commands.append(lambda: self._script(sha, rest[:keys], rest[keys:]))

    def delete(self, *keys: Any) -> None:
        self._do("DEL", *keys)

    def hgetall(self, key: Any) -> None:
        self._do("HGETALL", key)

    def hset(self, key: Any, field: Any = None, value: Any = None, mapping: Any = None) -> None:
        self._do("HSET", key, *_fields(field, value, mapping))

    def srem(self, key: Any, *members: Any) -> None:
        self._do("SREM", key, *members)

    def set(self, key: Any, value: Any) -> None:
        self._do("SET", key, value)

    def sadd(self, key: Any, *members: Any) -> None:
        self._do("SADD", key, *members)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = list(self._commands)
        answer: list[Any] = await self._ask(lambda: [perform() for perform in commands])
        return answer
