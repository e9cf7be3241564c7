"""Sends votes to the gateway as fast as it acknowledges them, over several connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import uvloop

from tests.bench.programs.bodies import arrays
from tests.bench.programs.client import Connection, connect, request
from tests.bench.programs.talk import answer, given

WARM_SECONDS = 1.0


async def measure(port: int, requests: list[bytes], connections: int, seconds: float) -> tuple[list[float], int, float]:
    """Seconds of each answer after the warm-up, number of answers other than 202, and seconds until the last answer."""
    loop = asyncio.get_running_loop()
    stop_at = time.monotonic() + WARM_SECONDS + seconds
    count_from = stop_at - seconds
    sent_at: dict[int, float] = {}
    took: list[float] = []
    ended = loop.create_future()
    following, refused, under_way, last = 0, 0, 0, 0.0

    def answered(connection: Connection, accepted: bool, at: float) -> None:
        nonlocal refused, under_way, last
        under_way -= 1
        refused += not accepted
        if at >= count_from:
            took.append(at - sent_at[connection.carries])
            last = at
        if at < stop_at and following < len(requests):
            send(connection)
        elif not under_way and not ended.done():
            ended.set_result(None)

    def send(connection: Connection) -> None:
        nonlocal following, under_way
        number, following, under_way = following, following + 1, under_way + 1
        sent_at[number] = time.monotonic()
        connection.send(number, requests[number])

    opened = await connect(port, connections, answered)
    for connection in opened:
        send(connection)
    await asyncio.wait_for(ended, WARM_SECONDS + seconds + 30.0)
    for connection in opened:
        connection.close()
    return took, refused, last - count_from


def main(percentile: Callable[[list[float], float], float]) -> None:
    """Measure."""
    told = given()
    requests = [request(body, told["secret"]) for body in arrays(told["requests"], told["votes"])]
    uvloop.install()
    took, refused, seconds = asyncio.run(measure(told["port"], requests, told["connections"], told["seconds"]))
    answer(
        votes_a_second=len(took) * told["votes"] / seconds,
        p50=percentile(took, 50),
        p99=percentile(took, 99),
        refused=refused,
    )


if __name__ == "__main__":
    import numpy as np

    main(lambda values, at: float(np.percentile(values, at)))
