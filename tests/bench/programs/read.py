"""Requests a leaderboard from a board: as fast as it answers, or at a fixed rate while the leaderboard changes."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
from collections import deque
from typing import Any

import numpy as np
import psutil
import uvloop
from redis.asyncio import Redis

from services.local.ports import HOST
from streams.contracts.settings import Settings
from tests.bench.programs.client import Connection, connect
from tests.bench.programs.shown import two_boards
from tests.bench.programs.talk import answer, given

WARM_SECONDS = 1.0
CHANGES_A_SECOND = 4
PATH = "/v1/arenas/text/leaderboard"


async def publish(redis: Redis, text: bytes) -> None:
    """Write the board as the ratings stage does."""
    keys = Settings.from_env(os.environ).redis.keys
    async with redis.pipeline(transaction=True) as together:
        together.sadd(keys.boards("text"), "overall")
        together.set(keys.board("text", "overall"), text)
        together.sadd(keys.arenas, "text")
        together.publish(keys.changed("text"), json.dumps({"arena": "text", "boards": ["overall"], "ledger": 1}))
        await together.execute()


async def keep_changing(redis: Redis, texts: tuple[bytes, bytes], enough: asyncio.Event) -> None:
    """Publish the two boards in turn."""
    number = 0
    while not enough.is_set():  # an event instead of a cancellation, which the Redis client may swallow
        await publish(redis, texts[number % 2])
        number += 1
        await asyncio.sleep(1 / CHANGES_A_SECOND)


async def until_served(port: int, text: bytes, headers: dict[str, str]) -> tuple[bytes, str]:
    """Body and ETag once the board serves the text."""
    end = time.monotonic() + 15.0
    while time.monotonic() < end:
        plain, _ = await asyncio.to_thread(get, port, {})
        if plain == text:
            return await asyncio.to_thread(get, port, headers)
        await asyncio.sleep(0.02)
    raise TimeoutError("the board does not serve what was published")


def get(port: int, headers: dict[str, str]) -> tuple[bytes, str]:
    """Body and ETag of one answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", PATH, headers=headers)
        found = connection.getresponse()
        return found.read(), found.headers.get("etag", "")
    finally:
        connection.close()


async def drive(told: dict[str, Any], request: bytes, wanted: int) -> dict[str, float]:
    """Send for the given time, and measure after the warm-up; at a rate, latency starts when a request is due."""
    loop = asyncio.get_running_loop()
    server, rate, seconds = psutil.Process(told["pid"]), told["rate"], told["seconds"]
    took: list[float] = []
    refused, under_way = 0, 0
    due: dict[int, float] = {}
    free: deque[Connection] = deque()
    ended = loop.create_future()

    def answered(connection: Connection, good: bool, at: float) -> None:
        nonlocal refused, under_way
        under_way -= 1
        refused += not good
        if count_from <= due[id(connection)] and at < stop_at + 5:
            took.append(at - due[id(connection)])
        if not rate and at < stop_at:
            send(connection, at)
        else:
            free.append(connection)
            if not under_way and at >= stop_at and not ended.done():
                ended.set_result(None)

    def send(connection: Connection, at: float) -> None:
        nonlocal under_way
        under_way += 1
        due[id(connection)] = at
        connection.send(0, request)

    opened = await connect(told["port"], told["connections"], answered, wanted)
    free.extend(opened)
    began = time.monotonic()
    count_from, stop_at = began + WARM_SECONDS, began + WARM_SECONDS + seconds
    if not rate:
        while free:
            send(free.popleft(), time.monotonic())
    spent: list[float] = []
    loop.call_later(max(0.0, count_from - time.monotonic()), lambda: spent.append(_processor(server)))
    sent = 0
    while (now := time.monotonic()) < stop_at:
        while rate and free and sent < (now - began) * rate:
            send(free.popleft(), began + sent / rate)
            sent += 1
        await asyncio.sleep(0.0005 if rate else 0.05)
    spent.append(_processor(server))
    if under_way:
        await asyncio.wait_for(ended, 30.0)
    for connection in opened:
        connection.close()
    if refused:
        raise RuntimeError(f"{refused} answers were not {wanted}")
    p50, p99 = (1e3 * float(each) for each in np.percentile(took, [50, 99]))
    cpu = spent[1] - spent[0]
    return {
        "a_second": len(took) / seconds,
        "p50": p50,
        "p99": p99,
        "cpu_us": 1e6 * cpu / len(took),
        "busy": cpu / seconds,
    }


def _processor(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


async def measure(told: dict[str, Any]) -> dict[str, float]:
    """Publish a board, read it, and return the figures."""
    texts = two_boards()
    redis = Redis.from_url(Settings.from_env(os.environ).redis.url)
    headers = {"Accept-Encoding": "gzip"} if told["form"] == "gzip" else {}
    await publish(redis, texts[0])
    body, etag = await until_served(told["port"], texts[0], headers)
    if told["form"] == "known":
        headers, body = {"If-None-Match": etag}, b""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n{head}\r\n".encode()
    enough = asyncio.Event()
    changing = asyncio.create_task(keep_changing(redis, texts, enough)) if told["rate"] else None
    figures = await drive(told, request, 304 if told["form"] == "known" else 200)
    if changing is not None:
        enough.set()
        await changing
    await redis.aclose()
    return {**figures, "bytes": len(body)}


def main() -> None:
    """Measure on processors other than the server's."""
    told = given()
    os.sched_setaffinity(0, (os.sched_getaffinity(0) - {told["not_on"]}) or os.sched_getaffinity(0))
    uvloop.install()
    answer(**asyncio.run(measure(told)))


if __name__ == "__main__":
    main()
