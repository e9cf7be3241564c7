"""(f) The gateway: votes per second that Kafka acknowledges, in single requests and in arrays of 500."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from tests.bench.place import Servers
from tests.bench.report import Row, number, over_rounds

LINE = "f"
DEADLINE = 90.0
CASES = ((1, 64, 25_000), (500, 8, 400))
"""Votes per request, connections, and a sufficient number of requests per second."""


def measure(servers: Servers, rounds: int, seconds: float) -> Iterator[Row]:
    """A row for each size of request, the sizes interleaved."""
    place = servers.place()
    found: dict[int, list[dict[str, float]]] = {votes: [] for votes, _, _ in CASES}
    with place.gateway() as gateway:
        for _ in range(rounds):
            for votes, connections, most in CASES:
                seen = place.run(
                    "burst",
                    DEADLINE,
                    port=gateway.port,
                    secret=gateway.secret,
                    votes=votes,
                    connections=connections,
                    requests=int(most * (seconds + 1.0)),
                    seconds=seconds,
                )
                if seen["refused"]:
                    raise RuntimeError(f"the gateway refused {seen['refused']} requests")
                found[votes].append(seen)
    for votes, connections, _ in CASES:
        seen_all = found[votes]
        p50, p99 = (number(1e3 * statistics.median(each[name] for each in seen_all)) for name in ("p50", "p99"))
        what = f"acknowledged, {votes} a request, {connections} connections, {servers.kind}"
        note = f"answer p50 {p50} ms, p99 {p99} ms"
        yield over_rounds(LINE, what, [each["votes_a_second"] for each in seen_all], "votes/s", None, note)
