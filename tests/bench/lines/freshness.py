"""(e) Freshness: from the gateway's 202 for a vote to the first board in Redis that counts it, at a fixed pace."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.place import Servers
from tests.bench.report import Bound, Row, number

LINE = "e"
RATE = 20_000
VOTES_A_REQUEST = 200
CONNECTIONS = 16
WARM_SECONDS = 3.0
P50, P99 = Bound(most=200.0), Bound(most=450.0)


def measure(servers: Servers, seconds: float, rich: bool = False) -> Iterator[Row]:
    """Rows of the freshness distribution on one broker."""
    place = servers.place()
    with place.worker(), place.gateway() as gateway:
        seen = place.run(
            "offer",
            3 * seconds + 90.0,
            port=gateway.port,
            secret=gateway.secret,
            rate=RATE,
            votes=VOTES_A_REQUEST,
            connections=CONNECTIONS,
            seconds=seconds,
            warm_seconds=WARM_SECONDS,
            rich=rich,
        )
    if seen["never"] or seen["refused"]:
        raise RuntimeError(f"{seen['never']} votes were not counted in time, {seen['refused']} requests were refused")
    shape = "rich" if rich else "plain"
    where = f"{RATE:,} {shape} votes/s offered for {seconds:g} s, {servers.kind}"
    fresh, sent, boards = seen["freshness"], seen["answer"], seen["publishes"]
    came = (
        f"{number(seen['rate'])} votes/s acknowledged, answers p50 {number(sent['p50'])} p99 {number(sent['p99'])} ms"
    )
    late = f"sent late by p99 {number(seen['late']['p99'])} ms"
    paces = f"between boards p50 {number(boards['p50'])} p99 {number(boards['p99'])} ms; slowest vote"
    yield Row(LINE, f"202 → board, p50, {where}", fresh["p50"], "ms", P50, f"{came}; {late}")
    yield Row(LINE, f"202 → board, p99, {where}", fresh["p99"], "ms", P99, f"{paces} {number(fresh['p100'])} ms")
